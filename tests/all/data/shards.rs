//! Tests of datasets in shards: tar files, parquet files and the hub.

mod fetched;
mod indexes;
mod tables;
mod tars;

use std::fs;
use std::path::Path;

use crate::support::command::Resnet;
use image::RgbImage;
use resnet::data::DecodeOptions;
use resnet::data::dataset::{Dataset, DatasetName, Split, open};
use resnet::data::image::large_images::LargeImageGate;
use resnet::error::hint_of;
use resnet::hub::Silent;

/// Returns the dataset, without an index in the cache folder of the user.
fn opened(written: &str) -> anyhow::Result<Dataset> {
    open(&DatasetName::parse(written)?, written, &Silent)
}

/// Returns the whole message and its hint.
#[track_caller]
fn failure(written: &str) -> (String, String) {
    let error = opened(written).expect_err("an error");
    let hint = hint_of(&error).map_or(String::new(), ToString::to_string);
    (format!("{error:#}"), hint)
}

/// Returns a PNG of one color, which tells it from others.
fn png(level: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let image = RgbImage::from_pixel(9, 8, image::Rgb([level, 0, 255 - level]));
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Returns the level of each image, or the error in reading it.
fn levels(split: &Split) -> Vec<Result<u8, String>> {
    let (options, gate) = (DecodeOptions::default(), LargeImageGate::default());
    let level =
        |index| split.with_image(index, &options, &gate, |image| Ok(image.get_pixel(3, 3)[0]));
    (0..split.len())
        .map(|index| level(index).map_err(|error| format!("{error:#}")))
        .collect()
}

/// A run that inspects the dataset, with this folder of caches.
fn check(home: &Path, data: &str) -> Resnet {
    Resnet::line(&format!("train -d {data} --check --format json")).env("HF_HOME", home)
}

fn train(data: &Dataset) -> &Split {
    data.train.as_ref().unwrap()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

fn notes(data: &Dataset) -> Vec<String> {
    data.notes.iter().map(ToString::to_string).collect()
}
