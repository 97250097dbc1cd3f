//! The pictures that choose the best epoch.

use super::learner::{Input, Learner};
use super::probe::Features;
use super::watch::Watch;
use crate::data::Transform;
use crate::data::sets::Split;
use crate::eval::{EvalOptions, Evaluation, Event, Metrics, Record, evaluate};
use crate::infer::{Engine, Work};
use crate::model::ResNet;
use anyhow::{Error, Result};
use candle_core::{DType, Tensor};
use std::collections::BTreeSet;
use std::time::Instant;

/// Pictures of a probe that run together.
const FEATURES_A_BATCH: usize = 1024;

/// Pictures that each epoch is measured on.
pub struct Validation {
    /// The split: `val`, `test`, or `train` for a part that was carved out of it.
    pub split: String,
    /// The pictures, as people read it.
    pub text: String,
    pub(super) pictures: Measured,
    /// Their features, where nothing before the last layer learns.
    pub(super) features: Option<Features>,
    pub(super) labels: Vec<String>,
    /// Pictures of which it was said that they were left out.
    pub(super) left_out: BTreeSet<usize>,
}

/// What is measured on, and how.
pub(super) struct Measured {
    pub split: Split,
    pub transform: Transform,
    pub options: EvalOptions,
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

impl Scores {
    /// The scores of an evaluation.
    pub(super) fn of(evaluation: &Evaluation) -> Self {
        Self {
            loss: Some(evaluation.loss),
            top1: Some(evaluation.top1),
            top5: evaluation.top5,
        }
    }
}

/// The wish to stop, on its way out of an evaluation.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
struct Stop;

impl Validation {
    /// Pictures.
    pub fn images(&self) -> usize {
        self.features
            .as_ref()
            .map_or(self.pictures.split.len(), Features::count)
    }

    /// The pictures, as people read it, and how many of them cannot be read.
    pub(super) fn in_words(&self) -> String {
        match self.left_out.len() {
            0 => self.text.clone(),
            unread => format!("{} ({unread} of them cannot be read)", self.text),
        }
    }

    /// Leaves `count` of the pictures, evenly spread, where there are more; says whether there were.
    pub(super) fn shorten(&mut self, count: usize) -> bool {
        let split = &mut self.pictures.split;
        if count >= split.len() {
            return false;
        }
        *split = split.spread(count);
        self.text = format!("{count} of {}", self.text);
        true
    }

    /// Pictures that are measured together; none where features are.
    pub(super) fn together(&self) -> usize {
        let Measured { split, options, .. } = &self.pictures;
        match self.features {
            None => options.batch.min(split.len()),
            Some(_) => 0,
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
    ) -> Result<Option<Evaluation>> {
        self.measure(learner.validated_net()?, watch)
    }

    /// Measures `net`; nothing where `watch` wants to stop meanwhile.
    ///
    /// # Errors
    /// Those of [`Validation::scores`].
    pub(super) fn measure(
        &mut self,
        net: ResNet,
        watch: &mut dyn Watch,
    ) -> Result<Option<Evaluation>> {
        let Measured {
            split,
            transform,
            options,
        } = &self.pictures;
        if let Some(features) = &self.features {
            return of_features(features, &net, &self.labels, split.len()).map(Some);
        }
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
            Ok(evaluation) => Ok(Some(evaluation)),
            Err(error) if error.is::<Stop>() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Measures the head of a probe by the features of those of `total` pictures that could be read.
fn of_features(
    features: &Features,
    net: &ResNet,
    labels: &[String],
    total: usize,
) -> Result<Evaluation> {
    let start = Instant::now();
    let mut metrics = Metrics::new(labels.len());
    let mut records = Vec::with_capacity(features.count());
    let all: Vec<u32> = (0..features.count() as u32).collect();
    for places in all.chunks(FEATURES_A_BATCH) {
        let (Input::Features(x) | Input::Pictures(x), _) = features.batch(places)?;
        let logits: Tensor = net.head().forward(&x)?.to_dtype(DType::F64)?;
        for (&place, logits) in places.iter().zip(logits.to_vec2::<f64>()?) {
            let (index, class) = features.picture(place as usize);
            let judgement = metrics.add(class, &logits)?;
            records.push(Record::new(index, class, &judgement));
        }
    }
    Ok(Evaluation::new(&metrics, labels, total, start, records))
}
