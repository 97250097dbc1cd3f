//! What a model expects of its pictures, as plain data: size, crop, interpolation, mean and deviation.
//!
//! The names and the defaults are timm's (`pretrained_cfg`). The work itself is in [`crate::data`].

use serde::{Deserialize, Serialize};

/// `ImageNet`'s mean of the red, green and blue channel, pictures scaled to 0..=1.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// `ImageNet`'s standard deviation of the red, green and blue channel, pictures scaled to 0..=1.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// The filter of a resize, as Pillow defines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// Triangle filter, support 1 (widened on reduction).
    Bilinear,
    /// Keys' cubic with a = -0.5, support 2 (widened on reduction).
    Bicubic,
}

/// How a picture of any shape becomes one of the model's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CropMode {
    /// The short edge is resized to `size / crop_pct`, then the centre is cut out.
    Center,
    /// Both edges are resized to `size / crop_pct` (the aspect ratio is lost), then the centre is cut out.
    Squash,
    /// The long edge is resized to `size / crop_pct`, the rest is padded with the mean colour.
    Border,
}

/// A model's preprocessing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preprocess {
    /// Height and width of the model's input, in pixels.
    pub size: [usize; 2],
    /// The part of the resized picture that the crop keeps, in (0, 1].
    pub crop_pct: f64,
    /// How the picture's shape becomes the input's.
    pub crop_mode: CropMode,
    /// The filter of the resize.
    pub interpolation: Interpolation,
    /// Subtracted from each channel scaled to 0..=1; one value a channel of the model.
    pub mean: Vec<f32>,
    /// Divides each channel after the mean was subtracted; one value a channel of the model.
    pub std: Vec<f32>,
    /// timm's `test_input_size` (height, width), where it differs from `size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_size: Option<[usize; 2]>,
    /// timm's `test_crop_pct`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_crop_pct: Option<f64>,
    /// Whether a picture is turned as its EXIF orientation says.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub exif: bool,
}

/// What is done where nothing is said of it.
fn yes() -> bool {
    true
}

impl Default for Preprocess {
    /// `ImageNet`'s: 224 px, bilinear, crop .875, centre (torchvision's first weights).
    fn default() -> Self {
        Self {
            size: [224, 224],
            crop_pct: 0.875,
            crop_mode: CropMode::Center,
            interpolation: Interpolation::Bilinear,
            mean: IMAGENET_MEAN.to_vec(),
            std: IMAGENET_STD.to_vec(),
            test_size: None,
            test_crop_pct: None,
            exif: true,
        }
    }
}

impl Preprocess {
    /// More than any mean or deviation of pictures scaled to 0..=1: larger numbers are meant for levels of 0 to 255.
    pub const LARGEST_LEVEL: f32 = 10.0;

    /// The same with the size and crop that timm's validation uses, where they are given.
    #[must_use]
    pub fn at_test_size(mut self) -> Self {
        self.size = self.test_size.take().unwrap_or(self.size);
        self.crop_pct = self.test_crop_pct.take().unwrap_or(self.crop_pct);
        self
    }
}
