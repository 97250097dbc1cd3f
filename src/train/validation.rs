//! The pictures that choose the best epoch.

use super::learner::{Input, Learner};
use super::probe::Features;
use super::watch::Watch;
use crate::data::Transform;
use crate::data::sets::Split;
use crate::eval::{EvalOptions, Event, Metrics, evaluate};
use crate::infer::{Engine, Work};
use crate::model::ResNet;
use anyhow::{Error, Result};
use candle_core::{DType, Tensor};
use std::collections::BTreeSet;

/// Pictures of a probe that run together.
const FEATURES_A_BATCH: usize = 1024;

/// Pictures that each epoch is measured on.
pub struct Validation {
    /// The split: `val`, `test`, or `train` for a part that was carved out of it.
    pub split: String,
    /// The pictures, as people read it.
    pub text: String,
    pub(super) source: Source,
    pub(super) labels: Vec<String>,
    /// Pictures of which it was said that they were left out.
    pub(super) left_out: BTreeSet<usize>,
}

/// What is measured on.
pub(super) enum Source {
    Pictures {
        split: Split,
        transform: Transform,
        options: EvalOptions,
    },
    Features(Features),
}

/// What an epoch is measured by; accuracies in percent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Scores {
    /// Mean cross entropy.
    pub loss: Option<f64>,
    /// Pictures recognised.
    pub top1: Option<f64>,
    /// Pictures whose class is among the first five; nothing below five classes.
    pub top5: Option<f64>,
}

/// The wish to stop, on its way out of an evaluation.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
struct Stop;

impl Validation {
    /// Pictures.
    pub fn images(&self) -> usize {
        match &self.source {
            Source::Pictures { split, .. } => split.len(),
            Source::Features(features) => features.count(),
        }
    }

    /// Leaves `count` of the pictures, evenly spread, where there are more; says whether there were.
    pub(super) fn shorten(&mut self, count: usize) -> bool {
        let Source::Pictures { split, .. } = &mut self.source else {
            return false;
        };
        let all = split.len();
        if count >= all {
            return false;
        }
        *split = split.spread(count);
        self.text = format!("{count} of {}", self.text);
        true
    }

    /// Pictures.
    pub(super) fn count(&self) -> usize {
        match &self.source {
            Source::Pictures { split, .. } => split.len(),
            Source::Features(features) => features.count(),
        }
    }

    /// Pictures that are measured together; none where features are.
    pub(super) fn together(&self) -> usize {
        match &self.source {
            Source::Pictures { split, options, .. } => options.batch.min(split.len()),
            Source::Features(_) => 0,
        }
    }

    /// Measures the weights that `learner` would keep; nothing where `watch` wants to stop meanwhile.
    ///
    /// # Errors
    /// No picture that can be read, with `strict` the first that cannot, and weights that give no finite numbers.
    pub(super) fn scores(
        &mut self,
        learner: &Learner,
        watch: &mut dyn Watch,
    ) -> Result<Option<Scores>> {
        self.measure(learner.validated_net()?, watch)
    }

    /// Measures `net`; nothing where `watch` wants to stop meanwhile.
    ///
    /// # Errors
    /// Those of [`Validation::scores`].
    pub(super) fn measure(&mut self, net: ResNet, watch: &mut dyn Watch) -> Result<Option<Scores>> {
        match &self.source {
            Source::Pictures {
                split,
                transform,
                options,
            } => {
                let work = Work::many(options.batch.min(split.len()));
                let mut engine = Engine::new(net, transform.size(), work)?;
                let left_out = &mut self.left_out;
                let mut each = |event: Event<'_>| {
                    match event {
                        Event::Unreadable { index, error } => {
                            if left_out.insert(index) {
                                watch.unreadable(error);
                            }
                        }
                        Event::Progress { done, total } => {
                            watch.looked_at("validating", done, total);
                            if watch.wants_to_stop() {
                                return Err(Error::new(Stop));
                            }
                        }
                        Event::Picture { .. } => {}
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
                    Ok(evaluation) => Ok(Some(Scores {
                        loss: Some(evaluation.loss),
                        top1: Some(evaluation.top1),
                        top5: evaluation.top5,
                    })),
                    Err(error) if error.is::<Stop>() => Ok(None),
                    Err(error) => Err(error),
                }
            }
            Source::Features(features) => of_features(features, &net, self.labels.len()).map(Some),
        }
    }
}

/// Measures the head of a probe.
fn of_features(features: &Features, net: &ResNet, classes: usize) -> Result<Scores> {
    let mut metrics = Metrics::new(classes);
    let all: Vec<u32> = (0..features.count() as u32).collect();
    for indices in all.chunks(FEATURES_A_BATCH) {
        let (Input::Features(x) | Input::Pictures(x), _) = features.batch(indices)?;
        let logits: Tensor = net.head().forward(&x)?.to_dtype(DType::F64)?;
        for (&index, logits) in indices.iter().zip(logits.to_vec2::<f64>()?) {
            metrics.add(features.classes()[index as usize] as usize, &logits)?;
        }
    }
    Ok(Scores {
        loss: Some(metrics.loss()),
        top1: Some(metrics.top1()),
        top5: metrics.top5(),
    })
}
