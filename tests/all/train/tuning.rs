//! Runs that start from a model: a new head, frozen parts, and a linear probe.

use super::{SMALL, data, lines, losses, outcome, train, trained, write_images};
use image::{Rgb, RgbImage};
use resnet::model::Frozen;
use resnet::random::Random;
use resnet::train::{Epoch, Observer, Recipe, RunStarted, Step, StopReason, Trainer};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The tensors of a run's model, as bytes.
fn tensors(run: &Path, which: &str) -> BTreeMap<String, Vec<u8>> {
    let bytes = fs::read(run.join(which).join("model.safetensors")).unwrap();
    let read = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensors = read.iter();
    tensors
        .map(|(name, tensor)| (name.to_owned(), tensor.data().to_vec()))
        .collect()
}

/// A model of ten classes in `base`, trained a little on noise.
fn base(folder: &Path) {
    trained(
        folder,
        "-d fake:32:10 --depth 18 --stem cifar --width 4 --image-size 16 -b 8 --epochs 1 -o base -q",
    );
}

#[test]
fn frozen_parts_keep_every_bit_and_the_rest_learns() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    base(folder);
    write_images(&folder.join("three"), &[("x", 8), ("y", 8), ("z", 8)]);
    let before = tensors(&folder.join("base"), "last");
    for (part, frozen) in [
        ("none", Frozen::Nothing),
        ("stem", Frozen::Stem),
        ("layer2", Frozen::Stage(2)),
        ("backbone", Frozen::Backbone),
    ] {
        for flags in ["", "--ema 0.9 --augment flip"] {
            let run = format!("{part}{}", flags.len());
            let line = format!("-d three -m base --freeze {part} -b 4 --epochs 1 -o {run} {flags}");
            let done = trained(folder, &line);
            assert!(
                done.stderr
                    .contains("the last layer is new: the dataset has 3 classes, the model 10"),
                "{}",
                done.stderr
            );
            for which in ["best", "last"] {
                let after = tensors(&folder.join(&run), which);
                assert_eq!(after.len(), before.len());
                for (name, bytes) in &after {
                    let is_same = before[name] == *bytes;
                    let counts = name.ends_with("num_batches_tracked");
                    assert!(
                        is_same == frozen.holds(name) || counts,
                        "{run} {which} {name}"
                    );
                    assert!(is_same || !frozen.holds(name), "{run} {which} {name}");
                }
                assert_eq!(after["fc.bias"].len(), 3 * 4);
            }
        }
    }
    let done = trained(
        folder,
        "-d three -m base -b 4 --max-steps 1 --dry-run --freeze backbone",
    );
    // 32 features and a bias for each of three classes.
    assert!(
        done.stderr.contains("resnet18_custom (99 of "),
        "{}",
        done.stderr
    );
    // What it starts from is not needed any more.
    fs::remove_dir_all(folder.join("base")).unwrap();
    trained(folder, "--resume stem0 --epochs 2");
}

#[test]
fn a_head_is_kept_only_where_its_classes_are_the_datas() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    trained(folder, &format!("-d data {SMALL} --epochs 1 -o run"));
    let line = "-m run -b 4 --max-steps 1 --dry-run";
    let same = trained(folder, &format!("-d data {line}"));
    assert!(
        !same.stderr.contains("the last layer is new"),
        "{}",
        same.stderr
    );
    fs::rename(folder.join("data/train/a"), folder.join("data/train/e")).unwrap();
    fs::rename(folder.join("data/val/a"), folder.join("data/val/e")).unwrap();
    let others = trained(folder, &format!("-d data {line}"));
    assert!(
        others
            .stderr
            .contains("the last layer is new: the dataset has 4 classes, the model as many others"),
        "{}",
        others.stderr
    );
    let done = train(folder, &format!("-d data {line} --depth 20"));
    let error = "error: cannot train with --depth: `-m run` sets the architecture\nhint: leave one of them out\n";
    assert_eq!((done.status, done.stderr.as_str()), (2, error));
}

#[test]
fn a_probe_equals_the_same_head_trained_on_images() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    base(folder);
    // Images that are their own mirror images: flipping has no effect, but features are computed in each step.
    let mut random = Random::new(3, "mirrored");
    for (number, class) in ["left", "right"].into_iter().enumerate() {
        for (part, count) in [("train", 10), ("val", 4)] {
            let place = folder.join("data").join(part).join(class);
            fs::create_dir_all(&place).unwrap();
            for index in 0..count {
                let half: Vec<u8> = (0..16 * 8)
                    .map(|_| (random.below(120) + 100 * number) as u8)
                    .collect();
                let image = RgbImage::from_fn(16, 16, |x, y| {
                    let x = x.min(15 - x);
                    Rgb([half[(y * 8 + x) as usize]; 3])
                });
                image.save(place.join(format!("{index}.png"))).unwrap();
            }
        }
    }
    let line = "-d data -m base --freeze backbone -b 6 --lr 0.1 --epochs 4 --format json";
    let probe = trained(folder, &format!("{line} -o probe"));
    let slow = trained(folder, &format!("{line} --augment flip -o slow"));
    let (features, images) = (losses(&probe.stdout), losses(&slow.stdout));
    assert_eq!((features.len(), images.len()), (16, 16));
    for (fast, slow) in features.iter().zip(&images) {
        assert!(
            (fast - slow).abs() < 1e-4 * slow.max(0.1),
            "{features:?} {images:?}"
        );
    }
    assert!(features[15] < features[0], "{features:?}");
    // And it resumes exactly.
    trained(folder, &format!("{line} --max-steps 7 -o run"));
    trained(folder, "--resume run --epochs 4 --workers 3 --threads 1");
    assert!(outcome(&folder.join("run")) == outcome(&folder.join("probe")));
}

