//! Prediction: a model with its preprocessing and labels, applied to image files.

mod many;

pub use many::{Explain, Explained, PredictOptions, Predicted};

use crate::data::{DecodeOptions, Transform, decode};
use crate::explain::{Explanation, explain};
use crate::hub::Silent;
use crate::infer::{Engine, Work};
use crate::model::{ModelConfig, Preprocess, ResNet};
use crate::weights::{Card, Checkpoint, Remote};
use anyhow::{Result, bail};
use candle_core::{DType, Device};
use image::RgbImage;
use serde::Serialize;
use std::path::Path;

/// A predicted class of an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// Index of the class, from 0.
    pub class: usize,
    /// Name of the class, if the model has names.
    pub label: Option<String>,
    /// Probability: softmax over all classes.
    pub probability: f64,
    /// Logit.
    pub logit: f64,
}

/// A model ready to classify images.
#[derive(Debug)]
pub struct Predictor {
    engine: Engine,
    transform: Transform,
    decoding: DecodeOptions,
    labels: Vec<String>,
}

impl Predictor {
    /// Loads a model given as on the command line (a hub name, a folder, a file, `sample`) for f32 on the CPU, with its
    /// preprocessing and labels.
    ///
    /// # Errors
    /// If the model does not exist, is outside the `ResNet` family, or is incomplete.
    pub fn load(model: &str) -> Result<Self> {
        let checkpoint = Checkpoint::open(model, &Remote::new(&Silent))?;
        let Card {
            preprocess, labels, ..
        } = &checkpoint.card;
        let place = (DType::F32, &Device::Cpu);
        Self::new(
            &checkpoint,
            place,
            preprocess,
            labels.clone(),
            Work::many(1),
        )
    }

    /// Prepares the network of `checkpoint`, computing in a type on a device, for images read by `preprocess` and the
    /// expected workload `work`. `labels` has a name for each class, or none.
    ///
    /// # Errors
    /// As for [`load`]; if the number of labels differs from the number of classes.
    pub fn new(
        checkpoint: &Checkpoint,
        place: (DType, &Device),
        preprocess: &Preprocess,
        labels: Vec<String>,
        work: Work,
    ) -> Result<Self> {
        let classes = checkpoint.card.config.classes;
        if !labels.is_empty() && labels.len() != classes {
            bail!("{} labels for {classes} classes", labels.len());
        }
        let (engine, transform) = load(checkpoint, place, preprocess, work)?;
        Ok(Self {
            engine,
            transform,
            decoding: DecodeOptions::from(preprocess),
            labels,
        })
    }

    /// Returns the `k` most probable classes of the image at `path`, the most probable first.
    ///
    /// # Errors
    /// If the image cannot be read, or logits are not finite.
    pub fn predict(&mut self, path: impl AsRef<Path>, k: usize) -> Result<Vec<Prediction>> {
        self.predict_image(&decode(path.as_ref(), &self.decoding)?, k)
    }

    /// Predicts an image in memory as [`Predictor::predict`] does, for example one from
    /// [`decode_bytes`](crate::data::decode_bytes).
    ///
    /// # Errors
    /// If the image has no pixels, or logits are not finite.
    pub fn predict_image(&mut self, picture: &RgbImage, k: usize) -> Result<Vec<Prediction>> {
        self.engine.ensure_memory(1)?;
        let mut input = vec![0.0; self.transform.input_len()];
        let picture = self.transform.apply(picture)?;
        self.transform.normalise_into(&picture, &mut input);
        let logits = self.engine.logits(input, 1)?;
        top(&logits, k, &self.labels)
    }

    /// Returns the names of the classes; empty if the model has none.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Explains `class` in an image in memory, or its most probable class.
    ///
    /// # Errors
    /// If the image has no pixels, the model does not have the class, or logits are not finite.
    pub fn explain_image(
        &mut self,
        picture: &RgbImage,
        class: Option<usize>,
    ) -> Result<Explanation> {
        explain(&mut self.engine, &self.transform, picture, class)
    }
}

