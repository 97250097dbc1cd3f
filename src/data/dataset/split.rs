//! A split of a dataset: images in an order, each with its class.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use image::RgbImage;

use super::file_ends::ends_of;
#[cfg(feature = "datasets")]
use super::shards::store::ShardStore;
use crate::data::image::decode::{DecodeOptions, decode_bytes, pixels, read};
use crate::data::image::large_images::LargeImageGate;
use crate::data::panic::catch_panic;

/// The source of the images of a split.
#[derive(Debug)]
pub enum ImageStore {
    /// Files, which are read whenever an image is used.
    Files(Vec<PathBuf>),
    /// Files in shards, which are read whenever an image is used.
    #[cfg(feature = "datasets")]
    Shards(ShardStore),
    /// Images of one size in memory.
    Memory {
        /// Their name in messages, such as `cifar10 train`.
        name: String,
        /// Height and width.
        size: [usize; 2],
        /// 3 (red, green, blue) or 1 (gray).
        channels: usize,
        /// `[images, height, width, channels]`, 8 bits each.
        samples: Vec<u8>,
    },
    /// Inputs of a model, which are not decoded, resized or augmented.
    Inputs {
        /// Values per input.
        length: usize,
        /// `[images, length]`.
        values: Vec<f32>,
    },
}

/// Images in an order, each with its class. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Split {
    images: Arc<ImageStore>,
    /// The image of each example.
    places: Arc<[u32]>,
    /// The class of each example.
    classes: Arc<[u32]>,
}

impl Split {
    /// Creates a split of all `images` in their order, with one class per image.
    ///
    /// # Panics
    /// When the numbers of classes and images differ.
    pub fn new(images: ImageStore, classes: Vec<u32>) -> Self {
        let count = match &images {
            ImageStore::Files(paths) => paths.len(),
            #[cfg(feature = "datasets")]
            ImageStore::Shards(store) => store.count(),
            ImageStore::Memory {
                size,
                channels,
                samples,
                ..
            } => samples.len() / (size[0] * size[1] * channels),
            ImageStore::Inputs { length, values } => values.len() / length,
        };
        assert_eq!(count, classes.len(), "classes of {count} images");
        Self {
            images: Arc::new(images),
            places: (0..count as u32).collect(),
            classes: classes.into(),
        }
    }

