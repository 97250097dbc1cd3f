//! The memory estimate of a run is below the memory that it needs, and not far below.

use super::{SMALL, command, train};
use resnet::data::dataset::DatasetKind;
use resnet::distributed::tree::Shards;
use resnet::model::{Architecture, Preprocess, StemKind};
use resnet::train::ImageSize;
use resnet::train::config::complete::defaults;
use resnet::train::config::defaults::Situation;
use resnet::train::memory::{step_bytes, sum_bytes};
use resnet::train::{OptimizerKind, Recipe, Settings};
use std::fs;

#[test]
fn a_step_too_large_for_the_machine_is_refused_with_what_makes_it_smaller() {
    let folder = tempfile::tempdir().unwrap();
    let line = "-d fake:1 -b 1 --depth 110 --width 256 --image-size 2048 --dry-run";
    let done = train(folder.path(), line);
    assert_eq!(done.status, 1, "{}", done.stderr);
    for expected in [
        "error: a step of 1 image of 2048x2048 needs about ",
        " GB of memory, and ",
        "\nhint: pass a smaller --batch-size (with --grad-accumulation N",
    ] {
        assert!(done.stderr.contains(expected), "{}", done.stderr);
    }
    let done = train(folder.path(), &format!("-d fake:4000000000 {SMALL}"));
    assert_eq!(done.status, 1, "{}", done.stderr);
    assert!(
        done.stderr
            .starts_with("error: 4,000,000,000 inputs of 3x16x16 need 12288 GB of memory"),
        "{}",
        done.stderr
    );
}

/// The most memory that the process held, in bytes, after a few steps of `images` images of `size` a step.
fn peak(depth: usize, images: usize, size: usize, flags: &str) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let line = format!(
        "-d fake:{} --depth {depth} -b {images} --image-size {size} --dry-run --epochs 9 -f json {flags}",
        3 * images
    );
    let mut running = command(folder.path(), &line).start();
    running.read_until("\"step\":3,");
    let status = fs::read_to_string(format!("/proc/{}/status", running.child.id())).unwrap();
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.unwrap().trim().split(' ').next().unwrap();
    1024 * kilobytes.parse::<u64>().unwrap()
}

#[test]
fn the_estimate_is_below_what_a_step_takes_and_above_half_of_it() {
    for (depth, images, size, optimizer, ema, shards) in [
        (20, 8, 64, OptimizerKind::Sgd, None, 1),
        (18, 4, 96, OptimizerKind::Adam, Some(0.9), 1),
        (50, 2, 64, OptimizerKind::Sgd, None, 1),
        // The sums of the first two shards wait for that of the others.
        (50, 7, 32, OptimizerKind::Sgd, None, 7),
    ] {
        let overrides = Recipe {
            image_size: Some(ImageSize([size; 2])),
            batch_size: Some(images),
            optimizer: Some(optimizer),
            ema,
            ..Recipe::default()
        };
        let situation = Situation {
            kind: DatasetKind::Noise,
            from_model: false,
            is_probe: false,
            images,
        };
        let others = defaults(&situation, &overrides, &Preprocess::default(), |_| 3);
        let settings = Settings::new(&overrides.or(others)).unwrap();
        let config = Architecture {
            name: None,
            depth,
            stem: (size <= 64).then_some(StemKind::Cifar),
            width: None,
            groups: None,
            width_per_group: None,
            plain: false,
        };
        let config = config.config().unwrap();
        let sums = sum_bytes(&config, &settings, Shards::new(shards, 1), 0).unwrap();
        assert_eq!(sums > 0, shards > 1);
        let estimate = step_bytes(&config, &settings, images / shards, 3).unwrap() + sums;
        let flags = match (optimizer, ema) {
            (OptimizerKind::Adam, Some(_)) => "--optimizer adam --ema 0.9",
            _ => "--stem cifar",
        };
        let flags = format!("{flags} --shards {shards}");
        let peak = peak(depth, images, size, &flags);
        assert!(estimate < peak, "resnet{depth}: {estimate} of {peak}");
        assert!(2 * estimate > peak, "resnet{depth}: {estimate} of {peak}");
    }
}
