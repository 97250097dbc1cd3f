//! `resnet train` as a user runs it: its output and files, stopping and resuming, and refusals.

mod best;
mod bits;
mod builder;
mod damaged;
mod disk;
mod effects;
mod events;
mod labels_csv;
#[cfg(target_os = "linux")]
mod live;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(unix)]
mod newest;
mod output;
mod photographs;
mod processes;
mod recipes;
#[cfg(unix)]
mod resumed;
mod shards;
mod shared_evaluation;
#[cfg(unix)]
mod signals;
mod synchronized;
mod tuning;
mod version_2;

use crate::support::command::{Finished, Resnet};
use image::{Rgb, RgbImage};
use resnet::random::Random;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A network and images with steps of milliseconds.
const SMALL: &str = "--depth 20 --width 4 --image-size 16 -b 4 --workers 1";

/// Images of each class: noise around a color of its own.
fn write_images(folder: &Path, classes: &[(&str, usize)]) {
    let mut random = Random::new(classes.len() as u64, &folder.display().to_string());
    for (index, (class, count)) in classes.iter().enumerate() {
        let folder = folder.join(class);
        fs::create_dir_all(&folder).unwrap();
        let color: [usize; 3] = std::array::from_fn(|channel| 70 * ((index >> channel) & 1) + 40);
        for number in 0..*count {
            let image = RgbImage::from_fn(18, 18, |_, _| {
                Rgb(color.map(|level| (level + random.below(60)) as u8))
            });
            image.save(folder.join(format!("{number}.png"))).unwrap();
        }
    }
}

/// A folder `data` of four classes with 40 training images and 12 validation images.
fn data(folder: &Path) {
    let classes = ["a", "b", "c", "d"];
    write_images(
        &folder.join("data/train"),
        &classes.map(|class| (class, 10)),
    );
    write_images(&folder.join("data/val"), &classes.map(|class| (class, 3)));
}

/// `resnet train` with the arguments of `line`, in `folder`.
fn command(folder: &Path, line: &str) -> Resnet {
    Resnet::line(&format!("train {line}")).folder(folder)
}

/// Runs `resnet train` to its end.
fn train(folder: &Path, line: &str) -> Finished {
    command(folder, line).run()
}

/// Runs `resnet train`, which must succeed.
#[track_caller]
fn trained(folder: &Path, line: &str) -> Finished {
    let done = train(folder, line);
    assert_eq!(done.status, 0, "{line}: {}", done.stderr);
    done
}

/// The lines of JSON on stdout.
fn lines(stdout: &str) -> Vec<Value> {
    stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The steps' losses on stdout.
fn losses(stdout: &str) -> Vec<f64> {
    let steps = lines(stdout).into_iter();
    steps.filter_map(|line| line["loss"].as_f64()).collect()
}

/// The lines of JSON without the fields that depend on time.
fn timeless(stdout: &str) -> Vec<Value> {
    let mut lines = lines(stdout);
    for line in &mut lines {
        for key in ["step_ms", "images_per_second", "data_ms", "seconds"] {
            line.as_object_mut().unwrap().remove(key);
        }
    }
    lines
}

/// All files below `folder`, by their paths in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

/// All files of a run, without the minute in its report.
fn undated_files(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = files(run);
    let report = files.get_mut(&run.join("report.html")).unwrap();
    let page = String::from_utf8(std::mem::take(report)).unwrap();
    let (start, rest) = page.split_once("<time>").unwrap();
    let (_, end) = rest.split_once("</time>").unwrap();
    *report = [start, end].concat().into_bytes();
    files
}

/// `metrics.csv` without its last column, the seconds.
fn metrics(run: &Path) -> Vec<String> {
    let text = fs::read_to_string(run.join("metrics.csv")).unwrap();
    assert!(text.ends_with('\n'));
    let line = |line: &str| line.rsplit_once(',').unwrap().0.to_owned();
    text.lines().map(line).collect()
}

/// The results of a run: the files of `best/` and `last/`, and the metrics without their seconds.
fn outcome(run: &Path) -> (Vec<Vec<u8>>, Vec<String>) {
    let models = ["best", "last"].into_iter().flat_map(|which| {
        ["model.safetensors", "config.json"].map(|name| fs::read(run.join(which).join(name)))
    });
    (models.map(Result::unwrap).collect(), metrics(run))
}

/// Returns whether an unfinished file is left.
fn has_unfinished(run: &Path) -> bool {
    let is_unfinished = |path: &PathBuf| path.extension().is_some_and(|end| end == "part");
    files(run).keys().any(is_unfinished)
}
