//! A linear probe: the features of a frozen backbone, computed once, in place of pictures.

use super::feed::Feed;
use super::learner::{Input, Learner};
use super::run::Run;
use super::settings::Settings;
use super::validation::Validation;
use super::watch::Watch;
use crate::data::sets::Split;
use crate::data::{DecodeOptions, Loader, Transform};
use crate::infer::{Plan, Work};
use crate::model::{Frozen, ModelConfig, ResNet};
use crate::nn::Targets;
use crate::ops::Form;
use crate::words::counted;
use anyhow::{Result, bail};
use candle_core::{Device, Tensor};
use std::sync::Arc;

/// Features beyond so many bytes are computed again in each epoch rather than kept.
const MOST_BYTES: usize = 4 << 30;

/// The pooled features of a split's pictures that can be read.
#[derive(Debug, Clone)]
pub struct Features {
    values: Tensor, // [pictures, features]
    classes: Arc<[u32]>,
    /// Which of the split's each picture is.
    indices: Arc<[u32]>,
}

/// Pictures that run together.
pub(super) const BATCH: usize = 32;

/// How features are computed.
#[derive(Debug, Clone, Copy)]
pub struct FeatureOptions {
    /// Threads that read and prepare pictures.
    pub workers: usize,
    /// How picture files are read.
    pub decoding: DecodeOptions,
    /// A picture that cannot be read ends it.
    pub strict: bool,
}

/// The pictures whose features are computed once and kept, and the bytes that these take: nothing but the last layer learns, no
/// picture is varied, and there is room.
pub(super) fn kept_features<'a>(
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
    /// Computes the features of `split`, and tells `watch` how far it is and of pictures that cannot be read; nothing where
    /// `watch` wants to stop meanwhile.
    ///
    /// # Errors
    /// A split without a picture that can be read; with `strict`, the first that cannot.
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
            bail!("no picture can be read ({} tried)", split.len());
        }
        Ok(Some(Self {
            values: values.narrow(0, 0, classes.len())?,
            classes: classes.into(),
            indices: read.into(),
        }))
    }

    /// Pictures.
    pub fn count(&self) -> usize {
        self.classes.len()
    }

    /// The class of each picture.
    pub fn classes(&self) -> &[u32] {
        &self.classes
    }

    /// Which of the split's the picture at `place` is, and its class.
    pub fn picture(&self, place: usize) -> (usize, usize) {
        (self.indices[place] as usize, self.classes[place] as usize)
    }

    /// The features and classes of the pictures at `indices`.
    ///
    /// # Errors
    /// Where the device lacks memory.
    pub fn batch(&self, indices: &[u32]) -> Result<(Input, Targets)> {
        let places = Tensor::new(indices, self.values.device())?;
        let classes = indices.iter().map(|&index| self.classes[index as usize]);
        Ok((
            Input::Features(self.values.index_select(&places, 0)?),
            Targets::Classes(classes.collect()),
        ))
    }
}

/// What computes features: the compiled pass where it runs, else the net itself.
enum Body<'a> {
    Plan(Plan),
    Net(&'a ResNet, [usize; 2]),
}

impl<'a> Body<'a> {
    /// Prepares `net` for `pictures` pictures of height and width `size`.
    fn new(net: &'a ResNet, size: [usize; 2], pictures: usize) -> Result<Self> {
        if Form::of(net.stem().conv.weight()) == Form::Portable {
            return Ok(Self::Net(net, size));
        }
        let batch = BATCH.min(pictures);
        let plan = Plan::of_features(net, size[0], size[1], Work { batch, pictures })?;
        plan.ensure_memory(batch)?;
        Ok(Self::Plan(plan))
    }

    /// Features `[pictures, features]` of inputs `[pictures, C, H, W]`.
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
    /// Puts features in place of pictures, where nothing but the last layer learns and pictures are not varied; says
    /// whether it came to an end before `watch` wanted to stop.
    pub(super) fn compute_features(&mut self, watch: &mut dyn Watch) -> Result<bool> {
        let kept = kept_features(&self.identity.config, &self.settings, &self.feed);
        let Some((train, _)) = kept else {
            return Ok(true);
        };
        let train = match self.looked_at {
            Some(most) => train.spread(most),
            None => train.clone(),
        };
        watch.note(&format!(
            "the features of {} are computed once",
            counted(
                train.len() + self.validation.as_ref().map_or(0, Validation::images),
                "picture"
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
