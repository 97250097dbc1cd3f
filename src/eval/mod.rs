//! How well a net recognises the pictures of a split: loss, accuracy, and the figures of each class.
//!
//! The pictures go the same way as in [`crate::predict`], and are counted in their order, so that the figures do not depend
//! on threads. `train` validates by the same function that `resnet eval` runs.

pub mod calibration;
pub mod classes;
pub mod comparison;
pub mod interval;
pub mod mcnemar;
pub mod metrics;
pub mod output;
pub mod records;

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use crate::data::sets::Split;
use crate::data::{DecodeOptions, Loader, Transform};
use crate::error::hinted;
use crate::infer::Engine;
pub use calibration::Calibration;
pub use classes::Matched;
pub use comparison::{Compared, Comparison, ComparisonData, Contender};
pub use metrics::{ClassMetrics, Judgement, Metrics};
pub use output::{Output, OutputFolder, Report};
pub use records::Record;

/// How pictures are evaluated.
#[derive(Debug, Clone)]
pub struct EvalOptions {
    /// Pictures that run together.
    pub batch: usize,
    /// Threads that read and prepare pictures.
    pub workers: usize,
    /// How picture files are read.
    pub decoding: DecodeOptions,
    /// Whether a picture that cannot be read ends it; else it is skipped.
    pub strict: bool,
}

/// What happens while pictures are evaluated.
#[derive(Debug)]
pub enum Event<'a> {
    /// A picture is counted.
    Picture {
        /// Which of the split's.
        index: usize,
        /// Its class.
        class: usize,
        /// What the net made of it.
        judgement: Judgement,
        /// What the net's last layer gave, one a class.
        logits: &'a [f64],
    },
    /// A picture is skipped, as it cannot be read.
    Unreadable {
        /// Which of the split's.
        index: usize,
        /// Why, with the picture's name.
        error: &'a anyhow::Error,
    },
    /// A batch is done.
    Progress {
        /// Pictures so far.
        done: usize,
        /// Pictures of the split.
        total: usize,
    },
}

/// How well a net recognises the pictures of a split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Pictures counted.
    pub images: usize,
    /// Pictures left out, as they cannot be read.
    pub skipped: usize,
    /// Mean cross entropy, in natural logarithms.
    pub loss: f64,
    /// Percent of the pictures whose class ranks first.
    pub top1: f64,
    /// Percent of the pictures whose class is among the first five; nothing below five classes.
    pub top5: Option<f64>,
    /// Wall time, reading the pictures included.
    pub seconds: f64,
    /// Pictures counted a second.
    pub images_per_second: f64,
    /// The figures of each class.
    pub classes: Vec<ClassMetrics>,
    /// Pictures by true class (row) and predicted class (column).
    pub confusion: Vec<Vec<u64>>,
    /// What the net made of each picture counted, in their order.
    #[serde(skip)]
    pub records: Vec<Record>,
}

/// Evaluates the net of `engine` on all pictures of `split`, prepared by `transform`, in their order.
///
/// `labels` has one name a class of the net, of which the split's classes are numbers. `each` is told of every picture in
/// order; an error of it ends the evaluation.
///
/// # Errors
/// Those of `each`; a split without pictures, or without one that can be read; logits that are not finite, with the
/// picture's name; with `strict`, the first picture that cannot be read.
pub fn evaluate(
    engine: &mut Engine,
    split: &Split,
    transform: &Transform,
    labels: &[String],
    options: &EvalOptions,
    each: &mut dyn FnMut(Event) -> Result<()>,
) -> Result<Evaluation> {
    let total = split.len();
    if total == 0 {
        bail!(hinted(
            "there is no picture to evaluate",
            "pass data with pictures in this split"
        ));
    }
    let length = transform.input_len();
    if let Some(input) = split.input(0) {
        ensure!(
            input.len() == length,
            "{} has {} numbers, and the model reads {length}",
            split.name(0),
            input.len()
        );
    }
    let start = Instant::now();
    let batch = options.batch.clamp(1, total);
    engine.ensure_memory(batch)?;
    let mut loader = Loader::of(split, transform, options.decoding, options.workers)?;
    let mut metrics = Metrics::new(labels.len());
    let mut records = Vec::with_capacity(total);
    for first in (0..total).step_by(batch) {
        let indices = first..(first + batch).min(total);
        let mut inputs = Vec::with_capacity(indices.len() * length);
        let mut outcomes = Vec::with_capacity(indices.len());
        for loaded in loader.by_ref().take(indices.len()) {
            match loaded.map(|input| inputs.extend_from_slice(&input)) {
                Err(error) if options.strict => return Err(error),
                outcome => outcomes.push(outcome),
            }
        }
        let read = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let logits = match read {
            0 => Vec::new(),
            _ => engine.logits(inputs, read)?,
        };
        ensure!(
            logits.len() == read * labels.len(),
            "the net has {} classes, and {} are named",
            logits.len() / read.max(1),
            labels.len()
        );
        let mut rows = logits.chunks_exact(labels.len().max(1));
        for (index, outcome) in indices.clone().zip(outcomes) {
            let class = split.classes()[index] as usize;
            if let Err(error) = outcome {
                each(Event::Unreadable {
                    index,
                    error: &error,
                })?;
                continue;
            }
            let logits = rows.next().unwrap_or_default();
            let judgement = metrics
                .add(class, logits)
                .with_context(|| format!("cannot evaluate picture `{}`", split.name(index)))?;
            records.push(Record::new(index, class, &judgement));
            each(Event::Picture {
                index,
                class,
                judgement,
                logits,
            })?;
        }
        each(Event::Progress {
            done: indices.end,
            total,
        })?;
    }
    if metrics.images() == 0 {
        bail!(hinted(
            format!("no picture can be read ({total} tried)"),
            "each has a line above that says why, where --quiet does not hide it"
        ));
    }
    Ok(Evaluation::new(&metrics, labels, total, start, records))
}

impl Evaluation {
    /// What came of `total` pictures since `start`, of which those in `records` are counted in `metrics`.
    pub(crate) fn new(
        metrics: &Metrics,
        labels: &[String],
        total: usize,
        start: Instant,
        records: Vec<Record>,
    ) -> Self {
        let images = metrics.images();
        let seconds = start.elapsed().as_secs_f64();
        Self {
            images,
            skipped: total - images,
            loss: metrics.loss(),
            top1: metrics.top1(),
            top5: metrics.top5(),
            seconds,
            images_per_second: images as f64 / seconds,
            classes: metrics.classes(labels),
            confusion: metrics.confusion().to_vec(),
            records,
        }
    }
}
