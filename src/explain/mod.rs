//! Explanations of predictions: Grad-CAM (<https://arxiv.org/abs/1610.02391>) at the last stage, drawn over the image.
//!
//! Networks of this family need no backward pass for it, and the pass that predicts computes it as well: see [`ClassActivationMap`]. The
//! map is clipped below zero, interpolated bilinearly to the model's input, divided by its largest value, mapped from the
//! input back to the pixels of the image, colored, and blended over the image. Parts that were cropped, so that the model
//! never saw them, are dimmed.
//!
//! ```
//! use resnet::explain::Explainer;
//! use resnet::hub::Silent;
//! use resnet::infer::{CamTarget, Workload};
//! use resnet::weights::{Checkpoint, Remote};
//!
//! # fn main() -> anyhow::Result<()> {
//! let checkpoint = Checkpoint::open("sample", &Remote::new(&Silent))?;
//! let network = checkpoint.build(candle_core::DType::F32, &candle_core::Device::Cpu)?;
//! let explainer = Explainer::new(network, &checkpoint.info.preprocess, Workload::many(1))?;
//! let boot = image::open("assets/images/boot.png")?.into_rgb8();
//! let explanation = explainer.explain(&boot, CamTarget::Top)?;
//! assert_eq!(checkpoint.info.labels[explanation.cam.class], "Ankle boot");
//! let overlay: image::RgbImage = explanation.overlay(&boot);
//! # Ok(())
//! # }
//! ```

mod class;
mod colors;
mod folder;
mod overlay;
mod upsample;

pub(crate) use class::class_called;
pub(crate) use folder::Folder;
pub(crate) use overlay::overlay;

use crate::data::EvalTransform;
use crate::infer::{CamTarget, ClassActivationMap, Engine, ForwardOptions, ModelOutput, Workload};
use crate::model::{Preprocess, ResNet};
use crate::pipeline::{ensure_finite, prepare};
use anyhow::{Context, Result};
use image::RgbImage;
use overlay::VisiblePart;

/// A network ready to explain its predictions for images in memory.
#[derive(Debug)]
pub struct Explainer {
    engine: Engine,
    transform: EvalTransform,
}

/// The prediction for an image, and its explanation.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// Logits, one per class.
    pub logits: Vec<f64>,
    /// Class activation map of the explained class, on the last feature map.
    pub cam: ClassActivationMap,
    visible: VisiblePart,
}

impl Explainer {
    /// Prepares `network`, on any device, for images read by `preprocess` and the expected workload `work`.
    ///
    /// # Errors
    /// As for [`prepare`].
    pub fn new(network: ResNet, preprocess: &Preprocess, work: Workload) -> Result<Self> {
        let (engine, transform) = prepare(network, preprocess, work)?;
        Ok(Self { engine, transform })
    }

    /// Explains the class `target` in an image of any size.
    ///
    /// # Errors
    /// If the image has no pixels, the model does not have the class, or logits are not finite.
    pub fn explain(&self, image: &RgbImage, target: CamTarget) -> Result<Explanation> {
        explain(&self.engine, &self.transform, image, target)
    }
}

/// Explains with an engine and the transform that creates its inputs, as [`Explainer::explain`] does.
pub(crate) fn explain(
    engine: &Engine,
    transform: &EvalTransform,
    image: &RgbImage,
    target: CamTarget,
) -> Result<Explanation> {
    engine.ensure_memory(1)?;
    let mut input = vec![0.0; transform.input_len()];
    transform.normalize_into(&transform.apply(image)?, &mut input);
    let options = ForwardOptions {
        cam: Some(target),
        ..ForwardOptions::default()
    };
    let ModelOutput {
        logits, mut cams, ..
    } = engine.forward(input, 1, options)?;
    ensure_finite(&logits)?;
    let cam = cams.pop().context("the model gave no activation map")?;
    Ok(Explanation {
        logits,
        cam,
        visible: VisiblePart::new(image, transform),
    })
}

impl Explanation {
    /// Draws the heat map over `image`, at its size: the image that was explained, or the same at another size.
    pub fn overlay(&self, image: &RgbImage) -> RgbImage {
        self.visible.overlay(image, &self.cam)
    }

    /// Returns true if nothing in the image is evidence for the class; then the overlay has no color.
    pub fn is_cold(&self) -> bool {
        self.cam.is_cold()
    }
}
