//! The fixtures: files, and the pixels that Pillow decodes or resizes them to.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pillow_image::Image;
use safetensors::SafeTensors;

/// Pixels by Pillow, `[height, width, channels]`.
pub struct Pixels {
    shape: Vec<usize>,
    samples: Vec<u8>,
}

/// Returns the path of a fixture.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// Returns the images of a safetensors file by name.
pub fn pixels(name: &str) -> Result<HashMap<String, Pixels>> {
    let bytes = std::fs::read(path(name))?;
    let tensors = SafeTensors::deserialize(&bytes)?;
    let pixels = tensors.iter().map(|(name, view)| {
        let (shape, samples) = (view.shape().to_vec(), view.data().to_vec());
        (name.to_owned(), Pixels { shape, samples })
    });
    Ok(pixels.collect())
}

/// Returns the names and contents of the files in a folder, sorted.
pub fn files(folder: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path(folder))? {
        let entry = entry?;
        let name = entry.file_name().into_string().ok();
        let name = name.context("a name in UTF-8")?;
        files.push((name, std::fs::read(entry.path())?));
    }
    files.sort();
    Ok(files)
}

/// Fails with the first sample that differs.
pub fn assert_same_pixels(case: &str, actual: &Image, expected: &Pixels) {
    if let Some(difference) = difference(actual, expected) {
        panic!("{case}: {difference}");
    }
}

/// Returns the first sample that differs, in words.
pub fn difference(actual: &Image, expected: &Pixels) -> Option<String> {
    let ([height, width], channels) = (actual.size(), actual.channels());
    if [height, width, channels] != expected.shape[..] {
        let shape = [height, width, channels];
        return Some(format!("{shape:?} instead of {:?}", expected.shape));
    }
    let mut pairs = actual.samples().iter().zip(&expected.samples);
    let at = pairs.position(|(a, b)| a != b)?;
    let (row, column) = (at / channels / width, at / channels % width);
    let [actual, expected] = [actual.samples()[at], expected.samples[at]];
    Some(format!(
        "row {row}, column {column}: {actual} instead of {expected}"
    ))
}
