//! The outputs for an image, and the form in which processes exchange those of a batch.

use crate::distributed::BatchResults;
use crate::infer::ClassActivationMap;
use crate::pipeline::Prediction;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Outputs for one image.
#[derive(Debug, Clone)]
pub struct Predicted {
    /// Most probable classes, the most probable first.
    pub predictions: Vec<Prediction>,
    /// Pooled features, if requested.
    pub features: Vec<f64>,
    /// Explanation, if requested.
    pub explained: Option<Explained>,
}

/// An explanation that was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Index of the class.
    pub class: usize,
    /// Name of the class, if the model has names.
    pub label: Option<String>,
    /// File of the image with the heat map.
    pub file: PathBuf,
    /// True if nothing in the image is evidence for the class.
    pub is_cold: bool,
}

/// The outputs for an image, and the class activation map to draw, if any.
type Output = (Predicted, Option<ClassActivationMap>);

/// Facts on a predicted image, whose numbers are among the values of its batch: probability and logit of each class, the features and
/// the class activation map.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Found {
    /// Most probable classes, the most probable first.
    classes: Vec<usize>,
    /// Number of features.
    features: usize,
    /// Class, height and width of the class activation map.
    cam: Option<(usize, [usize; 2])>,
}

/// Returns the results of a batch to exchange.
pub(super) fn to_batch(results: impl Iterator<Item = Result<Output>>) -> BatchResults<Found> {
    let mut values = Vec::new();
    let items = results.map(|result| {
        let (predicted, cam) = result?;
        let Predicted {
            predictions,
            features,
            ..
        } = predicted;
        for prediction in &predictions {
            values.extend([prediction.probability, prediction.logit]);
        }
        values.extend(&features);
        if let Some(cam) = &cam {
            values.extend(&cam.values);
        }
        Ok(Found {
            classes: predictions
                .iter()
                .map(|prediction| prediction.class)
                .collect(),
            features: features.len(),
            cam: cam.map(|cam| (cam.class, cam.size)),
        })
    });
    let items = items.collect();
    BatchResults { items, values }
}

/// Returns the results that [`to_batch`] made a batch of; `labels` are the names of the classes.
pub(super) fn of_batch(batch: BatchResults<Found>, labels: &[String]) -> Vec<Result<Output>> {
    let mut values = batch.values.into_iter();
    let items = batch.items.into_iter();
    let results = items.map(|item| item.and_then(|found| output(found, &mut values, labels)));
    results.collect()
}

/// Returns the outputs for an image, whose numbers are the next ones of `values`.
fn output(
    found: Found,
    values: &mut impl Iterator<Item = f64>,
    labels: &[String],
) -> Result<Output> {
    let mut prediction = |class: usize| -> Result<Prediction> {
        let mut number = || values.next().context("a prediction has too few numbers");
        Ok(Prediction {
            class,
            label: labels.get(class).cloned(),
            probability: number()?,
            logit: number()?,
        })
    };
    let predictions = found.classes.into_iter().map(&mut prediction);
    let predictions = predictions.collect::<Result<_>>()?;
    let features = values.by_ref().take(found.features).collect();
    let cam = found.cam.map(|(class, size)| ClassActivationMap {
        class,
        size,
        values: values.by_ref().take(size[0] * size[1]).collect(),
    });
    let predicted = Predicted {
        predictions,
        features,
        explained: None,
    };
    Ok((predicted, cam))
}
