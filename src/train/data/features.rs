//! Linear probing: the features of a frozen backbone, computed once, replace the images.

use crate::data::dataset::Split;
use crate::data::{DecodeOptions, EvalLoader, EvalTransform};
use crate::distributed::{BatchResults, Processes, Share, Stopped};
use crate::infer::{Plan, Workload};
use crate::model::{Frozen, ModelConfig, ResNet};
use crate::nn::Targets;
use crate::ops::Backend;
use crate::train::config::settings::Settings;
use crate::train::learner::forward_backward::Input;
use crate::train::observe::observer::Observer;
use anyhow::{Result, bail};
use candle_core::{DType, Device, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// Maximum size of features in bytes; beyond it they are computed again in each epoch.
const MOST_BYTES: usize = 4 << 30;

/// The pooled features of a split's readable images.
#[derive(Debug, Clone)]
pub struct Features {
    values: Tensor, // [images, features]
    classes: Arc<[u32]>,
    /// The index of each image in the split.
    indices: Arc<[u32]>,
}

/// Images per batch.
pub(in crate::train) const BATCH: usize = 32;

/// Options of the feature computation.
#[derive(Debug, Clone, Copy)]
pub struct FeatureOptions<'a> {
    /// Data-loading threads.
    pub workers: usize,
    /// Options of the image decoder.
    pub decoding: DecodeOptions,
    /// An unreadable image is an error.
    pub strict: bool,
    /// Processes that share out the batches; all receive all features.
    pub processes: &'a Processes,
}

/// Returns the size in bytes of the features of `images` images; `None` unless they are computed once, as only the last layer is
/// trained and they are not too large.
pub(in crate::train) fn cached_bytes(
    config: &ModelConfig,
    settings: &Settings,
    images: usize,
) -> Option<usize> {
    let bytes = images * config.features() * settings.dtype.size_in_bytes();
    (settings.frozen == Frozen::Backbone && bytes <= MOST_BYTES).then_some(bytes)
}

impl Features {
    /// Computes the features of `split` with `model`, and reports progress and unreadable images to `observer`; `None` if `observer` wants
    /// to stop, in any process.
    ///
    /// # Errors
    /// If no image is readable; with `strict`, if any is not.
    pub fn of(
        model: &ResNet,
        split: &Split,
        transform: &EvalTransform,
        options: FeatureOptions<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Option<Self>> {
        let weight = model.first_weight();
        let (dtype, device) = (weight.dtype(), weight.device().clone());
        let mut body = Body::new(model, transform.size(), split.len())?;
        let share = Share::new(split.len(), BATCH, options.processes);
        let mut loader =
            EvalLoader::shared(split, &share, transform, options.decoding, options.workers)?;
        let length = model.config().features();
        let values = Tensor::zeros((split.len(), length), dtype, &device)?;
        let (mut classes, mut read) = (Vec::new(), Vec::new());
        let compute = |indices: Range<usize>| {
            let (inputs, items) = loader.read_batch(indices.len());
            let images = items.iter().filter(|outcome| outcome.is_ok()).count();
            let values = match images {
                0 => Vec::new(),
                _ => body.features(inputs, images)?,
            };
            Ok(BatchResults { items, values })
        };
        let done = share.run(compute, |indices, batch| {
            let before = classes.len();
            for (index, outcome) in indices.clone().zip(batch.items) {
                match outcome {
                    Ok(()) => {
                        classes.push(split.classes()[index]);
                        read.push(index as u32);
                    }
                    Err(error) => {
                        let error = share
                            .name(index, error, || split.is_readable(index, &options.decoding));
                        if options.strict {
                            return Err(error);
                        }
                        observer.unreadable(&error);
                    }
                }
            }
            let images = classes.len() - before;
            if images > 0 {
                let features = Tensor::from_vec(batch.values, (images, length), &Device::Cpu)?;
                let features = features.to_dtype(dtype)?.to_device(&device)?;
                values.slice_set(&features, 0, before)?;
            }
            observer.progress("computing features", indices.end, split.len());
            if observer.should_stop() {
                return Err(Stopped.into());
            }
            Ok(())
        });
        match done {
            Err(error) if error.is::<Stopped>() => return Ok(None),
            done => done?,
        }
        if classes.is_empty() {
            bail!("no image is readable ({} tried)", split.len());
        }
        Ok(Some(Self {
            values: values.narrow(0, 0, classes.len())?,
            classes: classes.into(),
            indices: read.into(),
        }))
    }

    /// Returns the number of images.
    pub fn count(&self) -> usize {
        self.classes.len()
    }

    /// Returns the index in the split of the image at `place`, and its class.
    pub fn image(&self, place: usize) -> (usize, usize) {
        (self.indices[place] as usize, self.classes[place] as usize)
    }

    /// Returns the features and classes of the images at `indices`.
    ///
    /// # Errors
    /// If the device lacks memory.
    pub fn batch(&self, indices: &[u32]) -> Result<(Input, Targets)> {
        let places = Tensor::new(indices, self.values.device())?;
        let classes = indices.iter().map(|&index| self.classes[index as usize]);
        Ok((
            Input::Features(self.values.index_select(&places, 0)?),
            Targets::Classes(classes.collect()),
        ))
    }
}

/// Computes features: with the compiled forward pass if available, else with the network itself.
enum Body<'a> {
    Plan(Plan),
    Network(&'a ResNet, [usize; 2]),
}

impl<'a> Body<'a> {
    /// Prepares `model` for `images` images of height and width `size`.
    fn new(model: &'a ResNet, size: [usize; 2], images: usize) -> Result<Self> {
        if Backend::of(model.first_weight()) == Backend::Candle {
            return Ok(Self::Network(model, size));
        }
        let batch = BATCH.min(images);
        let plan = Plan::of_features(model, size[0], size[1], Workload { batch, images })?;
        plan.ensure_memory(batch)?;
        Ok(Self::Plan(plan))
    }

    /// Returns the features `[images, features]` of inputs `[images, C, H, W]`, exactly.
    fn features(&mut self, inputs: Vec<f32>, images: usize) -> Result<Vec<f64>> {
        match self {
            Self::Plan(plan) => {
                let features = plan.run(&inputs)?;
                Ok(features.into_iter().map(f64::from).collect())
            }
            Self::Network(model, [height, width]) => {
                let shape = (images, model.config().in_channels, *height, *width);
                let weight = model.first_weight();
                let x = Tensor::from_vec(inputs, shape, &Device::Cpu)?
                    .to_dtype(weight.dtype())?
                    .to_device(weight.device())?;
                let features = model.pooled(&x)?.to_device(&Device::Cpu)?;
                Ok(features.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
            }
        }
    }
}
