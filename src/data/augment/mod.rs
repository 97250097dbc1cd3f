//! Augmentation: what training does to a picture so that no epoch sees the same one twice.
//!
//! The crops and `RandAugment`'s operations give torchvision's bytes on PIL images; each is a function of explicit
//! parameters. What they are given is drawn from a [`Random`] that is a function of the picture's place in the run.
//! A model of one channel reads grey pictures: a picture becomes grey before anything else, as for evaluation.

pub mod affine;
pub mod crop;
pub mod enhance;
pub mod erase;
pub mod levels;
pub mod mix;
pub mod randaugment;

use anyhow::{Result, bail};
use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::picture::Picture;
use super::resize::{cut, resize};
use super::transform::Transform;
use crate::error::misuse;
use crate::model::Preprocess;
use crate::random::Random;

/// The part of the model's size by which [`Policy::CropFlip`] pads: four pixels of 32.
const PADDING: usize = 8;

/// How pictures are cropped and changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// As for evaluation.
    None,
    /// As for evaluation, and half of the pictures turned left to right.
    Flip,
    /// As for evaluation, then black around it (an eighth of the size on each side) and a random crop of the size: for small
    /// pictures that mean something else when they are mirrored.
    Crop,
    /// [`Policy::Crop`] and a flip: for small pictures.
    CropFlip,
    /// A random part (area .08 to 1, ratio 3/4 to 4/3) resized to the model's size, and a flip: for photographs.
    ResizedCrop,
    /// The crop that suits the pictures, a flip, then `RandAugment`: two random operations of magnitude 9.
    Randaugment,
}

/// What is done to the pictures of a training run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Augmentation {
    /// Crops and changes.
    pub policy: Policy,
    /// Whether the pictures are small: `RandAugment` then goes with the padded crop, else with the resized one.
    pub small: bool,
    /// The probability that a rectangle of a picture is erased.
    pub erase: f64,
    /// Mixup's alpha; 0 is off.
    pub mixup: f64,
    /// `CutMix`'s alpha; 0 is off. With both on, a coin chooses for each batch.
    pub cutmix: f64,
}

impl Augmentation {
    /// `policy` alone.
    pub fn of(policy: Policy, small: bool) -> Self {
        Self {
            policy,
            small,
            erase: 0.0,
            mixup: 0.0,
            cutmix: 0.0,
        }
    }

    /// Refuses a probability outside 0 to 1 and an alpha below 0 or beyond a million.
    ///
    /// # Errors
    /// Misuse: such a number.
    pub fn check(&self) -> Result<()> {
        if !(0.0..=1.0).contains(&self.erase) {
            return Err(misuse(
                format!("the probability of random erasing cannot be {}", self.erase),
                "give a number from 0 (off) to 1",
            ));
        }
        for (name, alpha) in [("mixup", self.mixup), ("cutmix", self.cutmix)] {
            if !(0.0..=1e6).contains(&alpha) {
                return Err(misuse(
                    format!("the alpha of {name} cannot be {alpha}"),
                    "give 0 (off) or a number above it, such as 0.2 or 1, at most 1000000",
                ));
            }
        }
        Ok(())
    }
}

/// From a decoded picture to a model's input for training.
#[derive(Debug, Clone)]
pub struct TrainTransform {
    transform: Transform,
    augmentation: Augmentation,
}

impl TrainTransform {
    /// Checks both and prepares the tables.
    ///
    /// # Errors
    /// As [`Transform::new`], a probability outside 0 to 1, and an alpha below 0.
    pub fn new(preprocess: &Preprocess, augmentation: Augmentation) -> Result<Self> {
        augmentation.check()?;
        Ok(Self {
            transform: Transform::new(preprocess)?,
            augmentation,
        })
    }

    /// What is done to the pictures.
    pub fn augmentation(&self) -> &Augmentation {
        &self.augmentation
    }

    /// Whether every epoch sees the same inputs, mixing included.
    pub fn is_deterministic(&self) -> bool {
        self.augmentation == Augmentation::of(Policy::None, self.augmentation.small)
    }

    /// Numbers in one picture of the model's input.
    pub fn input_len(&self) -> usize {
        self.transform.input_len()
    }

    /// Height and width of the model's input.
    pub fn size(&self) -> [usize; 2] {
        self.transform.size()
    }

    /// Channels of the model's input: 3 or 1.
    pub fn channels(&self) -> usize {
        self.transform.channels()
    }

    /// `picture` augmented, as the model's input `[channels, height, width]`.
    ///
    /// # Errors
    /// A picture without pixels.
    pub fn input(&self, picture: &RgbImage, random: &mut Random) -> Result<Vec<f32>> {
        let mut input = vec![0.0; self.input_len()];
        let picture = self.picture(picture, random)?;
        self.transform.normalise_into(&picture, &mut input);
        if random.chance(self.augmentation.erase)
            && let Some(window) = erase::draw_window(self.size(), random)
        {
            erase::erase(&mut input, self.size(), window);
        }
        Ok(input)
    }

    /// `picture` cropped and changed, at the model's size and in its channels.
    ///
    /// # Errors
    /// A picture without pixels.
    pub fn picture(&self, picture: &RgbImage, random: &mut Random) -> Result<Picture> {
        let Augmentation { policy, small, .. } = self.augmentation;
        let mut augmented = match policy {
            Policy::None | Policy::Flip => self.transform.apply(picture)?,
            Policy::Randaugment if !small => self.resized_crop(picture, random)?,
            Policy::ResizedCrop => self.resized_crop(picture, random)?,
            Policy::Crop | Policy::CropFlip | Policy::Randaugment => {
                let padding = self.size().map(|edge| edge / PADDING);
                let start = crop::draw_start(padding, random);
                crop::padded_crop(&self.transform.apply(picture)?, padding, start)
            }
        };
        let is_mirrored = !matches!(policy, Policy::None | Policy::Crop);
        if is_mirrored && random.chance(0.5) {
            crop::flip(&mut augmented);
        }
        if policy == Policy::Randaugment {
            augmented = randaugment::randaugment(augmented, random);
        }
        Ok(augmented)
    }

    /// A random part of `picture` at the model's size.
    fn resized_crop(&self, picture: &RgbImage, random: &mut Random) -> Result<Picture> {
        let size = [picture.height() as usize, picture.width() as usize];
        if size.contains(&0) {
            bail!("the picture has {}x{} pixels", size[0], size[1]);
        }
        let part = cut(picture.into(), crop::draw_window(size, random));
        let part = self.transform.in_channels(part);
        Ok(resize(&part, self.size(), self.transform.interpolation()))
    }
}
