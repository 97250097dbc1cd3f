//! Inspection of the images of a split: which cannot be read, and a fingerprint of each that tells most of them apart.

use anyhow::Result;
use pillow_image::{detect, looks_complete};
use serde::{Deserialize, Serialize};

use crate::data::dataset::Split;
use crate::data::image::decode::{DecodeOptions, explain};
use crate::data::image::large_images::LargeImageGate;
use crate::distributed::Processes;
use crate::error::one_line;

use super::shared::shared_map;

/// The most files that look truncated and are decoded to be sure: one in this number of all images, but at least a few. Some
/// cameras append data to images, so that all of their files look truncated.
const ONE_SUSPECT_IN: usize = 200;
const FEWEST_SUSPECTS: usize = 16;

/// The thoroughness of an inspection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inspection {
    /// The beginning and the end of each file; a few that look truncated are decoded.
    Headers,
    /// Every image is decoded.
    Full,
}

/// The result of inspecting an image.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Inspected {
    /// Why it cannot be read; `None` when it can, or when nothing speaks against it.
    pub unreadable: Option<String>,
    /// Bytes of its content.
    pub length: u64,
    /// CRC-32 of the beginning and the end of its content.
    pub checksum: u32,
    /// True if the file lacks the end mark of its format.
    pub is_suspect: bool,
}

/// Inspects the images of `split` on `workers` threads, in their order, and calls `done` after each. The processes share out images in
/// files; each has those in memory.
///
/// # Errors
/// When the system gives no thread; when another process has another split, or is gone.
pub fn inspect(
    split: &Split,
    inspection: Inspection,
    decoding: DecodeOptions,
    workers: usize,
    processes: &Processes,
    done: &mut dyn FnMut(),
) -> Result<Vec<Inspected>> {
    if inspection == Inspection::Headers && split.is_slow_to_inspect() {
        (0..split.len()).for_each(|_| done());
        return Ok(vec![Inspected::default(); split.len()]);
    }
    if !split.is_of_files() {
        let images = (0..split.len()).map(|index| {
            done();
            in_memory(split, index)
        });
        return Ok(images.collect());
    }
    let decoder = Decoder::new(split, decoding);
    let look = move |index| {
        let mut image = glance(&decoder.split, index);
        if inspection == Inspection::Full && image.unreadable.is_none() {
            image.unreadable = decoder.failure(index);
        }
        Ok(image)
    };
    let mut images = Vec::with_capacity(split.len());
    shared_map(split.len(), workers, processes, look, |image| {
        images.push(image);
        done();
    })?;
    if inspection == Inspection::Headers {
        decode_suspects(&mut images, split, decoding, workers, processes)?;
    }
    Ok(images)
}

/// Returns the content of an image in memory, whole.
fn in_memory(split: &Split, index: usize) -> Inspected {
    let samples = split.samples(index).unwrap_or_default();
    Inspected {
        length: samples.len() as u64,
        checksum: crc32fast::hash(samples),
        ..Inspected::default()
    }
}

/// Looks at the beginning and the end of the file of an image.
fn glance(split: &Split, index: usize) -> Inspected {
    let unreadable = |error: &anyhow::Error| Inspected {
        unreadable: Some(one_line(error)),
        ..Inspected::default()
    };
    let (length, ends) = match split.encoded_ends(index) {
        Some(Ok(opened)) => opened,
        Some(Err(error)) => return unreadable(&error),
        None => return Inspected::default(),
    };
    match detect(&ends) {
        Ok(format) => Inspected {
            unreadable: None,
            length,
            checksum: crc32fast::hash(&ends),
            is_suspect: !looks_complete(&ends, length, format),
        },
        Err(error) => unreadable(&explain(error)),
    }
}

/// Decodes the first of the files that look truncated.
fn decode_suspects(
    images: &mut [Inspected],
    split: &Split,
    decoding: DecodeOptions,
    workers: usize,
    processes: &Processes,
) -> Result<()> {
    let most = FEWEST_SUSPECTS.max(images.len() / ONE_SUSPECT_IN);
    let suspects = images.iter().enumerate();
    let suspects = suspects.filter(|(_, image)| image.is_suspect && image.unreadable.is_none());
    let suspects: Vec<usize> = suspects.map(|(index, _)| index).take(most).collect();
    let decoder = Decoder::new(&split.select(&suspects), decoding);
    let decode = move |index| Ok(decoder.failure(index));
    let mut places = suspects.iter();
    shared_map(suspects.len(), workers, processes, decode, |failure| {
        if let Some(&index) = places.next() {
            images[index].unreadable = failure;
        }
    })
}

