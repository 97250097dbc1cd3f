//! What pictures show: a model with its preprocessing and labels, applied to picture files.

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

/// One class that a picture may show.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// The class's number, from 0.
    pub class: usize,
    /// Its name, where the model has names.
    pub label: Option<String>,
    /// Softmax over all classes.
    pub probability: f64,
    /// What the last layer gave.
    pub logit: f64,
}

/// A model ready to say what pictures show.
#[derive(Debug)]
pub struct Predictor {
    engine: Engine,
    transform: Transform,
    decoding: DecodeOptions,
    labels: Vec<String>,
}

impl Predictor {
    /// Loads what the command line calls MODEL (a hub name, a folder, a file, `sample`) for f32 on the CPU, with the preprocessing and
    /// the labels that it carries.
    ///
    /// # Errors
    /// Where there is no such model, or it is not a whole net of the family.
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

    /// Prepares the net of `checkpoint`, computing in a type on a device, for pictures read by `preprocess`, as suits the
    /// `work` to come. `labels` has a name for each class, or none.
    ///
    /// # Errors
    /// Those of [`load`], and labels of another number than the classes.
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

    /// The `k` most probable classes of the picture at `path`, the most probable first.
    ///
    /// # Errors
    /// A picture that cannot be read, or logits that are no numbers.
    pub fn predict(&mut self, path: impl AsRef<Path>, k: usize) -> Result<Vec<Prediction>> {
        self.predict_image(&decode(path.as_ref(), &self.decoding)?, k)
    }

    /// [`Predictor::predict`] for a picture in memory, such as [`decode_bytes`](crate::data::decode_bytes) gives.
    ///
    /// # Errors
    /// A picture without pixels, or logits that are no numbers.
    pub fn predict_image(&mut self, picture: &RgbImage, k: usize) -> Result<Vec<Prediction>> {
        self.engine.ensure_memory(1)?;
        let mut input = vec![0.0; self.transform.input_len()];
        let picture = self.transform.apply(picture)?;
        self.transform.normalise_into(&picture, &mut input);
        let logits = self.engine.logits(input, 1)?;
        top(&logits, k, &self.labels)
    }

    /// The names of the classes, or none where the model names none.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Explains `class` in a picture in memory, or its most probable class.
    ///
    /// # Errors
    /// A picture without pixels, a class that the model does not have, and logits that are no numbers.
    pub fn explain_image(
        &mut self,
        picture: &RgbImage,
        class: Option<usize>,
    ) -> Result<Explanation> {
        explain(&mut self.engine, &self.transform, picture, class)
    }
}

/// The engine of `net`, to do `work`, and what makes its inputs by `preprocess`.
///
/// # Errors
/// Preprocessing that cannot be done or does not fit the net's input channels, and pictures too small for the net.
pub fn prepare(net: ResNet, preprocess: &Preprocess, work: Work) -> Result<(Engine, Transform)> {
    let transform = transform(net.config(), preprocess)?;
    let engine = Engine::new(net, transform.size(), work)?;
    Ok((engine, transform))
}

/// [`prepare`] for the net of `checkpoint`, computing in a type on a device. A net that is compiled is read a layer at a time.
///
/// # Errors
/// Those of [`prepare`], and weights that cannot be read.
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

/// What makes the inputs of a net by `preprocess`.
fn transform(config: &ModelConfig, preprocess: &Preprocess) -> Result<Transform> {
    let transform = Transform::new(preprocess)?;
    let channels = config.in_channels;
    if transform.channels() != channels {
        bail!(
            "the model takes {channels} channels, its mean and deviation have {}",
            transform.channels()
        );
    }
    Ok(transform)
}

/// The `k` largest logits, the smaller class first where they are equal.
///
/// # Errors
/// Those of [`ensure_finite`].
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

/// Logits that say nothing.
#[derive(Debug, thiserror::Error)]
#[error(
    "the model gives no finite number for this picture (class {class}): its weights are damaged or overflow"
)]
pub(crate) struct NotFinite {
    class: usize,
}

/// Refuses logits of which one is infinite or not a number, naming its class.
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
