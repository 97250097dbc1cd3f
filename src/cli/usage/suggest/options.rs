//! The options that are meant by the names of other tools.

/// A common guess for an option.
pub struct Suggestion {
    /// Their words for it, without dashes, separated by spaces.
    pub written: &'static str,
    /// The option without dashes that the command must have for the answer to hold; empty if none.
    pub option: &'static str,
    /// The command for which it is the answer; empty for every one.
    pub command: &'static str,
    /// A hint; if it is empty, it is the option.
    pub answer: &'static str,
}

const fn is(written: &'static str, option: &'static str) -> Suggestion {
    Suggestion {
        written,
        option,
        command: "",
        answer: "",
    }
}

const fn says(
    written: &'static str,
    option: &'static str,
    command: &'static str,
    answer: &'static str,
) -> Suggestion {
    Suggestion {
        written,
        option,
        command,
        answer,
    }
}

/// The first that holds is the answer.
pub const OPTIONS: &[Suggestion] = &[
    // The model.
    says(
        "a architecture backbone net network model-name",
        "arch",
        "",
        "pass timm's name by `--arch resnet50d`, or `--depth 50`; `-m resnet50` starts from pretrained weights",
    ),
    says(
        "arch a architecture backbone net network model-name",
        "",
        "",
        "pass `-m MODEL`, such as `-m resnet50`",
    ),
    says(
        "pretrained pretrain pre-trained imagenet finetune fine-tune transfer",
        "",
        "train",
        "`-m resnet50` starts from pretrained weights",
    ),
    says(
        "pretrained pretrain pre-trained imagenet",
        "",
        "",
        "pass `-m resnet50` for pretrained weights",
    ),
    says(
        "weights w checkpoint ckpt load init initial-checkpoint pretrained-path model-path pth state-dict",
        "resume",
        "train",
        "`-m FILE` starts from weights, `--resume RUN_DIR` resumes a run",
    ),
    says(
        "weights w checkpoint ckpt load init initial-checkpoint pretrained-path model-path pth state-dict run r",
        "",
        "",
        "pass `-m MODEL`: a run folder, a file of weights or a name",
    ),
    says(
        "resnet18 resnet34 resnet50 resnet101 resnet152",
        "",
        "train",
        "pass `--depth 50` to train from scratch, or `-m resnet50` to fine-tune",
    ),
    is("layers num-layers n-layers", "depth"),
    is(
        "frozen freeze-backbone freeze-layers linear-probe probe head-only",
        "freeze",
    ),
    says(
        "num-classes nb-classes n-classes nc classes",
        "classes",
        "",
        "",
    ),
    says(
        "num-classes nb-classes n-classes nc classes",
        "val-split",
        "train",
        "leave it out: the dataset has its own classes",
    ),
    says(
        "num-classes nb-classes n-classes nc classes",
        "",
        "",
        "leave it out: the model has its own classes",
    ),
    // The data.
    says(
        "data-dir data-path dataset dataset-dir data-root root train-dir traindir train-data train images input i source",
        "data",
        "",
        "pass `-d DATA`: a dataset's name or a folder of images",
    ),
    says(
        "val-dir valdir val-data test-dir testdir val val-path validation",
        "val-split",
        "train",
        "put validation images into `val/` beside `train/` in the data folder, or pass `--val-split 0.1`",
    ),
    says(
        "val-dir valdir val-data test-dir testdir val val-path validation",
        "data",
        "",
        "pass `-d DATA`: a dataset's name or a folder of images",
    ),
    says(
        "data-dir data-path dataset dataset-dir data-root root images input i source image",
        "top-k",
        "",
        "images have no option: `resnet predict cat.jpg photos/`",
    ),
    is(
        "val-fraction val-size val-ratio validation-split valid-pct test-size test-split",
        "val-split",
    ),
    is("subset set part partition", "split"),
    is(
        "workers num-workers n-workers nw data-workers loader-workers j jobs",
        "workers",
    ),
    is(
        "workers num-workers n-workers nw data-workers j jobs",
        "threads",
    ),
    is(
        "image-size img-size imgsz img imagesz size resolution input-size crop-size res",
        "image-size",
    ),
    is(
        "image-size img-size imgsz img imagesz size resolution input-size shape",
        "input",
    ),
    is("resize-mode resize fit crop", "crop-mode"),
    is(
        "augmentation augmentations aug aa auto-augment autoaugment randaug randaugment trivialaugment transforms",
        "augment",
    ),
    is("reprob random-erasing erase cutout", "random-erase"),
    is("mix mixup-alpha", "mixup"),
    is("cutmix-alpha", "cutmix"),
    is(
        "class-names names label-file labels-file classes-file",
        "labels",
    ),
    is(
        "weighted balanced balance class-weight pos-weight",
        "class-weights",
    ),
    // Optimization.
    is(
        "batch bs batchsize batch-sz per-device-train-batch-size b",
        "batch-size",
    ),
    is(
        "epoch n-epochs num-epochs nb-epochs num-train-epochs e ep iterations",
        "epochs",
    ),
    is(
        "steps iters max-iters max-iter num-steps n-steps",
        "max-steps",
    ),
    is("learning-rate lr0 lr-max max-lr base-lr rate eta l", "lr"),
    is(
        "lr-schedule lr-scheduler sched schedule lr-policy scheduler-type lr-decay",
        "scheduler",
    ),
    is("opt optim optimiser optimizer-type", "optimizer"),
    is("wd decay l2 weightdecay", "weight-decay"),
    is(
        "warmup warmup-steps lr-warmup-epochs warm-up",
        "warmup-epochs",
    ),
    is(
        "lr-step-size step-size lr-steps decay-epochs lr-milestones",
        "milestones",
    ),
    is("smoothing ls smooth", "label-smoothing"),
    is("ema-decay model-ema use-ema", "ema"),
    is(
        "clip grad-clip clip-norm max-grad-norm gradient-clip gradient-clip-val clip-grad-norm clip-value",
        "clip-grad",
    ),
    is("early-stopping early-stop es earlystopping", "patience"),
    is(
        "accumulate accum accum-iter grad-accum grad-accum-steps gradient-accumulation gradient-accumulation-steps accumulate-grad-batches",
        "grad-accumulation",
    ),
    is("random-seed manual-seed rng", "seed"),
    says(
        "amp fp16 half mixed-precision bf16 float16 bfloat16 precision mixed autocast",
        "epochs",
        "train",
        "training computes in f32: there is no mixed precision",
    ),
    says(
        "amp fp16 half mixed-precision bf16 float16 bfloat16 precision mixed autocast",
        "dtype",
        "",
        "pass `--dtype f16` or `--dtype bf16` with `--device cuda` or metal: a CPU computes in f32",
    ),
    says(
        "lr-finder find-lr lr-find auto-lr auto-lr-find lrfinder",
        "epochs",
        "",
        "there is no learning-rate finder: the default suits the data and batch size; try others with `--lr` and `--max-steps 200`",
    ),
    says(
        "deterministic reproducible benchmark cudnn-benchmark",
        "seed",
        "",
        "leave it out: the same `--seed` always gives the same bits",
    ),
    says(
        "tta test-time-augmentation",
        "test-size",
        "",
        "there is no test-time augmentation; `--test-size` uses the model's test resolution",
    ),
    says(
        "tta test-time-augmentation",
        "",
        "",
        "there is no test-time augmentation",
    ),
    // Output.
    says(
        "name experiment run-name exp tag project save-dir out out-dir outdir output-dir out-file output-file save log-dir logdir o",
        "output",
        "",
        "",
    ),
    says(
        "name experiment run-name exp tag project save-dir out out-dir outdir output-dir out-file output-file save log-dir logdir o output",
        "explain",
        "",
        "redirect the output: `resnet predict cat.jpg -f csv > predictions.csv`",
    ),
    says(
        "out outdir out-dir output-dir out-file output-file save o output",
        "style",
        "",
        "redirect the output: `resnet summary --depth 50 > summary.txt`",
    ),
    is("topk top n-top num-top k top-n", "top-k"),
    says(
        "topk top top-k k",
        "compare",
        "",
        "leave it out: top-1 and top-5 are always measured",
    ),
    is(
        "conf conf-thres confidence threshold min-confidence min-prob score",
        "min-probability",
    ),
    says(
        "cam gradcam grad-cam heatmap heatmaps saliency visualize visualise vis explanation",
        "explain",
        "",
        "",
    ),
    says(
        "cam gradcam grad-cam explain heatmap heatmaps saliency visualize visualise vis plot plots report html",
        "compare",
        "",
        "pass `-o DIR`: its report has plots and Grad-CAM",
    ),
    is(
        "embedding embeddings features feature extract-features feature-file",
        "embed",
    ),
    is("json csv", "format"),
    is("json tree torchinfo", "style"),
    is("speed bench profile timing", "time"),
    is("recipe config cfg hyp hparams yaml toml c", "recipe"),
    says(
        "continue restart resume-from last start-epoch",
        "resume",
        "",
        "",
    ),
    is("dryrun fast-dev-run debug trial", "dry-run"),
    is(
        "save-every save-freq save-interval checkpoint-freq checkpoint-interval save-steps",
        "checkpoint-every",
    ),
    is("models list-models available", "list"),
    says(
        "test test-only evaluate eval evaluate-only val-only",
        "epochs",
        "train",
        "`resnet eval -m MODEL -d DATA` evaluates a model",
    ),
    says(
        "export onnx to-onnx torchscript jit",
        "",
        "",
        "there is no export: a run's `best/model.safetensors` has torchvision's and timm's names",
    ),
    // The machine.
    says(
        "gpu gpus cuda use-gpu use-cuda gpu-id device-id accelerator",
        "device",
        "",
        "pass `--device cuda`, or `--device cuda:1` for the second GPU",
    ),
    says("mps metal", "device", "", "pass `--device metal`"),
    says("cpu no-cuda no-gpu", "device", "", "pass `--device cpu`"),
    is("num-threads nproc cores n-jobs cpus", "threads"),
    is("silent q", "quiet"),
    is("log-level loglevel", "verbose"),
    is("colour no-color", "color"),
];