/// Returns the engine of `net` for the workload `work`, and the transform that creates its inputs by `preprocess`.
///
/// # Errors
/// If the preprocessing is not supported or does not match the input channels, or images are too small for the network.
pub fn prepare(net: ResNet, preprocess: &Preprocess, work: Work) -> Result<(Engine, Transform)> {
    let transform = transform(net.config(), preprocess)?;
    let engine = Engine::new(net, transform.size(), work)?;
    Ok((engine, transform))
}

/// Loads and prepares the network of `checkpoint`, computing in a type on a device. The weights of a compiled network
/// are read one layer at a time.
///
/// # Errors
/// As for [`prepare`], and if the weights cannot be read.
pub fn load(
    checkpoint: &Checkpoint,
    (dtype, device): (DType, &Device),
    preprocess: &Preprocess,
    work: Work,
) -> Result<(Engine, Transform)> {
    let transform = transform(&checkpoint.card.config, preprocess)?;
    let size = transform.size();
    let engine = if Engine::compiles(dtype, device) {
        Engine::with_weights(&checkpoint.outline()?, checkpoint, size, work)?
    } else {
        Engine::new(checkpoint.build(dtype, device)?, size, work)?
    };
    Ok((engine, transform))
}

/// Returns the transform that creates the inputs of a network by `preprocess`.
fn transform(config: &ModelConfig, preprocess: &Preprocess) -> Result<Transform> {
    let transform = Transform::new(preprocess)?;
    let channels = config.in_channels;
    if transform.channels() != channels {
        bail!(
            "the model takes {channels} channels, but its mean and std have {}",
            transform.channels()
        );
    }
    Ok(transform)
}

/// Returns the `k` largest logits, the smaller class first if they are equal.
///
/// # Errors
/// As for [`ensure_finite`].
pub(crate) fn top(logits: &[f64], k: usize, labels: &[String]) -> Result<Vec<Prediction>> {
    ensure_finite(logits)?;
    let mut classes: Vec<usize> = (0..logits.len()).collect();
    // Adding 0 makes -0 equal to it.
    let order = |class: usize| logits[class] + 0.0;
    classes.sort_by(|&a, &b| order(b).total_cmp(&order(a)).then(a.cmp(&b)));
    let largest = classes.first().map_or(0.0, |&class| logits[class]);
    let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    let prediction = |class: usize| Prediction {
        class,
        label: labels.get(class).cloned(),
        probability: (logits[class] - largest).exp() / sum,
        logit: logits[class],
    };
    Ok(classes.into_iter().take(k).map(prediction).collect())
}

/// The error for logits that are not finite.
#[derive(Debug, thiserror::Error)]
#[error(
    "the model's output for this image is not finite (class {class}): its weights are damaged or overflow"
)]
pub(crate) struct NotFinite {
    class: usize,
}

/// Checks that all logits are finite; the error names the first class with an infinite or NaN logit.
pub(crate) fn ensure_finite(logits: &[f64]) -> Result<()> {
    if let Some(class) = logits.iter().position(|logit| !logit.is_finite()) {
        return Err(NotFinite { class }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_logits_come_first_and_their_probabilities_are_softmax() {
        let labels = ["a", "b", "c"].map(str::to_owned);
        let predictions = top(&[0.0, 2.0f64.ln(), 0.0], 2, &labels).unwrap();
        assert_eq!(
            predictions.iter().map(|p| p.class).collect::<Vec<_>>(),
            [1, 0]
        );
        assert_eq!(predictions[0].label.as_deref(), Some("b"));
        assert!((predictions[0].probability - 0.5).abs() < 1e-12);
    }

    #[test]
    fn fewer_classes_than_asked_for_gives_them_all() {
        assert_eq!(top(&[1.0, 2.0], 5, &[]).unwrap().len(), 2);
    }

    #[test]
    fn logits_that_are_no_numbers_are_an_error() {
        assert!(
            top(&[1.0, f64::NAN], 1, &[])
                .unwrap_err()
                .to_string()
                .contains("class 1")
        );
    }
}
