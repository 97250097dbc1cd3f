//! Tests that the same seed gives the same bits for any number of threads, and that a run's own `config.toml` describes
//! it completely.

use super::{SMALL, data, outcome, trained};
use std::fs;

/// All random options at once.
const RANDOM: &str =
    "--augment randaugment --mixup 0.2 --cutmix 0.5 --random-erase 0.3 --ema 0.9 --epochs 1";

#[test]
fn threads_and_workers_change_no_bit_and_the_seed_does() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    for (threads, workers) in [(1, 1), (2, 5), (3, 2)] {
        trained(
            folder,
            &format!(
                "-d data {SMALL} {RANDOM} -o {threads} --threads {threads} --workers {workers}"
            ),
        );
    }
    let one = outcome(&folder.join("1"));
    assert!(one == outcome(&folder.join("2")), "two threads differ");
    assert!(one == outcome(&folder.join("3")), "three threads differ");
    trained(
        folder,
        &format!("-d data {SMALL} {RANDOM} -o seed --seed 1"),
    );
    assert!(
        one != outcome(&folder.join("seed")),
        "the seed changes nothing"
    );
    // The run's own recipe, with no other flag.
    trained(folder, "--recipe 1/config.toml -o again --threads 2");
    assert!(one == outcome(&folder.join("again")), "the recipe differs");
    let recipe = |run: &str| {
        let text = fs::read_to_string(folder.join(run).join("config.toml")).unwrap();
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(recipe("1"), recipe("again"));
}

#[test]
fn threads_and_workers_change_no_bit_of_a_probe() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let line = format!("-d data {SMALL} --freeze backbone --epochs 2");
    for (threads, workers) in [(1, 1), (3, 2)] {
        trained(
            folder,
            &format!("{line} -o {threads} --threads {threads} --workers {workers}"),
        );
    }
    assert!(outcome(&folder.join("1")) == outcome(&folder.join("3")));
}

#[test]
fn flags_override_the_recipe_and_the_recipe_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(
        folder.join("recipe.toml"),
        "data = \"fake:8\"\ndepth = 20\nwidth = 4\nimage-size = 16\nlr = 0.25\nmomentum = 0.5\nnesterov = true\nbatch-size = 4\ndrop-last = true\n",
    )
    .unwrap();
    trained(
        folder,
        "--recipe recipe.toml --lr 0.125 --nesterov=false -o run",
    );
    let config = fs::read_to_string(folder.join("run/config.toml")).unwrap();
    for line in [
        "lr = 0.125",
        "momentum = 0.5",
        "nesterov = false",
        "drop-last = true",
        "scheduler = \"constant\"",
        "data = \"fake:8:10\"",
        "stem = \"cifar\"",
    ] {
        assert!(config.contains(&format!("\n{line}\n")), "{line}: {config}");
    }
    assert!(config.starts_with("# resnet "), "{config}");
    assert!(
        config.contains("best/ is the last epoch: there is no validation set"),
        "{config}"
    );
}
