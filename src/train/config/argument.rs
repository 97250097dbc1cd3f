//! The values that a setter of a recipe key takes.

use crate::train::config::key::Value;
use crate::train::config::values::{ClassWeights, ImageSize};
use std::path::Path;

/// A value of type `T`, or what stands for one: text, an edge of an image size, an array.
pub trait Argument<T> {
    /// Returns the value.
    fn into_value(self) -> T;
}

impl<T: Value> Argument<T> for T {
    fn into_value(self) -> T {
        self
    }
}

impl Argument<String> for &str {
    fn into_value(self) -> String {
        self.to_owned()
    }
}

/// The edge of squares in pixels.
impl Argument<ImageSize> for usize {
    fn into_value(self) -> ImageSize {
        ImageSize([self; 2])
    }
}

/// Height and width in pixels.
impl Argument<ImageSize> for [usize; 2] {
    fn into_value(self) -> ImageSize {
        ImageSize(self)
    }
}

/// A value for each channel.
impl<const CHANNELS: usize> Argument<Vec<f32>> for [f32; CHANNELS] {
    fn into_value(self) -> Vec<f32> {
        self.into()
    }
}

/// Epochs.
impl<const COUNT: usize> Argument<Vec<u64>> for [u64; COUNT] {
    fn into_value(self) -> Vec<u64> {
        self.into()
    }
}

/// A file of numbers.
impl Argument<ClassWeights> for &Path {
    fn into_value(self) -> ClassWeights {
        ClassWeights::File(self.to_owned())
    }
}