#[test]
fn images_of_other_channels_than_the_models_are_refused_before_a_folder_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    base(folder);
    data(folder);
    let done = train(folder, "-d data -m base --mean 0.5 --std 0.5 -o gray");
    assert_eq!(done.status, 2, "{}", done.stderr);
    assert!(
        done.stderr.contains("of 1 channel: model `base` takes 3"),
        "{}",
        done.stderr
    );
    assert!(!folder.join("gray").exists());
}

#[test]
fn few_images_are_enough_for_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(
        folder,
        "-d fake:32:10 --depth 18 --stem cifar --width 16 --image-size 16 -b 8 --epochs 1 -o base -q",
    );
    for (name, count) in [("many", 27), ("few", 13)] {
        let place = folder.join(name);
        write_images(
            &place.join("train"),
            &["x", "y", "z"].map(|class| (class, count)),
        );
        write_images(&place.join("val"), &["x", "y", "z"].map(|class| (class, 4)));
    }
    // A step an epoch, as one batch of all would have it, leaves losses of a third to a half.
    for (line, most) in [
        ("-d many -m base --freeze backbone", 0.15),
        ("-d few -m base", 0.2),
        ("-d few --depth 20 --width 8", 0.2),
    ] {
        let done = trained(folder, &format!("{line} --dry-run --format json -q"));
        let last = lines(&done.stdout).pop().unwrap();
        let loss = last["val_loss"].as_f64().unwrap();
        assert!(loss < most && last["val_top1"] == 100.0, "{line}: {last}");
    }
}

#[test]
fn a_trial_of_a_probe_computes_only_what_its_steps_need() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path());
    let recipe = |steps| Recipe {
        data: Some(folder.path().join("data").display().to_string()),
        max_steps: Some(steps),
        ..Recipe::parse(
            "depth = 20\nwidth = 4\nimage-size = 16\nbatch-size = 4\nfreeze = 'backbone'\n",
        )
        .unwrap()
    };
    // Ten steps see each of 40 images.
    for (steps, images) in [(1, 4), (9, 36), (10, 40), (50, 40)] {
        let mut observer = AtFeatures {
            stops: false,
            images: Vec::new(),
        };
        let builder = Trainer::from_recipe(recipe(steps)).workers(1).trial();
        let prepared = builder.observer(&mut observer).start().unwrap();
        prepared.run().unwrap();
        assert_eq!(observer.images.first(), Some(&images), "{steps}");
    }
}

/// Records how many features are computed, and stops there if it should.
struct AtFeatures {
    stops: bool,
    images: Vec<usize>,
}

impl Observer for AtFeatures {
    fn note(&mut self, _: &resnet::error::Message) {}

    fn started(&mut self, _: &RunStarted) {}

    fn step(&mut self, _: &Step) -> anyhow::Result<()> {
        Ok(())
    }

    fn progress(&mut self, what: &str, _: usize, images: usize) {
        if what == "computing features" {
            self.images.push(images);
        }
    }

    fn epoch(&mut self, _: &Epoch, _: bool) -> anyhow::Result<()> {
        Ok(())
    }

    fn unreadable(&mut self, _: &anyhow::Error) {}

    fn should_stop(&self) -> bool {
        self.stops && !self.images.is_empty()
    }
}

#[test]
fn a_stop_while_features_are_computed_leaves_a_run_that_resumes() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path());
    let data = folder.path().join("data");
    let recipe = Recipe {
        data: Some(data.display().to_string()),
        ..Recipe::parse("depth = 20\nwidth = 4\nimage-size = 16\nepochs = 1\nfreeze = 'backbone'\n")
            .unwrap()
    };
    let run = folder.path().join("run");
    let mut stops = AtFeatures {
        stops: true,
        images: Vec::new(),
    };
    let builder = Trainer::from_recipe(recipe).workers(1).output(&run);
    let prepared = builder.observer(&mut stops).start().unwrap();
    let stopped = prepared.run().unwrap();
    assert_eq!(stopped.reason, StopReason::Stopped { step: 0 });
    let resumed = Trainer::resume(&run).workers(1).start().unwrap();
    let ended = resumed.run().unwrap();
    assert_eq!(ended.reason, StopReason::Done);
    assert!(run.join("best/model.safetensors").is_file());
}
