//! Preprocessing that a model expects, as plain data: size, crop, interpolation, mean and std.
//!
//! The names and the defaults are timm's (`pretrained_cfg`). The work itself is in [`crate::data`].

use serde::{Deserialize, Serialize};

/// `ImageNet`'s mean of the red, green and blue channel, with images scaled to 0..=1.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// `ImageNet`'s standard deviation of the red, green and blue channel, with images scaled to 0..=1.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// The filter of a resize, as Pillow defines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// Triangle filter, support 1 (widened when downscaling).
    Bilinear,
    /// Keys' cubic with a = -0.5, support 2 (widened when downscaling).
    Bicubic,
}

/// The way in which an image of any shape is brought to the model's input shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CropMode {
    /// The short edge is resized to `size / crop_pct`, then the center is cropped.
    Center,
    /// Both edges are resized to `size / crop_pct` (the aspect ratio is lost), then the center is cropped.
    Squash,
    /// The long edge is resized to `size / crop_pct`, the rest is padded with the mean color.
    Border,
}

/// A model's preprocessing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preprocess {
    /// Height and width of the model's input, in pixels.
    pub size: [usize; 2],
    /// Fraction of the resized image that the crop keeps, in (0, 1].
    pub crop_pct: f64,
    /// Crop mode.
    pub crop_mode: CropMode,
    /// Filter of the resize.
    pub interpolation: Interpolation,
    /// Subtracted from each channel scaled to 0..=1; one value per input channel of the model.
    pub mean: Vec<f32>,
    /// Divides each channel after the mean is subtracted; one value per input channel of the model.
    pub std: Vec<f32>,
    /// timm's `test_input_size` (height, width), if it differs from `size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_size: Option<[usize; 2]>,
    /// timm's `test_crop_pct`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_crop_pct: Option<f64>,
    /// True if images are rotated according to their EXIF orientation.
    #[serde(default = "default_exif", skip_serializing_if = "Clone::clone")]
    pub exif: bool,
}

/// Returns the default of `exif`.
fn default_exif() -> bool {
    true
}

impl Default for Preprocess {
    /// Returns `ImageNet`'s preprocessing: 224 px, bilinear, crop 0.875, center (torchvision's first weights).
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
    /// Upper bound of a mean or std of images scaled to 0..=1: larger numbers are meant for values from 0 to 255.
    pub const LARGEST_LEVEL: f32 = 10.0;

    /// Returns the same preprocessing with the size and crop of timm's validation, if given.
    #[must_use]
    pub fn at_test_size(mut self) -> Self {
        self.size = self.test_size.take().unwrap_or(self.size);
        self.crop_pct = self.test_crop_pct.take().unwrap_or(self.crop_pct);
        self
    }
}
