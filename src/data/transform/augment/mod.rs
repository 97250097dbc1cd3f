//! Augmentation: random changes of the training images, different in each epoch.
//!
//! The crops and `RandAugment`'s operations give the bytes of torchvision's on PIL images; each is a function of explicit
//! parameters. The parameters are drawn from a [`Random`] that depends on the image's position in the run.
//! For a model of one channel, an image is converted to gray first, as in evaluation.

pub mod affine;
pub mod crop;
pub mod enhance;
pub mod erase;
pub mod levels;
pub mod mix;
pub mod randaugment;

use anyhow::{Result, bail};
use image::RgbImage;
use pillow_image::{Image, ImageView, resize};
use serde::{Deserialize, Serialize};

use crate::data::transform::eval::EvalTransform;
use crate::error::{Limit, limit};
use crate::model::Preprocess;
use crate::random::Random;

/// The padding of [`Policy::CropFlip`] as a part of the model's size: four pixels of 32.
const PADDING: usize = 8;

/// The random crops and changes of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// As in evaluation.
    None,
    /// As in evaluation, and half of the images flipped left to right.
    Flip,
    /// As in evaluation, then padded with black (an eighth of the size on each side) and randomly cropped to the size: for
    /// small images that must not be flipped.
    Crop,
    /// [`Policy::Crop`] and a flip: for small images.
    CropFlip,
    /// A random part (area .08 to 1, ratio 3/4 to 4/3) resized to the model's size, and a flip: for photographs.
    ResizedCrop,
    /// The crop for the kind of images, a flip, then `RandAugment`: two random operations of magnitude 9.
    Randaugment,
}

/// The augmentation of a training run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Augmentation {
    /// The crops and changes.
    pub policy: Policy,
    /// True for small images: then `RandAugment` follows the padded crop, else the resized one.
    pub small: bool,
    /// The probability that a rectangle of an image is erased.
    pub erase: f64,
    /// Mixup's alpha; 0 is off.
    pub mixup: f64,
    /// `CutMix`'s alpha; 0 is off. With both on, one is chosen at random for each batch.
    pub cutmix: f64,
}

/// The limit of the probability of random erasing.
pub const ERASE_PROBABILITY: Limit = limit(|n| (0.0..=1.0).contains(&n), "from 0 (off) to 1");
/// The limit of the alpha of mixup and cutmix.
pub const ALPHA: Limit = limit(
    |n| (0.0..=1e6).contains(&n),
    "0 (off) or above, such as 0.2 or 1, and at most 1,000,000",
);

impl Augmentation {
    /// Returns an augmentation of `policy` alone.
    pub fn of(policy: Policy, small: bool) -> Self {
        Self {
            policy,
            small,
            erase: 0.0,
            mixup: 0.0,
            cutmix: 0.0,
        }
    }

    /// Rejects a probability outside 0 to 1 and an alpha below 0 or beyond a million.
    ///
    /// # Errors
    /// Wrong usage, for such a number.
    pub fn check(&self) -> Result<()> {
        ERASE_PROBABILITY.check("augment", "random-erase", self.erase)?;
        ALPHA.check("augment", "mixup", self.mixup)?;
        ALPHA.check("augment", "cutmix", self.cutmix)
    }
}

/// Preprocessing of a decoded training image for a model.
#[derive(Debug, Clone)]
pub struct TrainTransform {
    transform: EvalTransform,
    augmentation: Augmentation,
}

impl TrainTransform {
    /// Checks both and prepares the tables.
    ///
    /// # Errors
    /// Those of [`EvalTransform::new`], and a probability or an alpha out of range.
    pub fn new(preprocess: &Preprocess, augmentation: Augmentation) -> Result<Self> {
        augmentation.check()?;
        Ok(Self {
            transform: EvalTransform::new(preprocess)?,
            augmentation,
        })
    }

    /// Returns the augmentation.
    pub fn augmentation(&self) -> &Augmentation {
        &self.augmentation
    }

    /// Returns whether every epoch sees the same inputs, mixing included.
    pub fn is_deterministic(&self) -> bool {
        self.augmentation == Augmentation::of(Policy::None, self.augmentation.small)
    }

    /// Returns the number of values in one input of the model.
    pub fn input_len(&self) -> usize {
        self.transform.input_len()
    }

    /// Returns the height and width of the model's input.
    pub fn size(&self) -> [usize; 2] {
        self.transform.size()
    }

    /// Returns the number of channels of the model's input: 3 or 1.
    pub fn channels(&self) -> usize {
        self.transform.channels()
    }

    /// Augments `image` and returns the model's input, `[channels, height, width]`.
    ///
    /// # Errors
    /// When the image has no pixels.
    pub fn input(&self, image: &RgbImage, random: &mut Random) -> Result<Vec<f32>> {
        let mut input = vec![0.0; self.input_len()];
        let image = self.image(image, random)?;
        self.transform.normalize_into(&image, &mut input);
        if random.chance(self.augmentation.erase)
            && let Some(window) = erase::draw_window(self.size(), random)
        {
            erase::erase(&mut input, self.size(), window);
        }
        Ok(input)
    }

    /// Crops and changes `image`, and returns it at the model's size and in its channels.
    ///
    /// # Errors
    /// When the image has no pixels.
    pub fn image(&self, image: &RgbImage, random: &mut Random) -> Result<Image> {
        let Augmentation { policy, small, .. } = self.augmentation;
        let mut augmented = match policy {
            Policy::None | Policy::Flip => self.transform.apply(image)?,
            Policy::Randaugment if !small => self.resized_crop(image, random)?,
            Policy::ResizedCrop => self.resized_crop(image, random)?,
            Policy::Crop | Policy::CropFlip | Policy::Randaugment => {
                let padding = self.size().map(|edge| edge / PADDING);
                let start = crop::draw_start(padding, random);
                crop::padded_crop(&self.transform.apply(image)?, padding, start)
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

    /// Returns a random part of `image` at the model's size.
    fn resized_crop(&self, image: &RgbImage, random: &mut Random) -> Result<Image> {
        let size = [image.height() as usize, image.width() as usize];
        if size.contains(&0) {
            bail!("the image has {}x{} pixels", size[0], size[1]);
        }
        let part = ImageView::from(image).crop(crop::draw_window(size, random));
        let part = self.transform.in_channels(part);
        Ok(resize(&part, self.size(), self.transform.filter()))
    }
}

/// Returns an image of one channel whose samples are numbered from 1, row by row.
#[cfg(test)]
fn numbered(size: [usize; 2]) -> Image {
    let samples = (0..size[0] * size[1]).map(|at| at as u8 + 1).collect();
    Image::new(size, 1, samples)
}
