//! What of a picture speaks for a class: Grad-CAM (<https://arxiv.org/abs/1610.02391>) at the last stage, drawn on the picture.
//!
//! Nets of this family need no backward pass for it, and the pass that predicts gives it too: see [`Heat`]. The heat is cut off
//! below zero, spread over the model's input bilinearly, divided by its largest value, brought back from the input to the
//! picture's own pixels, coloured, and laid over the picture. What the crop cut off, and so the model never saw, is dimmed.
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
//! let picture = image::open("assets/images/boot.png")?.into_rgb8();
//! let explanation = explainer.explain(&picture, None)?;
//! assert_eq!(checkpoint.card.labels[explanation.heat.class], "Ankle boot");
//! let overlay: image::RgbImage = explanation.overlay(&picture);
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

/// A net ready to explain what it makes of pictures in memory.
#[derive(Debug)]
pub struct Explainer {
    engine: Engine,
    transform: Transform,
}

/// What a net makes of a picture, and why.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// One a class.
    pub logits: Vec<f64>,
    /// What speaks for the explained class, on the last feature map.
    pub heat: Heat,
    seen: Seen,
}

impl Explainer {
    /// Prepares `net`, on any device, for pictures read by `preprocess`, as suits the `work` to come.
    ///
    /// # Errors
    /// Those of [`prepare`].
    pub fn new(net: ResNet, preprocess: &Preprocess, work: Work) -> Result<Self> {
        let (engine, transform) = prepare(net, preprocess, work)?;
        Ok(Self { engine, transform })
    }

    /// Explains `class` in a picture of any size, or the class of its largest logit.
    ///
    /// # Errors
    /// A picture without pixels, a class that the net does not have, and logits that are no numbers.
    pub fn explain(&mut self, picture: &RgbImage, class: Option<usize>) -> Result<Explanation> {
        explain(&mut self.engine, &self.transform, picture, class)
    }
}

/// [`Explainer::explain`] by an engine and what makes its inputs.
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
    /// The heat laid over `picture`, as large as it: the one that was explained, or the same at another size.
    pub fn overlay(&self, picture: &RgbImage) -> RgbImage {
        self.seen.overlay(picture, &self.heat)
    }

    /// Whether nothing in the picture speaks for the class; then the overlay has no colour.
    pub fn is_cold(&self) -> bool {
        is_cold(&self.heat)
    }
}

/// Whether nothing speaks for the class.
pub(crate) fn is_cold(heat: &Heat) -> bool {
    largest(heat) <= 0.0
}

/// The largest value above zero, or zero.
fn largest(heat: &Heat) -> f64 {
    heat.values.iter().fold(0.0, |a, &b| a.max(b))
}
