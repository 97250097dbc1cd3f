//! A part of a data set: pictures in an order, each with its class.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use image::RgbImage;

use crate::data::decode::{DecodeOptions, decode_bytes, pixels, read};
use crate::data::ordered::caught;
use crate::data::turns::Turns;

/// Where the pictures of a split are.
#[derive(Debug)]
pub enum Pictures {
    /// Files, read whenever a picture is asked for.
    Files(Vec<PathBuf>),
    /// Pictures of one size in memory.
    Memory {
        /// What to call them in a message, such as `cifar10 train`.
        name: String,
        /// Height and width.
        size: [usize; 2],
        /// 3 (red, green, blue) or 1 (grey).
        channels: usize,
        /// `[pictures, height, width, channels]`, 8 bits each.
        samples: Vec<u8>,
    },
    /// A model's inputs as they are: nothing is decoded, resized or augmented.
    Inputs {
        /// Numbers in one input.
        length: usize,
        /// `[pictures, length]`.
        values: Vec<f32>,
    },
}

/// Pictures in an order, each with its class. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Split {
    pictures: Arc<Pictures>,
    /// For each example, which of the pictures it is.
    places: Arc<[u32]>,
    /// For each example, its class.
    classes: Arc<[u32]>,
}

impl Split {
    /// All `pictures` in their order, `classes` one a picture.
    ///
    /// # Panics
    /// When there are not as many classes as pictures.
    pub fn new(pictures: Pictures, classes: Vec<u32>) -> Self {
        let count = match &pictures {
            Pictures::Files(paths) => paths.len(),
            Pictures::Memory {
                size,
                channels,
                samples,
                ..
            } => samples.len() / (size[0] * size[1] * channels),
            Pictures::Inputs { length, values } => values.len() / length,
        };
        assert_eq!(count, classes.len(), "classes of {count} pictures");
        Self {
            pictures: Arc::new(pictures),
            places: (0..count as u32).collect(),
            classes: classes.into(),
        }
    }

    /// The examples at `indices`, in that order.
    ///
    /// # Panics
    /// When an index is out of range.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            pictures: Arc::clone(&self.pictures),
            places: indices.iter().map(|&index| self.places[index]).collect(),
            classes: indices.iter().map(|&index| self.classes[index]).collect(),
        }
    }

    /// `count` of the examples, evenly spread; all where there are no more.
    #[must_use]
    pub fn spread(&self, count: usize) -> Self {
        let count = count.min(self.len());
        let places: Vec<usize> = (0..count).map(|place| place * self.len() / count).collect();
        self.select(&places)
    }

    /// The same examples, class `c` becoming `classes[c]`.
    ///
    /// # Panics
    /// When a class has no new one.
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

    /// Examples.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether the pictures are files, read when they are asked for.
    pub fn is_of_files(&self) -> bool {
        self.files().is_some()
    }

    /// The files, where the pictures are such; of a selection, those of the whole.
    pub fn files(&self) -> Option<&[PathBuf]> {
        match &*self.pictures {
            Pictures::Files(paths) => Some(paths),
            _ => None,
        }
    }

    /// An example's file, where it is one.
    pub fn file(&self, index: usize) -> Option<&Path> {
        let place = self.places[index] as usize;
        self.files().map(|paths| paths[place].as_path())
    }

    /// Whether there is no example.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The class of each example.
    pub fn classes(&self) -> &[u32] {
        &self.classes
    }

    /// What to call an example: its file, or its number in the data set.
    pub fn name(&self, index: usize) -> String {
        let place = self.places[index] as usize;
        match &*self.pictures {
            Pictures::Files(paths) => paths[place].display().to_string(),
            Pictures::Memory { name, .. } => format!("{name} {place}"),
            Pictures::Inputs { .. } => format!("fake {place}"),
        }
    }

    /// The model's input where an example is one already.
    pub fn input(&self, index: usize) -> Option<&[f32]> {
        match &*self.pictures {
            Pictures::Inputs { length, values } => {
                let place = self.places[index] as usize;
                Some(&values[place * length..][..*length])
            }
            _ => None,
        }
    }

    /// The stored numbers of an example that is in memory as a picture, `[height, width, channels]`.
    pub fn samples(&self, index: usize) -> Option<&[u8]> {
        match &*self.pictures {
            Pictures::Memory {
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

    /// Decodes an example and gives it to `work`, large pictures one at a time by `turns`; grey pictures become colour.
    ///
    /// # Errors
    /// A picture that cannot be read and the errors of `work`, a panic among them, with the picture's name.
    pub fn with_picture<T>(
        &self,
        index: usize,
        options: &DecodeOptions,
        turns: &Turns,
        work: impl FnOnce(&RgbImage) -> Result<T>,
    ) -> Result<T> {
        let place = self.places[index] as usize;
        caught(|| match &*self.pictures {
            Pictures::Files(paths) => {
                let bytes = read(&paths[place])?;
                // Held until the picture's large form is gone.
                let _turn = turns.wait(pixels(&bytes));
                let image = decode_bytes(&bytes, options)?;
                drop(bytes);
                work(&image)
            }
            Pictures::Memory { size, channels, .. } => {
                let samples = self.samples(index).context("the picture is in memory")?;
                let colour = if *channels == 1 {
                    samples.iter().flat_map(|&grey| [grey; 3]).collect()
                } else {
                    samples.to_vec()
                };
                let image = RgbImage::from_raw(size[1] as u32, size[0] as u32, colour)
                    .context("a picture in memory has another size")?;
                work(&image)
            }
            Pictures::Inputs { .. } => anyhow::bail!("noise is no picture"),
        })
        .with_context(|| format!("cannot read picture `{}`", self.name(index)))
    }
}
