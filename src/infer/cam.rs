//! Class activation maps: Grad-CAM (<https://arxiv.org/abs/1610.02391>) at the last stage before its ReLU.
//!
//! Between the last feature map `A` `[C, h, w]` and the logit of class `c` there are only the mean over the pixels and
//! one linear layer `W`, so the gradient of the logit is `W[c, k] / (h w)` at every pixel of channel `k`, and so is its
//! mean over them, the weight that Grad-CAM gives the channel. The map is `sum_k W[c, k] A_k / (h w)`: no backward pass
//! is needed. The sum of its pixels plus the bias of the class is the logit.

use crate::model::top_class;
use candle_core::{Result, bail};

/// The target class of a class activation map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CamTarget {
    /// The class of each image's largest logit, the first of equal ones.
    Top,
    /// One class for all images.
    Class(usize),
}

/// A class activation map: the contribution of each pixel of the last feature map to a class; evidence against it is
/// negative.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassActivationMap {
    /// Index of the class.
    pub class: usize,
    /// Height and width of the last feature map.
    pub size: [usize; 2],
    /// Values, `[height, width]`.
    pub values: Vec<f64>,
}

impl CamTarget {
    /// Returns the class for an image with these logits.
    ///
    /// # Errors
    /// If the model does not have the class.
    pub(super) fn class(self, logits: &[f64]) -> Result<usize> {
        match self {
            Self::Top => Ok(top_class(logits)),
            Self::Class(class) if class < logits.len() => Ok(class),
            Self::Class(class) => bail!("there is no class {class} among {}", logits.len()),
        }
    }
}

impl ClassActivationMap {
    /// Creates the map of `class` from its `scores` `[height, width]`, the classifier applied to each pixel.
    pub(super) fn new(class: usize, size: [usize; 2], scores: impl Iterator<Item = f64>) -> Self {
        let pixels = (size[0] * size[1]) as f64;
        Self {
            class,
            size,
            values: scores.map(|score| score / pixels).collect(),
        }
    }

    /// Returns the largest value above zero, or zero.
    pub(crate) fn largest(&self) -> f64 {
        self.values.iter().fold(0.0, |a, &b| a.max(b))
    }

    /// Returns true if nothing in the image is evidence for the class.
    pub fn is_cold(&self) -> bool {
        self.largest() <= 0.0
    }
}