    /// Returns the examples at `indices`, in that order.
    ///
    /// # Panics
    /// When an index is out of range.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            images: Arc::clone(&self.images),
            places: indices.iter().map(|&index| self.places[index]).collect(),
            classes: indices.iter().map(|&index| self.classes[index]).collect(),
        }
    }

    /// Returns `count` of the examples, evenly spaced; all when there are no more.
    #[must_use]
    pub fn spread(&self, count: usize) -> Self {
        let count = count.min(self.len());
        let places: Vec<usize> = (0..count).map(|place| place * self.len() / count).collect();
        self.select(&places)
    }

    /// Returns the same examples with class `classes[c]` in place of `c`.
    ///
    /// # Panics
    /// When a class is out of range of `classes`.
    #[must_use]
    pub fn with_classes(&self, classes: &[u32]) -> Self {
        Self {
            classes: self
                .classes
                .iter()
                .map(|&class| classes[class as usize])
                .collect(),
            ..self.clone()
        }
    }

    /// Returns the number of examples.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns whether the images are files, alone or in shards, which are read when they are used.
    pub fn is_of_files(&self) -> bool {
        match &*self.images {
            ImageStore::Files(_) => true,
            #[cfg(feature = "datasets")]
            ImageStore::Shards(_) => true,
            _ => false,
        }
    }

    /// Returns whether the images are in shards whose names do not tell that they are for training.
    pub(crate) fn is_of_shards_without_split(&self) -> bool {
        match &*self.images {
            #[cfg(feature = "datasets")]
            ImageStore::Shards(store) => !store.has_split_names(),
            _ => false,
        }
    }

    /// Returns whether looking at each image would take long.
    pub(in crate::data) fn is_slow_to_inspect(&self) -> bool {
        match &*self.images {
            #[cfg(feature = "datasets")]
            ImageStore::Shards(store) => store.is_slow_to_inspect(),
            _ => false,
        }
    }

    /// Returns the shards of the images, if they are in shards.
    #[cfg(feature = "datasets")]
    pub(crate) fn shards(&self) -> Option<&ShardStore> {
        match &*self.images {
            ImageStore::Shards(store) => Some(store),
            _ => None,
        }
    }

    /// Returns the number of the image of an example in its store.
    #[cfg(feature = "datasets")]
    pub(super) fn place(&self, index: usize) -> usize {
        self.places[index] as usize
    }

    /// Returns the length of the file of an example, 0 in a table, which does not tell it; `None` without a file.
    pub(in crate::data) fn encoded_length(&self, index: usize) -> Option<u64> {
        let place = self.places[index] as usize;
        match &*self.images {
            ImageStore::Files(paths) => Some(std::fs::metadata(&paths[place]).ok()?.len()),
            #[cfg(feature = "datasets")]
            ImageStore::Shards(store) => Some(store.length(place)),
            _ => None,
        }
    }

    /// Reads the file of an example; `None` for images in memory.
    pub(in crate::data) fn encoded(&self, index: usize) -> Option<Result<Vec<u8>>> {
        let place = self.places[index] as usize;
        match &*self.images {
            ImageStore::Files(paths) => Some(read(&paths[place])),
            #[cfg(feature = "datasets")]
            ImageStore::Shards(store) => Some(store.read(place)),
            _ => None,
        }
    }

    /// Reads the length, the beginning and the end of the file of an example; `None` for images in memory.
    pub(in crate::data) fn encoded_ends(&self, index: usize) -> Option<Result<(u64, Vec<u8>)>> {
        let place = self.places[index] as usize;
        match &*self.images {
            ImageStore::Files(paths) => Some(ends_of(&paths[place]).map_err(Into::into)),
            #[cfg(feature = "datasets")]
            ImageStore::Shards(store) => Some(store.ends(place)),
            _ => None,
        }
    }

    /// Returns all files, also those of examples that a selection leaves out; `None` when images are in memory.
    pub fn files(&self) -> Option<&[PathBuf]> {
        match &*self.images {
            ImageStore::Files(paths) => Some(paths),
            _ => None,
        }
    }

    /// Returns the file of an example; `None` when images are in memory.
    pub fn file(&self, index: usize) -> Option<&Path> {
        let place = self.places[index] as usize;
        self.files().map(|paths| paths[place].as_path())
    }

    /// Returns whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns the class of each example.
    pub fn classes(&self) -> &[u32] {
        &self.classes
    }

    /// Returns the name of an example: its file, the place in its shard, or its number in the dataset.
    pub fn name(&self, index: usize) -> String {
        let place = self.places[index] as usize;
        match &*self.images {
            ImageStore::Files(paths) => paths[place].display().to_string(),
            #[cfg(feature = "datasets")]
            ImageStore::Shards(store) => store.name(place),
            ImageStore::Memory { name, .. } => format!("{name} {place}"),
            ImageStore::Inputs { .. } => format!("fake {place}"),
        }
    }

    /// Returns the model's input when an example is one already.
    pub fn input(&self, index: usize) -> Option<&[f32]> {
        match &*self.images {
            ImageStore::Inputs { length, values } => {
                let place = self.places[index] as usize;
                Some(&values[place * length..][..*length])
            }
            _ => None,
        }
    }

    /// Returns the samples of an image in memory, `[height, width, channels]`; `None` for files and inputs.
    pub fn samples(&self, index: usize) -> Option<&[u8]> {
        match &*self.images {
            ImageStore::Memory {
                size,
                channels,
                samples,
                ..
            } => {
                let length = size[0] * size[1] * channels;
                let place = self.places[index] as usize;
                Some(&samples[place * length..][..length])
            }
            _ => None,
        }
    }

    /// Decodes an example and calls `work` with it, for large images one at a time by `gate`; gray images become color.
    ///
    /// # Errors
    /// When the image cannot be read, and those of `work`, with the name of the image; a panic is an error, too.
    pub fn with_image<T>(
        &self,
        index: usize,
        options: &DecodeOptions,
        gate: &LargeImageGate,
        work: impl FnOnce(&RgbImage) -> Result<T>,
    ) -> Result<T> {
        self.with_nameless(index, options, gate, work)
            .with_context(|| format!("cannot read image `{}`", self.name(index)))
    }

    /// Returns whether an example can be read.
    pub(crate) fn is_readable(&self, index: usize, options: &DecodeOptions) -> bool {
        let gate = LargeImageGate::default();
        self.input(index).is_some()
            || self
                .with_nameless(index, options, &gate, |_| Ok(()))
                .is_ok()
    }

    /// Like [`Split::with_image`], without the name of the image in errors.
    pub(crate) fn with_nameless<T>(
        &self,
        index: usize,
        options: &DecodeOptions,
        gate: &LargeImageGate,
        work: impl FnOnce(&RgbImage) -> Result<T>,
    ) -> Result<T> {
        catch_panic(|| {
            if let Some(bytes) = self.encoded(index) {
                let bytes = bytes?;
                // Held until the decoded image is dropped.
                let _guard = gate.wait(pixels(&bytes));
                let image = decode_bytes(&bytes, options)?;
                drop(bytes);
                return work(&image);
            }
            match &*self.images {
                ImageStore::Memory { size, channels, .. } => {
                    let samples = self.samples(index).context("the image is in memory")?;
                    let color = if *channels == 1 {
                        samples.iter().flat_map(|&gray| [gray; 3]).collect()
                    } else {
                        samples.to_vec()
                    };
                    let image = RgbImage::from_raw(size[1] as u32, size[0] as u32, color)
                        .context("an image in memory has another size")?;
                    work(&image)
                }
                _ => anyhow::bail!("random numbers are not an image"),
            }
        })
    }
}
