//! The commands that are meant by the names of other tools.

/// Common guesses for a command, the option that must exist, and the hint. `{}` stands for the words after the guess.
pub const COMMANDS: &[(&str, &str, &str)] = &[
    ("compare diff versus vs", "", "`resnet eval --compare{}`"),
    (
        "list models ls model-list zoo",
        "list",
        "`resnet summary --list` lists the models that have a name",
    ),
    (
        "list models ls model-list zoo",
        "",
        "name a model as `-m resnet18`, `resnet34`, `resnet50`, `resnet101` or `resnet152`, or `-m org/name`",
    ),
    (
        "runs",
        "",
        "runs are the folders in `runs/`: `resnet eval --compare runs/*` compares them",
    ),
    (
        "export convert onnx save quantize",
        "",
        "there is no export: a run's `best/model.safetensors` has torchvision's and timm's names",
    ),
    (
        "test validate val evaluate evaluation score measure",
        "",
        "`resnet eval -m MODEL -d DATA`",
    ),
    (
        "infer inference classify run detect label pred recognize",
        "",
        "`resnet predict{}`",
    ),
    (
        "fit finetune fine-tune training learn tune transfer",
        "",
        "`resnet train -d DATA -m resnet50`",
    ),
    ("continue resume restart", "", "`resnet train --resume{}`"),
    (
        "check data inspect-data dataset stats",
        "check",
        "`resnet train -d DATA --check`",
    ),
    (
        "info describe show inspect model print arch",
        "",
        "`resnet summary{}`",
    ),
    (
        "bench benchmark speed time profile",
        "",
        "`resnet summary --depth 50 --time`",
    ),
    (
        "explain gradcam grad-cam cam visualize",
        "",
        "`resnet predict IMAGE --explain DIR`",
    ),
    (
        "embed features embedding extract",
        "",
        "`resnet predict IMAGE --embed FILE`",
    ),
    (
        "report plot plots",
        "",
        "`resnet eval -m MODEL -d DATA -o DIR` writes a report",
    ),
    ("version", "", "`resnet --version`"),
    (
        "completion completions complete",
        "",
        "`resnet --completions bash`",
    ),
    ("man man-pages docs", "", "`resnet --man-pages DIR`"),
];
