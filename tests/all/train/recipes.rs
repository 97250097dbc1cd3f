//! The recipes under `models/` run, each for two steps on tiny data; errors in recipes are named.

use super::{data, losses, train, trained};
use crate::support::command::root;
use std::fs;

/// A recipe, the exit status and the message.
const WRONG: [(&str, i32, &str); 31] = [
    (
        "lr = 0.1\nlearning-rate = 0.1",
        1,
        "`r.toml`: line 2: unknown field `learning-rate`",
    ),
    (
        "\n\nepochs = \"three\"",
        1,
        "`r.toml`: line 3: `epochs`: invalid type: string \"three\", expected a whole number",
    ),
    (
        "epochs = -1",
        1,
        "line 1: `epochs`: invalid value: integer `-1`",
    ),
    (
        "mean = [0.5,\n  true]",
        1,
        "line 2: `mean`: invalid type: boolean `true`, expected a number",
    ),
    (
        "freeze = \"tail\"",
        1,
        "line 1: `freeze`: `tail` is not a part of a model",
    ),
    (
        "optimizer = \"lion\"",
        1,
        "line 1: `optimizer`: unknown variant `lion`",
    ),
    (
        "epochs = 0",
        2,
        "key `epochs`: cannot train with --epochs 0\nhint: --epochs must be at least 1\n",
    ),
    ("lr = 0.1\nlr = 0.2", 1, "line 2: duplicate key"),
    ("lr = ", 1, "line 1: "),
    (
        "lr = inf",
        2,
        "error: recipe `r.toml`, key `lr`: cannot train with --lr inf",
    ),
    (
        "milestones = [3]",
        2,
        "error: recipe `r.toml`, key `milestones`: cannot train with --milestones 3: only",
    ),
    (
        "val-split = 0.0",
        2,
        "error: recipe `r.toml`, key `val-split`: cannot hold out --val-split 0",
    ),
    ("width = 0", 2, "cannot train with --width 0"),
    ("width = 100000", 2, "cannot train with --width 100000"),
    ("groups = 0", 2, "cannot train with --groups 0"),
    ("crop-pct = nan", 2, "cannot train with --crop-pct NaN"),
    ("mean = []", 2, "cannot train with --mean []"),
    (
        "mean = [123.7, 116.3, 103.5]",
        2,
        "`mean`: cannot train with --mean 123.7: pixel values are scaled",
    ),
    (
        "std = [58.4, 57.1, 57.4]",
        2,
        "`std`: cannot train with --std 58.4: pixel values are scaled",
    ),
    ("std = [1.0, 0.0, 1.0]", 2, "cannot train with --std 0"),
    ("std = [0.0]", 2, "`std`: cannot train with --std [0.0]\n"),
    ("image-size = 0", 2, "cannot train with --image-size 0x0"),
    (
        "image-size = \"24 x 32\"",
        1,
        "line 1: `image-size`: must be 1 to 4096 pixels: 224, or 192x256 for",
    ),
    (
        "image-size = [24]",
        1,
        "line 1: `image-size`: must be 1 to 4096 pixels: 224, or [192, 256] for",
    ),
    (
        "milestones = [9223372036854775807]",
        2,
        "cannot train with --milestones",
    ),
    (
        "warmup-epochs = 1e300",
        2,
        "cannot train with --warmup-epochs",
    ),
    (
        "label-smoothing = 1.0",
        2,
        "cannot train with --label-smoothing 1",
    ),
    (
        "grad-accumulation = 0",
        2,
        "cannot train with --grad-accumulation 0",
    ),
    ("depth = 19", 2, "there is no residual network of depth 19"),
    ("dtype = \"f16\"", 2, "cannot train with --dtype f16"),
    ("depth = 152\nwidth = 4096", 1, "GB of memory for training"),
];

#[test]
fn every_recipe_runs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let line =
        "-d fake:8 --depth 50 --width 8 --stem imagenet --image-size 32 -b 4 --max-steps 1 -o base";
    trained(folder, line);
    let mut recipes: Vec<_> = fs::read_dir(root().join("models"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("recipe.toml"))
        .filter(|recipe| recipe.is_file())
        .collect();
    recipes.sort();
    for recipe in recipes {
        let shown = recipe.display();
        let text = fs::read_to_string(&recipe).unwrap();
        let starts_from_model = text.lines().any(|line| line.starts_with("model"));
        let model = if starts_from_model { "-m base" } else { "" };
        let line = format!(
            "--recipe {shown} -d data {model} --image-size 32 -b 4 --grad-accumulation 1 --max-steps 2 --workers 1 --dry-run --format json"
        );
        let done = trained(folder, &line);
        let losses = losses(&done.stdout);
        assert_eq!(losses.len(), 2, "{shown}: {}", done.stderr);
        assert!(
            losses.iter().all(|loss| loss.is_finite()),
            "{shown}: {losses:?}"
        );
    }
}

#[test]
fn a_recipe_is_refused_by_the_line_of_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (recipe, status, expected) in WRONG {
        fs::write(folder.join("r.toml"), recipe).unwrap();
        let done = train(folder, "-d fake:4 --recipe r.toml --max-steps 1");
        assert_eq!(done.status, status, "{recipe}: {}", done.stderr);
        assert!(done.stderr.contains(expected), "{recipe}: {}", done.stderr);
        assert!(
            done.stderr.contains("\nhint: "),
            "{recipe}: {}",
            done.stderr
        );
    }
    assert!(!folder.join("runs").exists());
}

#[test]
fn what_is_no_recipe_is_refused_and_what_a_flag_says_is_the_flags_fault() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("r.toml"), "lr = 0.1\nepochs = 2").unwrap();
    let done = train(folder, "-d fake:4 --recipe r.toml --warmup-epochs 3");
    assert!(
        done.stderr.starts_with(
            "error: cannot train with --warmup-epochs 3: the run ends after --epochs 2"
        ),
        "{}",
        done.stderr
    );
    fs::create_dir(folder.join("run")).unwrap();
    fs::write(folder.join("run/config.toml"), "").unwrap();
    for (recipe, expected) in [
        (
            "missing.toml",
            "error: cannot read recipe `missing.toml`: no such file\nhint: pass a file of",
        ),
        (
            "run",
            "error: cannot read recipe `run`: it is a folder\nhint: pass the run's own recipe, `run/config.toml`",
        ),
    ] {
        let done = train(folder, &format!("--recipe {recipe}"));
        assert_eq!(done.status, 1);
        assert!(
            done.stderr.replace('\\', "/").starts_with(expected),
            "{}",
            done.stderr
        );
    }
}
