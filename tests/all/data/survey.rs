//! The inspection of a dataset: [`check`], by `resnet train --check`, and what a [`run`] prints of its data at its start.

mod check;
mod run;
mod shared;

use crate::support::command::{Finished, Resnet};
use image::{Rgb, RgbImage};
use std::fs;
use std::path::Path;

/// Writes an image that depends on `seed` alone.
fn write_image(path: &Path, seed: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let noise = |x: u32, y: u32| (x * 31 + y * 17 + seed * 101 + x * y * (seed + 1)) as u8;
    let image = RgbImage::from_fn(24, 24, |x, y| Rgb([noise(x, y), noise(y, x), seed as u8]));
    image.save(path).unwrap();
}

/// Two classes in `train/` (6 and 4 images) and `val/` (2 and 2), all of them different.
fn clean(folder: &Path) {
    for (number, (class, file)) in [("cat", 6), ("dog", 4)]
        .iter()
        .flat_map(|&(class, count)| (0..count).map(move |file| (class, file)))
        .enumerate()
    {
        let path = folder.join(format!("photos/train/{class}/{file}.png"));
        write_image(&path, number as u32);
    }
    for (number, (class, file)) in [("cat", 0), ("cat", 1), ("dog", 0), ("dog", 1)]
        .into_iter()
        .enumerate()
    {
        let path = folder.join(format!("photos/val/{class}/{file}.png"));
        write_image(&path, 50 + number as u32);
    }
}

/// The clean folder with an image in both splits, one in two classes, one twice in a class, and two unreadable ones.
fn flawed(folder: &Path) {
    clean(folder);
    let photos = folder.join("photos");
    let copy = |from: &str, to: &str| {
        fs::copy(photos.join(from), photos.join(to)).unwrap();
    };
    copy("train/cat/0.png", "val/cat/leak.png");
    copy("train/cat/1.png", "train/dog/wrong.png");
    copy("train/dog/2.png", "train/dog/again.png");
    fs::write(photos.join("train/cat/page.jpg"), "<html>404</html>").unwrap();
    let whole = fs::read(photos.join("train/dog/0.png")).unwrap();
    fs::write(photos.join("val/dog/cut.png"), &whole[..whole.len() / 2]).unwrap();
}

fn check(folder: &Path, arguments: &str) -> Finished {
    let line = format!("train -d photos --check {arguments}");
    Resnet::line(&line).folder(folder).run()
}

const SMALL: &str = "--depth 20 --width 8 --image-size 24 --epochs 1 --batch-size 8";

fn train(folder: &Path, arguments: &str) -> Finished {
    let line = format!("train -d photos {SMALL} {arguments}");
    Resnet::line(&line).folder(folder).run()
}
