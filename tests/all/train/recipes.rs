//! The recipes under `models/` run, each for two steps on tiny data; errors in recipes are named.

use super::{data, losses, train, trained};
use crate::support::command::root;
use std::fs;

/// A recipe, the exit status and the message: the unit tests of the trainer have the others.
const WRONG: [(&str, i32, &str); 6] = [
    (
        "lr = 0.1\nlearning-rate = 0.1",
        1,
        "`r.toml`: line 2: unknown field `learning-rate`",
    ),
    (
        "epochs = 0",
        2,
        "key `epochs`: cannot train with --epochs 0\nhint: --epochs must be at least 1\n",
    ),
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
        // A narrow network takes every key that a wide one does.
        let model = if starts_from_model {
            "-m base"
        } else {
            "--width 8"
        };
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
