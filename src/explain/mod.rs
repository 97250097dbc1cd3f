//! Explanations of predictions: Grad-CAM (<https://arxiv.org/abs/1610.02391>) at the last stage, drawn over the image.
//!
//! Networks of this family need no backward pass for it, and the pass that predicts computes it as well: see [`Heat`]. The
//! map is clipped below zero, interpolated bilinearly to the model's input, divided by its largest value, mapped from the
//! input back to the pixels of the image, colored, and blended over the image. Parts that were cropped, so that the model
//! never saw them, are dimmed.
//!
//! ```
//! use resnet::explain::Explainer;
//! use resnet::hub::Silent;
//! use resnet::infer::Work;
//! use resnet::weights::{Checkpoint, Remote};
//!
//! # fn main() -> anyhow::Result<()> {
//! let checkpoint = Checkpoint::open("sample", &Remote::new(&Silent))?;
//! let net = checkpoint.build(candle_core::DType::F32, &candle_core::Device::Cpu)?;
//! let mut explainer = Explainer::new(net, &checkpoint.card.preprocess, Work::many(1))?;
//! let boot = image::open("assets/images/boot.png")?.into_rgb8();
//! let explanation = explainer.explain(&boot, None)?;
//! assert_eq!(checkpoint.card.labels[explanation.heat.class], "Ankle boot");
//! let overlay: image::RgbImage = explanation.overlay(&boot);
//! # Ok(())
//! # }
//! ```

mod class;
mod colours;
mod folder;
mod overlay;
mod upsample;

pub use class::class_called;
pub use folder::Folder;
pub(crate) use overlay::overlay;

use crate::data::Transform;
use crate::infer::{Engine, Heat, HeatOf, Pass, Wanted, Work};
use crate::model::{Preprocess, ResNet};
use crate::predict::{ensure_finite, prepare};
use anyhow::{Context, Result};
use image::RgbImage;
use overlay::Seen;

/// A network ready to explain its predictions for images in memory.
#[derive(Debug)]
pub struct Explainer {
    engine: Engine,
    transform: Transform,
}

/// The prediction for an image, and its explanation.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// Logits, one per class.
    pub logits: Vec<f64>,
    /// Class activation map of the explained class, on the last feature map.
    pub heat: Heat,
    seen: Seen,
}

impl Explainer {
    /// Prepares `net`, on any device, for images read by `preprocess` and the expected workload `work`.
    ///
    /// # Errors
    /// As for [`prepare`].
    pub fn new(net: ResNet, preprocess: &Preprocess, work: Work) -> Result<Self> {
        let (engine, transform) = prepare(net, preprocess, work)?;
        Ok(Self { engine, transform })
    }

    /// Explains `class` in an image of any size, or the class of its largest logit.
    ///
    /// # Errors
    /// If the image has no pixels, the model does not have the class, or logits are not finite.
    pub fn explain(&mut self, picture: &RgbImage, class: Option<usize>) -> Result<Explanation> {
        explain(&mut self.engine, &self.transform, picture, class)
    }
}

/// Explains with an engine and the transform that creates its inputs, as [`Explainer::explain`] does.
pub(crate) fn explain(
    engine: &mut Engine,
    transform: &Transform,
    picture: &RgbImage,
    class: Option<usize>,
) -> Result<Explanation> {
    engine.ensure_memory(1)?;
    let mut input = vec![0.0; transform.input_len()];
    transform.normalise_into(&transform.apply(picture)?, &mut input);
    let wanted = Wanted {
        heat: Some(class.map_or(HeatOf::Top, HeatOf::Class)),
        ..Wanted::default()
    };
    let Pass {
        logits, mut heats, ..
    } = engine.pass(input, 1, wanted)?;
    ensure_finite(&logits)?;
    let heat = heats.pop().context("the model gave no heat")?;
    Ok(Explanation {
        logits,
        heat,
        seen: Seen::new(picture, transform),
    })
}

impl Explanation {
    /// Draws the heat map over `picture`, at its size: the image that was explained, or the same at another size.
    pub fn overlay(&self, picture: &RgbImage) -> RgbImage {
        self.seen.overlay(picture, &self.heat)
    }

    /// Returns true if nothing in the image is evidence for the class; then the overlay has no color.
    pub fn is_cold(&self) -> bool {
        is_cold(&self.heat)
    }
}

/// Returns true if nothing is evidence for the class.
pub(crate) fn is_cold(heat: &Heat) -> bool {
    largest(heat) <= 0.0
}

/// Returns the largest value above zero, or zero.
fn largest(heat: &Heat) -> f64 {
    heat.values.iter().fold(0.0, |a, &b| a.max(b))
}
