//! `RandAugment`: Practical automated data augmentation with a reduced search space,
//! <https://arxiv.org/abs/1909.13719>, with torchvision's operations and magnitudes.

use super::{affine, enhance, levels};
use crate::random::Random;
use pillow_image::Image;

/// Operations per image.
const OPERATIONS: usize = 2;
/// The magnitude of each operation, of [`BINS`].
const MAGNITUDE: usize = 9;
/// The number of magnitudes.
pub const BINS: usize = 31;

/// An operation on an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// No change.
    Identity,
    /// [`affine::shear_x`].
    ShearX,
    /// [`affine::shear_y`].
    ShearY,
    /// [`affine::translate_x`].
    TranslateX,
    /// [`affine::translate_y`].
    TranslateY,
    /// [`affine::rotate`].
    Rotate,
    /// [`enhance::brightness`].
    Brightness,
    /// [`enhance::color`].
    Color,
    /// [`enhance::contrast`].
    Contrast,
    /// [`enhance::sharpness`].
    Sharpness,
    /// [`levels::posterize`].
    Posterize,
    /// [`levels::solarize`].
    Solarize,
    /// [`levels::autocontrast`].
    AutoContrast,
    /// [`levels::equalize`].
    Equalize,
}

impl Operation {
    /// All operations, which are equally likely.
    pub const ALL: [Self; 14] = [
        Self::Identity,
        Self::ShearX,
        Self::ShearY,
        Self::TranslateX,
        Self::TranslateY,
        Self::Rotate,
        Self::Brightness,
        Self::Color,
        Self::Contrast,
        Self::Sharpness,
        Self::Posterize,
        Self::Solarize,
        Self::AutoContrast,
        Self::Equalize,
    ];

    /// Returns the magnitude number `bin` (below [`BINS`]) for an image of height and width `size`: a slope, pixels, degrees, a
    /// factor's distance from 1, bits, or a threshold. 0 for operations without a magnitude.
    pub fn magnitude(self, bin: usize, [height, width]: [usize; 2]) -> f64 {
        let shift = |edge: usize| 150.0 / 331.0 * edge as f64;
        match self {
            Self::Identity | Self::AutoContrast | Self::Equalize => 0.0,
            Self::ShearX | Self::ShearY => spaced(0.0, 0.3, bin),
            Self::TranslateX => spaced(0.0, shift(width), bin),
            Self::TranslateY => spaced(0.0, shift(height), bin),
            Self::Rotate => spaced(0.0, 30.0, bin),
            Self::Brightness | Self::Color | Self::Contrast | Self::Sharpness => {
                spaced(0.0, 0.9, bin)
            }
            Self::Posterize => 8.0 - (bin as f64 / ((BINS - 1) as f64 / 4.0)).round_ties_even(),
            Self::Solarize => spaced(255.0, 0.0, bin),
        }
    }

    /// Returns whether the magnitude may be negative, too.
    pub fn is_signed(self) -> bool {
        !matches!(
            self,
            Self::Identity | Self::Posterize | Self::Solarize | Self::AutoContrast | Self::Equalize
        )
    }

    /// Changes `image` by `magnitude`.
    pub fn apply(self, mut image: Image, magnitude: f64) -> Image {
        match self {
            Self::Identity => {}
            Self::ShearX => return affine::shear_x(&image, magnitude),
            Self::ShearY => return affine::shear_y(&image, magnitude),
            Self::TranslateX => return affine::translate_x(&image, magnitude),
            Self::TranslateY => return affine::translate_y(&image, magnitude),
            Self::Rotate => return affine::rotate(&image, magnitude),
            Self::Brightness => enhance::brightness(&mut image, 1.0 + magnitude),
            Self::Color => enhance::color(&mut image, 1.0 + magnitude),
            Self::Contrast => enhance::contrast(&mut image, 1.0 + magnitude),
            Self::Sharpness => enhance::sharpness(&mut image, 1.0 + magnitude),
            Self::Posterize => levels::posterize(&mut image, magnitude as u32),
            Self::Solarize => levels::solarize(&mut image, magnitude),
            Self::AutoContrast => levels::autocontrast(&mut image),
            Self::Equalize => levels::equalize(&mut image),
        }
        image
    }
}

/// Applies two random operations of magnitude 9 of 31 to `image`.
pub fn randaugment(image: Image, random: &mut Random) -> Image {
    let size = image.size();
    (0..OPERATIONS).fold(image, |image, _| {
        let operation = Operation::ALL[random.below(Operation::ALL.len())];
        let magnitude = operation.magnitude(MAGNITUDE, size);
        let negative = operation.is_signed() && random.chance(0.5);
        operation.apply(image, if negative { -magnitude } else { magnitude })
    })
}

/// Returns number `bin` of [`BINS`] evenly spaced from `start` to `end`: `torch.linspace` in f32, which counts from the nearer
/// end and rounds once.
fn spaced(start: f64, end: f64, bin: usize) -> f64 {
    let (start, end) = (start as f32, end as f32);
    let step = (end - start) / (BINS - 1) as f32;
    f64::from(if bin < BINS / 2 {
        step.mul_add(bin as f32, start)
    } else {
        (-step).mul_add((BINS - 1 - bin) as f32, end)
    })
}
