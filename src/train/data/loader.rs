//! The training loader: batches of images, or of features if the backbone is frozen.

use crate::data::dataset::Split;
use crate::data::loader::sampler::epoch_order;
use crate::data::loader::train::{BatchOptions, Batches};
use crate::data::transform::augment::TrainTransform;
use crate::nn::Targets;
use crate::train::config::settings::Settings;
use crate::train::context::Site;
use crate::train::data::batching::drops_last;
use crate::train::data::features::Features;
use crate::train::learner::Input;
use crate::train::observe::observer::Watch;
use anyhow::{Error, Result};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeSet;

/// Loads the training images in batches.
pub struct Feed {
    source: Source,
    rules: Rules,
    /// The errors of skipped images.
    left_out: BTreeSet<String>,
}

enum Source {
    Pictures {
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
struct Rules {
    batch_size: usize,
    drop_last: bool,
    shuffle: bool,
    seed: u64,
    /// The smallest batch that batch norm can be trained on.
    fewest: usize,
}

/// A training batch.
#[derive(Debug)]
pub struct FedBatch {
    /// From 0 in the epoch.
    pub number: usize,
    /// The input of the network.
    pub input: Input,
    /// The targets of the loss.
    pub targets: Targets,
    /// The errors of images that could not be read, each with the image's name.
    pub unreadable: Vec<Error>,
}

impl Feed {
    /// Creates a loader of images. `fewest` is the smallest batch that batch norm can be trained on.
    ///
    /// # Errors
    /// If the transform cannot be created.
    pub fn pictures(
        split: Split,
        settings: &Settings,
        classes: usize,
        fewest: usize,
        site: &Site,
    ) -> Result<Self> {
        let rules = Rules::new(settings, split.len(), fewest);
        let options = BatchOptions {
            batch_size: rules.batch_size,
            seed: rules.seed,
            epoch: 0,
            shuffle: rules.shuffle,
            drop_last: rules.drop_last,
            first_batch: 0,
            workers: site.workers,
            decoding: settings.decoding,
            classes,
        };
        Ok(Self {
            source: Source::Pictures {
                transform: TrainTransform::new(&settings.preprocess, settings.augmentation)?,
                split,
                options,
                dtype: settings.dtype,
                device: site.device.clone(),
            },
            rules,
            left_out: BTreeSet::new(),
        })
    }

    /// Creates a loader of features.
    pub fn features(features: Features, settings: &Settings) -> Self {
        Self {
            rules: Rules::new(settings, features.count(), 1),
            source: Source::Features(features),
            left_out: BTreeSet::new(),
        }
    }

    /// Returns the images if each is the same input in every epoch.
    pub fn unvaried(&self) -> Option<&Split> {
        match &self.source {
            Source::Pictures {
                split, transform, ..
            } if transform.is_deterministic() && split.input(0).is_none() => Some(split),
            _ => None,
        }
    }

    /// Returns the number of images.
    pub fn count(&self) -> usize {
        match &self.source {
            Source::Pictures { split, .. } => split.len(),
            Source::Features(features) => features.count(),
        }
    }

    /// Returns the batches per epoch.
    pub fn batches_an_epoch(&self) -> usize {
        Batches::count(self.count(), self.rules.batch_size, self.rules.drop_last)
    }

    /// Returns the images per epoch that fall into a dropped last batch; with shuffling they differ from epoch to epoch.
    pub fn left_over(&self) -> usize {
        if self.rules.drop_last {
            self.count() % self.rules.batch_size
        } else {
            0
        }
    }

    /// Returns whether the images are files of a folder.
    pub fn is_of_files(&self) -> bool {
        matches!(&self.source, Source::Pictures { split, .. } if split.is_of_files())
    }

    /// Returns whether a batch of this many images can be trained on.
    pub fn can_learn(&self, pictures: usize) -> bool {
        pictures >= self.rules.fewest.max(1)
    }

    /// Returns the batches of epoch `epoch` (from 0) after the first `done`.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn epoch(
        &self,
        epoch: u64,
        done: usize,
    ) -> Result<Box<dyn Iterator<Item = Result<FedBatch>>>> {
        match &self.source {
            Source::Pictures {
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
                let batches = Batches::new(split, transform, options)?;
                let [height, width] = transform.size();
                let channels = transform.channels();
                let (dtype, device) = (*dtype, device.clone());
                Ok(Box::new(batches.map(move |batch| {
                    let batch = batch?;
                    let shape = (batch.targets.len(), channels, height, width);
                    let x = Tensor::from_vec(batch.inputs, shape, &Device::Cpu)?;
                    Ok(FedBatch {
                        number: batch.number,
                        input: Input::Pictures(x.to_dtype(dtype)?.to_device(&device)?),
                        targets: batch.targets,
                        unreadable: batch.unreadable,
                    })
                })))
            }
            Source::Features(features) => {
                let Rules {
                    seed,
                    shuffle,
                    batch_size,
                    ..
                } = self.rules;
                let order = epoch_order(features.count(), seed, epoch, shuffle);
                let features = features.clone();
                Ok(Box::new((done..self.batches_an_epoch()).map(
                    move |number| {
                        let rest = &order[number * batch_size..];
                        let (input, targets) =
                            features.batch(&rest[..batch_size.min(rest.len())])?;
                        Ok(FedBatch {
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
    pub fn left_out(&self) -> usize {
        self.left_out.len()
    }

    /// Tells `watch` that an image was skipped, once per image.
    pub fn leave_out(&mut self, error: &Error, watch: &mut dyn Watch) {
        if self.left_out.insert(format!("{error:#}")) {
            watch.unreadable(error);
        }
    }
}

impl Rules {
    fn new(settings: &Settings, pictures: usize, fewest: usize) -> Self {
        let batch_size = settings.batch_size.min(pictures.max(1));
        Self {
            batch_size: if settings.drop_last {
                settings.batch_size
            } else {
                batch_size
            },
            drop_last: drops_last(pictures, batch_size, settings.drop_last, fewest),
            shuffle: settings.shuffle,
            seed: settings.seed,
            fewest,
        }
    }
}
