//! Every setting of a recipe has the effect that it should, and no other.

use super::{SMALL, data, losses, outcome, trained, write_images};
use resnet::error::Message;
use resnet::train::{Epoch, Observer, Recipe, RunStarted, Step, Trainer};
use std::fs;
use std::path::Path;

/// A small run in which only the weights and the order are random.
const PLAIN: &str = "depth = 20\nwidth = 4\nimage-size = 16\nbatch-size = 4\naugment = 'none'\nmax-steps = 3\nlr = 0.05\nwarmup-epochs = 0\nlabel-smoothing = 0\n";

/// Records the losses of a run's steps.
#[derive(Default)]
struct Losses(Vec<f64>);

impl Observer for Losses {
    fn note(&mut self, _: &Message) {}

    fn started(&mut self, _: &RunStarted) {}

    fn step(&mut self, step: &Step) -> anyhow::Result<()> {
        self.0.push(step.loss);
        Ok(())
    }

    fn progress(&mut self, _: &str, _: usize, _: usize) {}

    fn epoch(&mut self, _: &Epoch, _: bool) -> anyhow::Result<()> {
        Ok(())
    }

    fn unreadable(&mut self, _: &anyhow::Error) {}

    fn should_stop(&self) -> bool {
        false
    }
}

/// Returns the losses of a run, in this process, on a folder of images with these keys beside [`PLAIN`].
fn losses_of(data: &Path, keys: &str) -> Vec<f64> {
    let recipe = Recipe::parse(keys).unwrap();
    let recipe = recipe.over(Recipe {
        data: Some(data.display().to_string()),
        ..Recipe::parse(PLAIN).unwrap()
    });
    let mut losses = Losses::default();
    let builder = Trainer::from_recipe(recipe).workers(1).dry_run();
    let prepared = builder.observer(&mut losses).start().unwrap();
    prepared.run().unwrap();
    losses.0
}

/// The losses of three steps with these keys beside [`PLAIN`].
fn three(folder: &Path, keys: &str) -> Vec<f64> {
    let losses = losses_of(&folder.join("data"), keys);
    assert_eq!(losses.len(), 3, "{keys}");
    losses
}

#[test]
fn one_batch_is_learned_by_heart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let classes = ["a", "b", "c", "d"].map(|class| (class, 4));
    write_images(&folder.join("data/train"), &classes);
    write_images(&folder.join("data/val"), &classes);
    let keys = "width = 8\nbatch-size = 16\nlr = 0.1\nmax-steps = 60\nwarmup-epochs = 3";
    let losses = losses_of(&folder.join("data"), keys);
    assert!(losses[0] > 1.0, "{}", losses[0]);
    assert!(losses[59] < 0.01, "{}", losses[59]);
}

#[test]
fn what_changes_the_first_loss_and_what_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    for (name, weights) in [("twos", "2\n2\n2\n2\n"), ("skewed", "1\n2\n3\n4\n")] {
        fs::write(folder.join(name), weights).unwrap();
    }
    let weights = |name: &str| format!("class-weights = '{}'", folder.join(name).display());
    let plain = three(folder, "");
    for keys in [
        "label-smoothing = 0.2",
        "mixup = 1",
        "cutmix = 1",
        "random-erase = 1",
        weights("skewed").as_str(),
        "zero-init-residual = true",
        "seed = 5",
        "no-shuffle = true",
        "mean = [0.5, 0.5, 0.5]",
        "augment = 'flip'",
        "augment = 'crop'",
        "augment = 'resized-crop'",
        "augment = 'randaugment'",
        "plain = true",
        // Its batch norms take no statistics of the batch.
        "freeze = 'layer2'",
        "batch-size = 5",
    ] {
        assert_ne!(three(folder, keys)[..1], plain[..1], "{keys}");
    }
    // The first loss is of the initial weights; what changes their update shows in the second.
    for keys in [
        "optimizer = 'adam'",
        "optimizer = 'adamw'",
        "optimizer = 'lars'",
        "optimizer = 'lamb'",
        "nesterov = true",
        "momentum = 0",
        "weight-decay = 0.1",
        "clip-grad = 0.01",
        "scheduler = 'onecycle'",
        "lr = 0.02",
    ] {
        let losses = three(folder, keys);
        assert_eq!(losses[..1], plain[..1], "{keys}");
        assert_ne!(losses[2..], plain[2..], "{keys}");
    }
    // Classes of equal size have equal weights, and doubling all weights has no effect.
    for keys in [
        "class-weights = 'auto'",
        weights("twos").as_str(),
        "clip-grad = 1e9",
        "ema = 0.5",
        "scheduler = 'constant'\nlr = 0.05\nmomentum = 0.9",
        "label-smoothing = 0\nmixup = 0\ncutmix = 0\nrandom-erase = 0",
    ] {
        let losses = three(folder, keys);
        let first = if keys.contains("scheduler") { 1 } else { 3 };
        assert_eq!(losses[..first], plain[..first], "{keys}");
    }
    let wide = three(folder, "dtype = 'f64'");
    assert!((wide[0] - plain[0]).abs() < 1e-5, "{wide:?} {plain:?}");
}

#[test]
fn class_weights_weigh_and_no_shuffle_keeps_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    // Images of the first class, which come first, have no weight.
    fs::write(folder.join("weights"), "0\n1\n1\n1\n").unwrap();
    let weights = folder.join("weights");
    let keys = format!("no-shuffle = true\nclass-weights = '{}'", weights.display());
    let losses = three(folder, &keys);
    assert!(
        losses[0].abs() < 1e-12 && losses[1].abs() < 1e-12,
        "{losses:?}"
    );
    assert!(losses[2] > 0.1, "{losses:?}");
    // Images of a small class weigh more.
    write_images(&folder.join("few/train"), &[("a", 12), ("b", 2)]);
    write_images(&folder.join("few/val"), &[("a", 2), ("b", 2)]);
    let of = |keys: &str| {
        let keys = format!("batch-size = 14\n{keys}");
        losses_of(&folder.join("few"), &keys)[0].to_bits()
    };
    assert_ne!(of(""), of("class-weights = 'auto'"));
}

#[test]
fn accumulated_batches_equal_one_batch_where_no_statistics_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    // The head of a frozen network alone: batch norm takes no statistics of the batch.
    let of = |keys: &str| {
        let keys = format!("freeze = 'backbone'\nlr = 0.1\nepochs = 2\nmax-steps = 6\n{keys}");
        losses_of(&folder.join("data"), &keys)
    };
    let (parts, one) = (
        of("batch-size = 4\ngrad-accumulation = 4"),
        of("batch-size = 16"),
    );
    // 40 images: two steps of 16 and one of 8.
    assert_eq!((parts.len(), one.len()), (6, 6));
    for (part, whole) in parts.iter().zip(&one) {
        assert!((part - whole).abs() < 1e-5 * whole, "{parts:?} {one:?}");
    }
    assert_ne!(one[5..], one[..1]);
}

#[test]
fn the_average_of_the_weights_is_validated_and_saved_and_does_not_touch_the_training() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let line = format!("-d data {SMALL} --epochs 2 --format json -q");
    let plain = trained(folder, &format!("{line} -o plain"));
    let averaged = trained(folder, &format!("{line} --ema 0.9 -o averaged"));
    assert_eq!(losses(&plain.stdout), losses(&averaged.stdout));
    let [plain_run, averaged_run] = ["plain", "averaged"].map(|run| outcome(&folder.join(run)));
    assert!(plain_run.0[2] != averaged_run.0[2], "last/ is the average");
    assert_ne!(plain_run.1, averaged_run.1);
}
