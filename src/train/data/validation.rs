//! The validation set, which selects the best epoch.

use crate::data::EvalTransform;
use crate::data::dataset::Split;
use crate::distributed::Stopped;
use crate::eval::metrics::macro_average;
use crate::eval::{EvalEvent, EvalOptions, Evaluation, Metrics, Record, evaluate};
use crate::infer::{Engine, Workload};
use crate::model::ResNet;
use crate::train::config::values::BestBy;
use crate::train::data::features::Features;
use crate::train::learner::forward_backward::Input;
use crate::train::observe::observer::Observer;
use anyhow::Result;
use candle_core::{DType, Tensor};
use std::collections::BTreeSet;
use std::time::Instant;

/// Images per batch of a probe.
const FEATURES_A_BATCH: usize = 1024;

/// A set of images on which each epoch is evaluated.
pub struct Validation {
    /// The split: `val`, `test`, or `train` for a part that is held out of it.
    pub split: String,
    /// The images in words: `1,000 test images`.
    pub text: String,
    pub(in crate::train) images: EvalSet,
    /// Their features, if only the last layer is trained.
    pub(in crate::train) features: Option<Features>,
    pub(in crate::train) labels: Vec<String>,
    /// Images that were skipped with a warning.
    pub(in crate::train) unreadable_images: BTreeSet<usize>,
}

/// The images and the options of their evaluation.
pub(in crate::train) struct EvalSet {
    pub split: Split,
    pub transform: EvalTransform,
    pub options: EvalOptions,
}

/// The validation figures of an epoch; all but the loss in percent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ValidationMetrics {
    /// Mean cross-entropy.
    pub loss: Option<f64>,
    /// Top-1 accuracy.
    pub top1: Option<f64>,
    /// Top-5 accuracy; `None` below five classes.
    pub top5: Option<f64>,
    /// The mean of the classes' F1.
    pub macro_f1: Option<f64>,
    /// The mean of the classes' recall.
    pub balanced: Option<f64>,
}

impl ValidationMetrics {
    /// Returns the scores of an evaluation.
    pub(in crate::train) fn of(evaluation: &Evaluation) -> Self {
        let [_, recall, f1] = macro_average(&evaluation.classes);
        Self {
            loss: Some(evaluation.loss),
            top1: Some(evaluation.top1),
            top5: evaluation.top5,
            macro_f1: Some(100.0 * f1),
            balanced: Some(100.0 * recall),
        }
    }

    /// Returns the value of the measure `by`.
    pub(in crate::train) fn measure(&self, by: BestBy) -> Option<f64> {
        match by {
            BestBy::Top1 => self.top1,
            BestBy::Loss => self.loss,
            BestBy::MacroF1 => self.macro_f1,
            BestBy::Balanced => self.balanced,
        }
    }
}

impl Validation {
    /// Returns the number of images.
    pub fn images(&self) -> usize {
        self.features
            .as_ref()
            .map_or(self.images.split.len(), Features::count)
    }

    /// Returns the images in words, with the number of unreadable ones.
    pub(in crate::train) fn in_words(&self) -> String {
        match self.unreadable_images.len() {
            0 => self.text.clone(),
            unread => format!("{} ({unread} unreadable)", self.text),
        }
    }

    /// Keeps `count` of the images, evenly spread, and returns true if there were more.
    pub(in crate::train) fn shorten(&mut self, count: usize) -> bool {
        let split = &mut self.images.split;
        if count >= split.len() {
            return false;
        }
        *split = split.spread(count);
        self.text = format!("{count} of {}", self.text);
        true
    }

    /// Returns the images per batch; 0 if features are used.
    pub(in crate::train) fn together(&self) -> usize {
        let EvalSet { split, options, .. } = &self.images;
        match self.features {
            None => options.batch.min(split.len()),
            Some(_) => 0,
        }
    }

    /// Evaluates `model`, shared out over the processes; `None` if `observer` wants to stop meanwhile, in any process.
    ///
    /// # Errors
    /// If no image is readable (with `strict`, if any is not), or the outputs are not finite.
    pub(in crate::train) fn measure(
        &mut self,
        model: ResNet,
        observer: &mut dyn Observer,
    ) -> Result<Option<Evaluation>> {
        let EvalSet {
            split,
            transform,
            options,
        } = &self.images;
        if let Some(features) = &self.features {
            return of_features(features, &model, &self.labels, split.len()).map(Some);
        }
        let work = Workload::many(options.batch.min(split.len()));
        let engine = Engine::new(model, transform.size(), work);
        let mut engine = options.processes.all_ok(engine)?;
        let unreadable_images = &mut self.unreadable_images;
        let mut each = |event: EvalEvent<'_>| {
            match event {
                EvalEvent::Unreadable { index, error } => {
                    if unreadable_images.insert(index) {
                        observer.unreadable(error);
                    }
                }
                EvalEvent::Progress { done, total } => {
                    observer.progress("validating", done, total);
                    if observer.should_stop() {
                        return Err(Stopped.into());
                    }
                }
                EvalEvent::Image { .. } => {}
            }
            Ok(())
        };
        let evaluated = evaluate(
            &mut engine,
            split,
            transform,
            &self.labels,
            options,
            &mut each,
        );
        match evaluated {
            Ok(evaluation) => Ok(Some(evaluation)),
            Err(error) if error.is::<Stopped>() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Evaluates the head of a probe on the features of the readable ones of `total` images.
fn of_features(
    features: &Features,
    model: &ResNet,
    labels: &[String],
    total: usize,
) -> Result<Evaluation> {
    let start = Instant::now();
    let mut metrics = Metrics::new(labels.len());
    let mut records = Vec::with_capacity(features.count());
    let all: Vec<u32> = (0..features.count() as u32).collect();
    for places in all.chunks(FEATURES_A_BATCH) {
        let (Input::Features(x) | Input::Images(x), _) = features.batch(places)?;
        let logits: Tensor = model.head().forward(&x)?.to_dtype(DType::F64)?;
        for (&place, logits) in places.iter().zip(logits.to_vec2::<f64>()?) {
            let (index, class) = features.image(place as usize);
            let result = metrics.add(class, &logits)?;
            records.push(Record::new(index, class, &result));
        }
    }
    Ok(Evaluation::new(&metrics, labels, total, start, records))
}
