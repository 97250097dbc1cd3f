//! The training loader: batches of images, or of features if the backbone is frozen.

use crate::data::dataset::Split;
use crate::data::loader::sampler::epoch_order;
use crate::data::loader::train::{BatchOptions, EpochBatches};
use crate::data::transform::augment::TrainTransform;
use crate::nn::Targets;
use crate::train::config::settings::Settings;
use crate::train::context::ExecutionContext;
use crate::train::data::batching::drops_last;
use crate::train::data::features::Features;
use crate::train::learner::forward_backward::Input;
use crate::train::observe::observer::Observer;
use anyhow::{Error, Result};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeSet;

/// Loads the training images in batches.
pub struct TrainLoader {
    source: Source,
    sampler: BatchSampler,
    /// The errors of skipped images.
    unreadable_images: BTreeSet<String>,
    /// Images that the inspection of the data could not read.
    known_unreadable: usize,
    /// Data-loading threads.
    workers: usize,
    /// Maximum number of images that a trial trains on.
    trial_images: Option<usize>,
}

enum Source {
    Images {
        split: Split,
        transform: TrainTransform,
        options: BatchOptions,
        dtype: DType,
        device: Device,
    },
    Features(Features),
}

/// The division of an epoch into batches.
#[derive(Debug, Clone, Copy)]
struct BatchSampler {
    batch_size: usize,
    drop_last: bool,
    shuffle: bool,
    seed: u64,
    /// The smallest batch that batch norm can be trained on.
    fewest: usize,
}

/// A training batch.
#[derive(Debug)]
pub struct TrainBatch {
    /// From 0 in the epoch.
    pub number: usize,
    /// The input of the network.
    pub input: Input,
    /// The targets of the loss.
    pub targets: Targets,
    /// The errors of images that could not be read, each with the image's name.
    pub unreadable: Vec<Error>,
}

impl TrainLoader {
    /// Creates a loader of images. `fewest` is the smallest batch that batch norm can be trained on.
    ///
    /// # Errors
    /// If the transform cannot be created.
    pub fn images(
        split: Split,
        settings: &Settings,
        classes: usize,
        fewest: usize,
        context: &ExecutionContext,
    ) -> Result<Self> {
        let sampler = BatchSampler::new(settings, split.len(), fewest);
        let options = BatchOptions {
            batch_size: sampler.batch_size,
            seed: sampler.seed,
            epoch: 0,
            shuffle: sampler.shuffle,
            drop_last: sampler.drop_last,
            first_batch: 0,
            workers: context.workers,
            decoding: settings.decoding,
            classes,
        };
        Ok(Self {
            source: Source::Images {
                transform: TrainTransform::new(&settings.preprocess, settings.augmentation)?,
                split,
                options,
                dtype: settings.dtype,
                device: context.device.clone(),
            },
            sampler,
            unreadable_images: BTreeSet::new(),
            known_unreadable: 0,
            workers: context.workers,
            trial_images: None,
        })
    }

    /// Creates a loader of features.
    pub fn features(features: Features, settings: &Settings, workers: usize) -> Self {
        Self {
            sampler: BatchSampler::new(settings, features.count(), 1),
            source: Source::Features(features),
            unreadable_images: BTreeSet::new(),
            known_unreadable: 0,
            workers,
            trial_images: None,
        }
    }

    /// Returns the images if each is the same input in every epoch.
    pub fn unvaried(&self) -> Option<&Split> {
        match &self.source {
            Source::Images {
                split, transform, ..
            } if transform.is_deterministic() && split.input(0).is_none() => Some(split),
            _ => None,
        }
    }

    /// Returns the number of images.
    pub fn count(&self) -> usize {
        match &self.source {
            Source::Images { split, .. } => split.len(),
            Source::Features(features) => features.count(),
        }
    }

    /// Returns the number of data-loading threads.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Sets the maximum number of images that a trial trains on.
    pub fn limit_trial(&mut self, count: Option<usize>) {
        self.trial_images = count;
    }

