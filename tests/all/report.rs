//! Tests of reports and plots of runs and evaluations.

mod browser;
mod files;

use crate::support::command::Resnet;
use image::{Rgb, RgbImage};
use std::fs;
use std::path::Path;

/// Names that would break out of a page or a plot if they were not escaped.
const HOSTILE: [&str; 4] = [
    "<img src=x onerror=\"document.title='owned'\">",
    "고양이 \"q\" & 'a'",
    "<script>alert(1)",
    "]]>--><b>",
];

/// A network and images that take milliseconds per step.
const SMALL: &str = "--depth 20 --width 4 --image-size 16 -b 8 --workers 1";

/// Writes images to `folder`, `count` of each class, with a color per class.
fn save_images(folder: &Path, classes: &[&str], count: u8) {
    for (number, class) in (0u8..).zip(classes) {
        let folder = folder.join(class);
        fs::create_dir_all(&folder).unwrap();
        for number_in_class in 0..count {
            let level = |place: u8| 50 * ((number >> place) & 1) + 9 * number_in_class + 3 * place;
            let color = Rgb([level(0), level(1), level(2)]);
            let path = folder.join(format!("{number_in_class} <'&\".png"));
            RgbImage::from_pixel(18, 18, color).save(path).unwrap();
        }
    }
}

/// Runs `resnet` with these arguments in `folder`, which must succeed; returns stderr.
#[track_caller]
fn ran(folder: &Path, words: &[&str]) -> String {
    let done = Resnet::new(words).folder(folder).run();
    assert_eq!(done.status, 0, "{words:?}: {}", done.stderr);
    done.stderr
}

/// Trains for `epochs` epochs on images of `classes` in `folder`, into `run`.
fn trained(folder: &Path, classes: &[&str], epochs: usize) {
    save_images(&folder.join("data/train"), classes, 4);
    save_images(&folder.join("data/val"), classes, 2);
    let line = format!("train -d data {SMALL} --epochs {epochs} -o run");
    ran(folder, &line.split(' ').collect::<Vec<_>>());
}
