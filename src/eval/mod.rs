//! Evaluation of a model on the images of a split: loss, accuracy, and metrics of each class.
//!
//! Images are processed as in [`crate::predict`], and are counted in order, so that the metrics depend neither on threads nor on
//! processes. `train` validates with the same function that `resnet eval` uses.

pub(crate) mod calibration;
pub(crate) mod class_mapping;
pub(crate) mod history;
pub mod interval;
pub mod mcnemar;
pub(crate) mod metrics;
pub(crate) mod records;
mod single_label;

use std::ops::Range;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use crate::data::dataset::Split;
use crate::data::dataset::fingerprint::hash_of;
use crate::data::{DecodeOptions, EvalLoader, EvalTransform};
use crate::distributed::{BatchResults, Processes, Share};
use crate::error::{error_with_hint, setting};
use crate::infer::Engine;
use crate::message;
use crate::pipeline::{OF_MODEL, model_hash};
pub use calibration::Calibration;
pub(crate) use class_mapping::ClassMapping;
pub use history::Epoch;
pub use metrics::{ClassMetrics, ImageResult, Metrics};
pub use records::Record;
pub(crate) use single_label::{ensure_single_label, note_of_outputs};

/// Options of an evaluation.
#[derive(Debug, Clone)]
pub struct EvalOptions {
    /// Number of images per batch.
    pub batch: usize,
    /// Number of threads that load and preprocess images.
    pub workers: usize,
    /// Decoding options of image files.
    pub decoding: DecodeOptions,
    /// True if an unreadable image ends the evaluation; otherwise it is skipped.
    pub strict: bool,
    /// Processes that share out the batches; all receive all events and the whole evaluation.
    pub processes: Processes,
}

/// An event during an evaluation.
#[derive(Debug)]
pub enum EvalEvent<'a> {
    /// An image is counted.
    Image {
        /// Index of the image in the split.
        index: usize,
        /// Its class.
        class: usize,
        /// Its result.
        result: ImageResult,
        /// Its logits, one per class.
        logits: &'a [f64],
    },
    /// An image is skipped because it cannot be read.
    Unreadable {
        /// Index of the image in the split.
        index: usize,
        /// The reason, with the name of the image.
        error: &'a anyhow::Error,
    },
    /// A batch is finished.
    Progress {
        /// Number of images so far.
        done: usize,
        /// Number of images in the split.
        total: usize,
    },
}

/// The result of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Number of images counted.
    pub images: usize,
    /// Number of unreadable images that were skipped.
    pub skipped: usize,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Percent of the images whose class ranks first.
    pub top1: f64,
    /// Percent of the images whose class is among the first five; `None` below five classes.
    pub top5: Option<f64>,
    /// Wall time in seconds, including the reading of images.
    pub seconds: f64,
    /// Images per second.
    pub images_per_second: f64,
    /// Metrics of each class.
    pub classes: Vec<ClassMetrics>,
    /// Numbers of images by true class (row) and predicted class (column).
    pub confusion: Vec<Vec<u64>>,
    /// Result of each image counted, in order.
    #[serde(skip)]
    pub records: Vec<Record>,
}

/// Evaluates the network of `engine` on all images of `split`, preprocessed by `transform`, in order.
///
/// `labels` has one name per class of the network; the classes of the split are indices into it. `each` is called for
/// every image in order; an error that it returns ends the evaluation, of all processes.
///
/// # Errors
/// Errors of `each`, which are [`Stopped`](crate::distributed::Stopped) in the other processes; if the split has no images, or
/// none that can be read; if logits are not finite, with the name of the image; with `strict`, for the first image that cannot be
/// read.
pub fn evaluate(
    engine: &mut Engine,
    split: &Split,
    transform: &EvalTransform,
    labels: &[String],
    options: &EvalOptions,
    each: &mut dyn FnMut(EvalEvent) -> Result<()>,
) -> Result<Evaluation> {
    let total = split.len();
    if total == 0 {
        bail!(error_with_hint(
            "there are no images to evaluate",
            "pass data with images in this split"
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
    let share = Share::new(total, batch, &options.processes);
    let share = share.with_common("images or classes", || {
        let named = |i: usize| format!("{} {}", split.classes()[i], split.name(i));
        Ok(hash_of(&(0..total).map(named).collect::<Vec<_>>()))
    })?;
    let share = share.with_common(OF_MODEL, || model_hash(engine, transform, options.decoding))?;
    let loader = engine.ensure_memory(batch).and_then(|()| {
        EvalLoader::shared(split, &share, transform, options.decoding, options.workers)
    });
    let mut loader = options.processes.all_ok(loader)?;
    let mut metrics = Metrics::new(labels.len());
    let mut records = Vec::with_capacity(total);
    let compute = |indices: Range<usize>| {
        let (inputs, items) = loader.read_batch(indices.len());
        let read = items.iter().filter(|outcome| outcome.is_ok()).count();
        let values = match read {
            0 => Vec::new(),
            _ => engine.logits(inputs, read)?,
        };
        ensure!(
            values.len() == read * labels.len(),
            "the model has {} classes, but {} have names",
            values.len() / read.max(1),
            labels.len()
        );
        Ok(BatchResults { items, values })
    };
    share.run(compute, |indices, BatchResults { items, values }| {
        let mut rows = values.chunks_exact(labels.len().max(1));
        for (index, outcome) in indices.clone().zip(items) {
            let class = split.classes()[index] as usize;
            if let Err(error) = outcome {
                let error =
                    share.name(index, error, || split.is_readable(index, &options.decoding));
                if options.strict {
                    return Err(error);
                }
                each(EvalEvent::Unreadable {
                    index,
                    error: &error,
                })?;
                continue;
            }
            let logits = rows.next().unwrap_or_default();
            let result = metrics
                .add(class, logits)
                .with_context(|| format!("cannot evaluate image `{}`", split.name(index)))?;
            records.push(Record::new(index, class, &result));
            each(EvalEvent::Image {
                index,
                class,
                result,
                logits,
            })?;
        }
        each(EvalEvent::Progress {
            done: indices.end,
            total,
        })
    })?;
    if metrics.images() == 0 {
        bail!(error_with_hint(
            format!("no image can be read ({total} tried)"),
            message![
                "the error of each image says why (hidden by ",
                setting("quiet"),
                ")",
            ]
        ));
    }
    Ok(Evaluation::new(&metrics, labels, total, start, records))
}

impl Evaluation {
    /// Collects the result of `total` images since `start`, of which those in `records` are counted in `metrics`.
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
