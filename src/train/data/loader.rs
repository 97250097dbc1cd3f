//! The training loader: batches of images, or of features if the backbone is frozen.

use crate::data::UnreadableImage;
use crate::data::dataset::Split;
use crate::data::loader::sampler::epoch_order;
use crate::data::loader::train::{BatchOptions, EpochBatches, Shard};
use crate::data::transform::augment::TrainTransform;
use crate::distributed::tree::{Shards, part};
use crate::nn::Targets;
use crate::train::config::settings::Settings;
use crate::train::context::ExecutionContext;
use crate::train::data::batching::drops_last;
use crate::train::data::features::Features;
use crate::train::learner::forward_backward::Input;
use crate::train::observe::observer::Observer;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeSet;

/// Loads the training images in batches.
pub struct TrainLoader {
    source: Source,
    sampler: BatchSampler,
    /// The numbers of skipped images.
    unreadable_images: BTreeSet<usize>,
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
        transform: Box<TrainTransform>,
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
    /// The smallest shard of one.
    fewest_of_shard: usize,
    shards: Shards,
    rank: usize,
}

/// A training batch, as far as this process has it.
#[derive(Debug)]
pub struct TrainBatch {
    /// From 0 in the epoch.
    pub number: usize,
    /// The images of the whole batch, readable or not.
    pub images: usize,
    /// The shards into which the batch is cut.
    pub used: usize,
    /// The shards of this process.
    pub shards: Vec<TrainShard>,
    /// The images that could not be read.
    pub unreadable: Vec<UnreadableImage>,
}

/// A shard of a training batch.
#[derive(Debug)]
pub struct TrainShard {
    /// From 0 in the batch.
    pub number: usize,
    /// The input of the network.
    pub input: Input,
    /// The targets of the loss.
    pub targets: Targets,
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
        let sampler = BatchSampler::new(settings, split.len(), fewest, context);
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
            shards: sampler.shards,
            rank: sampler.rank,
            fewest: sampler.fewest_of_shard,
        };
        Ok(Self {
            source: Source::Images {
                transform: Box::new(TrainTransform::new(
                    &settings.preprocess,
                    settings.augmentation,
                )?),
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

    /// Creates a loader of features in the place of this one.
    pub fn with_features(&self, features: Features, settings: &Settings) -> Self {
        let sampler = BatchSampler {
            fewest: 1,
            fewest_of_shard: 1,
            ..self.sampler
        };
        Self {
            sampler: sampler.over(settings, features.count()),
            source: Source::Features(features),
            unreadable_images: BTreeSet::new(),
            known_unreadable: 0,
            workers: self.workers,
            trial_images: None,
        }
    }

    /// Returns the shards of a batch.
    pub fn shards(&self) -> Shards {
        self.sampler.shards
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

    /// Returns the fewest images of a batch or shard that can be trained on.
    pub fn fewest(&self) -> usize {
        self.sampler.fewest
    }

    /// Returns whether a batch or shard of this many images can be trained on.
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
                    let shard = |shard: Shard| {
                        let shape = (shard.targets.len(), channels, height, width);
                        let x = Tensor::from_vec(shard.inputs, shape, &Device::Cpu)?;
                        Ok(TrainShard {
                            number: shard.number,
                            input: Input::Images(x.to_dtype(dtype)?.to_device(&device)?),
                            targets: shard.targets,
                        })
                    };
                    Ok(TrainBatch {
                        number: batch.number,
                        images: batch.images,
                        used: batch.used,
                        shards: batch.shards.into_iter().map(shard).collect::<Result<_>>()?,
                        unreadable: batch.unreadable,
                    })
                })))
            }
            Source::Features(features) => {
                let sampler = self.sampler;
                let BatchSampler { seed, shuffle, .. } = sampler;
                let order = epoch_order(features.count(), seed, epoch, shuffle);
                let features = features.clone();
                Ok(Box::new((done..self.batches_an_epoch()).map(
                    move |number| {
                        let rest = &order[number * sampler.batch_size..];
                        let batch = &rest[..sampler.batch_size.min(rest.len())];
                        let used = sampler.shards.used(batch.len(), sampler.fewest_of_shard);
                        let own = sampler.shards.own(sampler.rank, used);
                        let shard = |number| {
                            let images = &batch[part(batch.len(), used, number)];
                            let (input, targets) = features.batch(images)?;
                            Ok(TrainShard {
                                number,
                                input,
                                targets,
                            })
                        };
                        Ok(TrainBatch {
                            number,
                            images: batch.len(),
                            used,
                            shards: own.map(shard).collect::<Result<_>>()?,
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
    pub fn skip(&mut self, image: &UnreadableImage, observer: &mut dyn Observer) {
        if self.unreadable_images.insert(image.index) {
            observer.unreadable(&image.error);
        }
    }

    /// Returns whether this process can read an image.
    pub fn is_readable(&self, index: usize) -> bool {
        match &self.source {
            Source::Images { split, options, .. } => split.is_readable(index, &options.decoding),
            Source::Features(_) => true,
        }
    }
}

impl BatchSampler {
    fn new(settings: &Settings, images: usize, fewest: usize, context: &ExecutionContext) -> Self {
        let processes = &context.processes;
        let sampler = Self {
            batch_size: settings.batch_size,
            drop_last: settings.drop_last,
            shuffle: settings.shuffle,
            seed: settings.seed,
            fewest,
            fewest_of_shard: settings.fewest_of_shard(fewest),
            shards: Shards::new(settings.shards.max(processes.size()), processes.size()),
            rank: processes.rank(),
        };
        sampler.over(settings, images)
    }

    /// Returns the division of `images` images.
    fn over(self, settings: &Settings, images: usize) -> Self {
        let batch_size = settings.batch_size.min(images.max(1));
        Self {
            batch_size: if settings.drop_last {
                settings.batch_size
            } else {
                batch_size
            },
            drop_last: drops_last(images, batch_size, settings.drop_last, self.fewest),
            ..self
        }
    }
}

#[cfg(test)]
mod tests;
