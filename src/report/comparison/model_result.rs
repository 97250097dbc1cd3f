//! A model's result on each image, and its metrics on the images that all models read.

use serde::Serialize;

use super::settings::RunSettings;
use crate::eval::history::Epoch;
use crate::eval::interval::wilson;
use crate::eval::metrics::{FIVE, ImageResult};

/// A model and its result on each image.
#[derive(Debug, Clone)]
pub struct ModelResult {
    /// The model's name; no other has it.
    pub model: String,
    /// The number of its parameters.
    pub parameters: u64,
    /// Multiplications of its convolutions and linear layers for one image.
    pub mult_adds: u64,
    /// The names of its classes.
    pub labels: Vec<String>,
    /// For each image of the split its result; `None` if the image cannot be read.
    pub results: Vec<Option<ImageResult>>,
    /// Wall time of the one pass over the images, reading them included.
    pub seconds: f64,
    /// Images per second in that pass.
    pub images_per_second: f64,
    /// True if these images also selected its epoch.
    pub chose_best: bool,
    /// True if it was trained on these images, or on most of them.
    pub trained_on: bool,
    /// Why its figures are optimistic; `None` if the images are new to the model.
    pub remark: Option<&'static str>,
    /// Epochs of its run, if any.
    pub curves: Vec<Epoch>,
    /// Settings of its run, if any.
    pub settings: Option<RunSettings>,
}

/// One model's figures; accuracies in percent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedModel {
    /// The model's name.
    pub model: String,
    /// The number of its parameters.
    pub parameters: u64,
    /// Multiplications of its convolutions and linear layers for one image.
    pub mult_adds: u64,
    /// Percent of images whose class ranks first.
    pub top1: f64,
    /// Lower end of the 95 % interval of `top1`, by [`wilson`].
    pub top1_low: f64,
    /// Upper end of the interval.
    pub top1_high: f64,
    /// Percent of images whose class is among the first five; `None` below five classes.
    pub top5: Option<f64>,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Wall time of the one pass over the images, reading them included.
    pub seconds: f64,
    /// Images per second in that pass.
    pub images_per_second: f64,
    /// True if these images also selected its epoch, so that its figures are optimistic; written only then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub chose_best: bool,
    /// True if it was trained on these images, or on most of them; written only then.
    #[serde(rename = "learnt", skip_serializing_if = "std::ops::Not::not")]
    pub trained_on: bool,
    /// Why its figures are optimistic; `None`, and not written, if the images are new to the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<&'static str>,
    /// The epochs of its run, for learning curves; empty without a run.
    pub curves: Vec<Epoch>,
    /// The names of its classes, to which [`ImageResult::predicted`] refers.
    #[serde(skip)]
    pub labels: Vec<String>,
    /// Its result on each of [`Comparison::indices`](super::Comparison::indices).
    #[serde(skip)]
    pub results: Vec<ImageResult>,
}

impl ComparedModel {
    /// Computes the metrics of a model on the images at `indices`, all of which it has read.
    pub(super) fn new(result: ModelResult, indices: &[usize]) -> Self {
        let results = indices.iter().filter_map(|&at| result.results[at]);
        let results: Vec<ImageResult> = results.collect();
        let count = |is: fn(&ImageResult) -> bool| results.iter().filter(|&one| is(one)).count();
        let percent = |correct: usize| 100.0 * correct as f64 / results.len() as f64;
        let correct = count(ImageResult::is_correct);
        let [low, high] = wilson(correct, results.len());
        let loss: f64 = results.iter().map(|one| one.loss).sum();
        Self {
            model: result.model,
            parameters: result.parameters,
            mult_adds: result.mult_adds,
            top1: percent(correct),
            top1_low: 100.0 * low,
            top1_high: 100.0 * high,
            top5: (result.labels.len() >= FIVE).then(|| percent(count(ImageResult::is_in_top5))),
            loss: loss / results.len() as f64,
            seconds: result.seconds,
            images_per_second: result.images_per_second,
            chose_best: result.chose_best,
            trained_on: result.trained_on,
            remark: result.remark,
            curves: result.curves,
            labels: result.labels,
            results,
        }
    }
}