    /// Returns the maximum number of images that a trial trains on.
    pub fn trial_images(&self) -> Option<usize> {
        self.trial_images
    }

    /// Sets the number of images that the inspection of the data could not read.
    pub fn expect_unreadable(&mut self, count: usize) {
        self.known_unreadable = count;
    }

    /// Returns the number of images without those that are known to be unreadable.
    pub fn readable_images(&self) -> usize {
        // Features are of readable images alone.
        let unreadable = if self.is_of_files() {
            self.known_unreadable.max(self.unreadable_images())
        } else {
            0
        };
        self.count() - unreadable
    }

    /// Returns the batches per epoch.
    pub fn batches_an_epoch(&self) -> usize {
        EpochBatches::count(
            self.count(),
            self.sampler.batch_size,
            self.sampler.drop_last,
        )
    }

    /// Returns the images per epoch that fall into a dropped last batch; with shuffling they differ from epoch to epoch.
    pub fn left_over(&self) -> usize {
        if self.sampler.drop_last {
            self.count() % self.sampler.batch_size
        } else {
            0
        }
    }

    /// Returns whether the images are files of a folder.
    pub fn is_of_files(&self) -> bool {
        matches!(&self.source, Source::Images { split, .. } if split.is_of_files())
    }

    /// Returns whether a batch of this many images can be trained on.
    pub fn is_trainable(&self, images: usize) -> bool {
        images >= self.sampler.fewest.max(1)
    }

    /// Returns the batches of epoch `epoch` (from 0) after the first `done`.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn epoch(
        &self,
        epoch: u64,
        done: usize,
    ) -> Result<Box<dyn Iterator<Item = Result<TrainBatch>>>> {
        match &self.source {
            Source::Images {
                split,
                transform,
                options,
                dtype,
                device,
            } => {
                let options = BatchOptions {
                    epoch,
                    first_batch: done,
                    ..*options
                };
                let batches = EpochBatches::new(split, transform, options)?;
                let [height, width] = transform.size();
                let channels = transform.channels();
                let (dtype, device) = (*dtype, device.clone());
                Ok(Box::new(batches.map(move |batch| {
                    let batch = batch?;
                    let shape = (batch.targets.len(), channels, height, width);
                    let x = Tensor::from_vec(batch.inputs, shape, &Device::Cpu)?;
                    Ok(TrainBatch {
                        number: batch.number,
                        input: Input::Images(x.to_dtype(dtype)?.to_device(&device)?),
                        targets: batch.targets,
                        unreadable: batch.unreadable,
                    })
                })))
            }
            Source::Features(features) => {
                let BatchSampler {
                    seed,
                    shuffle,
                    batch_size,
                    ..
                } = self.sampler;
                let order = epoch_order(features.count(), seed, epoch, shuffle);
                let features = features.clone();
                Ok(Box::new((done..self.batches_an_epoch()).map(
                    move |number| {
                        let rest = &order[number * batch_size..];
                        let (input, targets) =
                            features.batch(&rest[..batch_size.min(rest.len())])?;
                        Ok(TrainBatch {
                            number,
                            input,
                            targets,
                            unreadable: Vec::new(),
                        })
                    },
                )))
            }
        }
    }

    /// Returns the number of images that could not be read.
    pub fn unreadable_images(&self) -> usize {
        self.unreadable_images.len()
    }

    /// Tells `observer` that an image was skipped, once per image.
    pub fn skip(&mut self, error: &Error, observer: &mut dyn Observer) {
        if self.unreadable_images.insert(format!("{error:#}")) {
            observer.unreadable(error);
        }
    }
}

impl BatchSampler {
    fn new(settings: &Settings, images: usize, fewest: usize) -> Self {
        let batch_size = settings.batch_size.min(images.max(1));
        Self {
            batch_size: if settings.drop_last {
                settings.batch_size
            } else {
                batch_size
            },
            drop_last: drops_last(images, batch_size, settings.drop_last, fewest),
            shuffle: settings.shuffle,
            seed: settings.seed,
            fewest,
        }
    }
}