/// Decodes images to learn whether they can be read.
struct Decoder {
    split: Split,
    options: DecodeOptions,
    gate: LargeImageGate,
}

impl Decoder {
    fn new(split: &Split, options: DecodeOptions) -> Self {
        Self {
            split: split.clone(),
            options,
            gate: LargeImageGate::default(),
        }
    }

    /// Returns why an image cannot be read, without its name; `None` when it can.
    fn failure(&self, index: usize) -> Option<String> {
        let decoded = self
            .split
            .with_nameless(index, &self.options, &self.gate, |_| Ok(()));
        decoded.err().map(|error| one_line(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::ImageStore;
    use image::RgbImage;
    use std::fs;
    use std::path::Path;

    fn inspected(folder: &Path, names: &[&str], inspection: Inspection) -> Vec<Option<String>> {
        let paths = names.iter().map(|name| folder.join(name)).collect();
        let split = Split::new(ImageStore::Files(paths), vec![0; names.len()]);
        let mut done = 0;
        let images = inspect(
            &split,
            inspection,
            DecodeOptions::default(),
            2,
            &Processes::alone(),
            &mut || done += 1,
        );
        assert_eq!(done, names.len());
        let images = images.unwrap().into_iter();
        images.map(|image| image.unreadable).collect()
    }

    #[test]
    fn whole_images_are_readable_whatever_their_format() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["a.png", "a.jpg", "a.gif", "a.bmp", "a.tiff", "a.webp"];
        for name in names {
            let image = RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8, y as u8, 9]));
            image.save(folder.path().join(name)).unwrap();
            let whole = fs::read(folder.path().join(name)).unwrap();
            assert!(
                looks_complete(&whole, whole.len() as u64, detect(&whole).unwrap()),
                "{name}"
            );
        }
        for inspection in [Inspection::Headers, Inspection::Full] {
            let reasons = inspected(folder.path(), &names, inspection);
            assert!(reasons.iter().all(Option::is_none), "{reasons:?}");
        }
    }

    #[test]
    fn truncated_and_foreign_files_have_a_reason_each() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let noise = |x: u32, y: u32| (x * 7919 + y * 104_729) as u8;
        let image = RgbImage::from_fn(90, 90, |x, y| image::Rgb([noise(x, y), noise(y, x), 0]));
        for name in ["cut.jpg", "cut.png", "cut.webp"] {
            image.save(path(name)).unwrap();
            let whole = fs::read(path(name)).unwrap();
            fs::write(path(name), &whole[..whole.len() * 2 / 3]).unwrap();
        }
        fs::write(path("empty.png"), b"").unwrap();
        fs::write(path("page.jpg"), b"<!doctype html><p>404").unwrap();
        let names = [
            "cut.jpg",
            "cut.png",
            "cut.webp",
            "empty.png",
            "page.jpg",
            "gone.jpg",
        ];
        let expected = [
            "truncated",
            "truncated",
            "truncated",
            "the file is empty",
            "an HTML page",
            "o such file",
        ];
        for inspection in [Inspection::Headers, Inspection::Full] {
            let reasons = inspected(folder.path(), &names, inspection);
            for (reason, expected) in reasons.iter().zip(expected) {
                let reason = reason.as_deref().unwrap_or_default();
                assert!(reason.contains(expected), "{reason}: {expected}");
                assert!(!reason.contains("cannot read"), "{reason}");
            }
        }
    }

    #[test]
    fn bytes_behind_an_image_do_not_make_it_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jpg");
        RgbImage::new(20, 20).save(&path).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend([7; 5000]);
        fs::write(&path, bytes).unwrap();
        assert_eq!(
            inspected(folder.path(), &["a.jpg"], Inspection::Headers),
            [None]
        );
    }
}
