//! Linear probing: the features of a frozen backbone, computed once, replace the images.

use crate::data::dataset::Split;
use crate::data::{DecodeOptions, Loader, Transform};
use crate::infer::{Plan, Workload};
use crate::model::{Frozen, ModelConfig, ResNet};
use crate::nn::Targets;
use crate::ops::Backend;
use crate::text::pluralize;
use crate::train::config::settings::Settings;
use crate::train::data::loader::Feed;
use crate::train::data::validation::Validation;
use crate::train::learner::{Input, Learner};
use crate::train::observe::observer::Watch;
use crate::train::trainer::Run;
use anyhow::{Result, bail};
use candle_core::{Device, Tensor};
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
pub struct FeatureOptions {
    /// Data-loading threads.
    pub workers: usize,
    /// Options of the image decoder.
    pub decoding: DecodeOptions,
    /// An unreadable image is an error.
    pub strict: bool,
}

/// Returns the images whose features are computed once, and the size of the features in bytes; `None` unless only the last
/// layer is trained, images are not augmented, and the features are not too large.
pub(in crate::train) fn kept_features<'a>(
    config: &ModelConfig,
    settings: &Settings,
    feed: &'a Feed,
) -> Option<(&'a Split, usize)> {
    let split = feed.unvaried()?;
    let bytes = split.len() * config.features() * settings.dtype.size_in_bytes();
    let keeps = settings.frozen == Frozen::Backbone && bytes <= MOST_BYTES;
    keeps.then_some((split, bytes))
}

impl Features {
    /// Computes the features of `split`, and reports progress and unreadable images to `watch`; `None` if `watch` wants to stop.
    ///
    /// # Errors
    /// If no image is readable; with `strict`, if any is not.
    pub fn of(
        learner: &Learner,
        split: &Split,
        transform: &Transform,
        options: FeatureOptions,
        watch: &mut dyn Watch,
    ) -> Result<Option<Self>> {
        let weight = learner.net().stem().conv.weight();
        let (dtype, device) = (weight.dtype(), weight.device().clone());
        let mut body = Body::new(learner.net(), transform.size(), split.len())?;
        let mut loader = Loader::of(split, transform, options.decoding, options.workers)?;
        let length = learner.net().config().features();
        let values = Tensor::zeros((split.len(), length), dtype, &device)?;
        let (mut classes, mut read) = (Vec::new(), Vec::new());
        for first in (0..split.len()).step_by(BATCH) {
            let indices = first..(first + BATCH).min(split.len());
            let mut inputs = Vec::with_capacity(indices.len() * transform.input_len());
            let before = classes.len();
            for (index, loaded) in indices.clone().zip(&mut loader) {
                match loaded {
                    Ok(input) => {
                        inputs.extend_from_slice(&input);
                        classes.push(split.classes()[index]);
                        read.push(index as u32);
                    }
                    Err(error) if options.strict => return Err(error),
                    Err(error) => watch.unreadable(&error),
                }
            }
            let pictures = classes.len() - before;
            if pictures > 0 {
                values.slice_set(&body.features(inputs, pictures)?, 0, before)?;
            }
            watch.looked_at("computing features", indices.end, split.len());
            if watch.wants_to_stop() {
                return Ok(None);
            }
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

    /// Returns the class of each image.
    pub fn classes(&self) -> &[u32] {
        &self.classes
    }

    /// Returns the index in the split of the image at `place`, and its class.
    pub fn picture(&self, place: usize) -> (usize, usize) {
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
    Net(&'a ResNet, [usize; 2]),
}

impl<'a> Body<'a> {
    /// Prepares `net` for `pictures` images of height and width `size`.
    fn new(net: &'a ResNet, size: [usize; 2], pictures: usize) -> Result<Self> {
        if Backend::of(net.stem().conv.weight()) == Backend::Candle {
            return Ok(Self::Net(net, size));
        }
        let batch = BATCH.min(pictures);
        let plan = Plan::of_features(
            net,
            size[0],
            size[1],
            Workload {
                batch,
                images: pictures,
            },
        )?;
        plan.ensure_memory(batch)?;
        Ok(Self::Plan(plan))
    }

    /// Returns the features `[images, features]` of inputs `[images, C, H, W]`.
    fn features(&mut self, inputs: Vec<f32>, pictures: usize) -> Result<Tensor> {
        match self {
            Self::Plan(plan) => {
                let features = plan.run(&inputs)?;
                let shape = (pictures, features.len() / pictures);
                Ok(Tensor::from_vec(features, shape, &Device::Cpu)?)
            }
            Self::Net(net, [height, width]) => {
                let shape = (pictures, net.config().in_channels, *height, *width);
                let weight = net.stem().conv.weight();
                let x = Tensor::from_vec(inputs, shape, &Device::Cpu)?
                    .to_dtype(weight.dtype())?
                    .to_device(weight.device())?;
                Ok(net.pooled(&x)?.contiguous()?)
            }
        }
    }
}

impl Run {
    /// Replaces the images by features if only the last layer is trained and images are not augmented; returns false if `watch`
    /// wanted to stop meanwhile.
    pub(in crate::train) fn compute_features(&mut self, watch: &mut dyn Watch) -> Result<bool> {
        let kept = kept_features(&self.identity.config, &self.settings, &self.feed);
        let Some((train, _)) = kept else {
            return Ok(true);
        };
        let train = match self.looked_at {
            Some(most) => train.spread(most),
            None => train.clone(),
        };
        watch.note(&format!(
            "computing the features of {} once",
            pluralize(
                train.len() + self.validation.as_ref().map_or(0, Validation::images),
                "image"
            )
        ));
        let transform = Transform::new(&self.settings.preprocess)?;
        let options = FeatureOptions {
            workers: self.workers,
            decoding: self.settings.decoding,
            strict: self.settings.strict,
        };
        let compute = |split: &Split, watch: &mut dyn Watch| {
            Features::of(&self.learner, split, &transform, options, watch)
        };
        let Some(features) = compute(&train, watch)? else {
            return Ok(false);
        };
        if let Some(validation) = &mut self.validation {
            let Some(features) = compute(&validation.pictures.split, watch)? else {
                return Ok(false);
            };
            validation.features = Some(features);
        }
        self.feed = Feed::features(features, &self.settings);
        Ok(true)
    }
}
