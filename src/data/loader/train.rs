//! Training batches: images decoded and augmented on worker threads, and assembled one batch ahead of the step.
//!
//! The contents of a shard depend on the seed, the epoch, and the numbers of its batch and its own alone: not on the threads, on
//! their number, on the process, or on the batch that a run is resumed from. Only the look-ahead is in memory, so a dataset may be larger than memory.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow, bail};

use super::parallel::{OrderedMap, ordered_map_with_look_ahead};
use super::sampler::epoch_order;
use super::unreadable::UnreadableImage;
use crate::data::dataset::Split;
use crate::data::image::decode::DecodeOptions;
use crate::data::image::large_images::LargeImageGate;
use crate::data::transform::augment::TrainTransform;
use crate::data::transform::augment::mix::Mix;
use crate::distributed::tree::{Shards, part};
use crate::error::usage_error;
use crate::nn::Targets;
use crate::random::Random;

/// The most small images that a worker takes at a time: handing over one takes longer than decoding it.
const LARGEST_CHUNK: usize = 16;
/// Values of the inputs in such a chunk.
const CHUNK_NUMBERS: usize = 1 << 16;
/// The most values of inputs that wait to be assembled (half a GiB).
const AHEAD_NUMBERS: usize = 1 << 27;

/// Options of the batches of an epoch.
#[derive(Debug, Clone, Copy)]
pub struct BatchOptions {
    /// Images per batch.
    pub batch_size: usize,
    /// The run's seed.
    pub seed: u64,
    /// The epoch; each has its own order and augmentation.
    pub epoch: u64,
    /// True for a random order of the examples.
    pub shuffle: bool,
    /// Leaves out a last batch of fewer images.
    pub drop_last: bool,
    /// The first batch to make, from 0; earlier ones are never decoded.
    pub first_batch: usize,
    /// Threads that decode and augment; 0 counts as 1.
    pub workers: usize,
    /// Decoding options.
    pub decoding: DecodeOptions,
    /// Classes of the model.
    pub classes: usize,
    /// The shards of a batch, each with statistics and a mix of its own.
    pub shards: Shards,
    /// The process, whose shards are made.
    pub rank: usize,
    /// The fewest images of a shard, if a batch has that many.
    pub fewest: usize,
}

/// A training batch, as far as this process has it.
#[derive(Debug)]
pub struct EpochBatch {
    /// From 0 in the epoch.
    pub number: usize,
    /// The images of the whole batch, readable or not.
    pub images: usize,
    /// The shards into which the batch is cut.
    pub used: usize,
    /// The shards of this process.
    pub shards: Vec<Shard>,
    /// Images that could not be read and were left out.
    pub unreadable: Vec<UnreadableImage>,
}

/// A shard of a training batch: images and their targets.
#[derive(Debug)]
pub struct Shard {
    /// From 0 in the batch.
    pub number: usize,
    /// `[N, C, H, W]`, augmented and normalized.
    pub inputs: Vec<f32>,
    /// The targets of the N images that could be read.
    pub targets: Targets,
    /// The numbers of the examples in the split.
    pub indices: Vec<usize>,
}

/// An iterator over the batches of an epoch. Dropping it early ends its threads.
#[derive(Debug)]
pub struct EpochBatches {
    /// `None` once the threads are to end.
    ready: Option<Receiver<EpochBatch>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// Batches to come.
    left: usize,
}

impl EpochBatches {
    /// Starts making the batches of an epoch over `split`.
    ///
    /// # Errors
    /// When the batch size is 0, a class is not one of the model's, inputs have another length than the model's, or the
    /// system gives no thread.
    pub fn new(split: &Split, transform: &TrainTransform, options: BatchOptions) -> Result<Self> {
        check(split, transform, &options)?;
        let count = Self::count(split.len(), options.batch_size, options.drop_last);
        let maker = BatchMaker::new(split, transform, options, count);
        let left = maker.cuts.len();
        let (sender, receiver) = sync_channel(1);
        let stopped = Arc::new(AtomicBool::new(false));
        let examples = maker.examples()?;
        let stop = Arc::clone(&stopped);
        let thread = thread::Builder::new()
            .name("batches".to_owned())
            .spawn(move || maker.run(examples, &sender, &stop))
            .context("cannot start a thread to make batches")?;
        Ok(Self {
            ready: Some(receiver),
            stopped,
            thread: Some(thread),
            left,
        })
    }

    /// Returns the number of batches in an epoch over `length` examples.
    pub fn count(length: usize, batch_size: usize, drop_last: bool) -> usize {
        let batch_size = batch_size.max(1);
        if drop_last {
            length / batch_size
        } else {
            length.div_ceil(batch_size)
        }
    }
}

impl Iterator for EpochBatches {
    type Item = Result<EpochBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let batch = self.ready.as_ref()?.recv();
        if batch.is_ok() {
            self.left -= 1;
        } else {
            self.left = 0;
        }
        Some(batch.map_err(|_| anyhow!("the thread that makes batches has failed")))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for EpochBatches {}

impl Drop for EpochBatches {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // A thread that waits for room gives up.
        self.ready = None;
        if let Some(thread) = self.thread.take() {
            // If it panicked, the iterator has reported it.
            let _ = thread.join();
        }
    }
}

/// Rejects data that no batch can be made of.
fn check(split: &Split, transform: &TrainTransform, options: &BatchOptions) -> Result<()> {
    if options.batch_size == 0 {
        return Err(usage_error("a batch of 0 images", "give 1 or more"));
    }
    let classes = split.classes().iter().enumerate();
    if let Some((index, class)) = classes
        .into_iter()
        .find(|(_, class)| **class as usize >= options.classes)
    {
        bail!(
            "`{}` is of class {class}, the model tells {} apart",
            split.name(index),
            options.classes
        );
    }
    if let Some(input) = (!split.is_empty()).then(|| split.input(0)).flatten()
        && input.len() != transform.input_len()
    {
        bail!(
            "inputs of {} numbers for a model that takes {}",
            input.len(),
            transform.input_len()
        );
    }
    Ok(())
}

/// An example of a chunk: its number and its input.
type Example = (usize, Result<Vec<f32>>);

/// The producer of the batches.
struct BatchMaker {
    split: Split,
    transform: TrainTransform,
    options: BatchOptions,
    /// The batches to make.
    cuts: Vec<Cut>,
    /// Their examples in this process.
    order: Arc<[u32]>,
}

/// A batch and its shards.
#[derive(Debug, Clone, Copy)]
struct Cut {
    number: usize,
    images: usize,
    used: usize,
}

impl Cut {
    /// Returns the shards of this process, and the images of each within the batch.
    fn own(self, options: &BatchOptions) -> impl Iterator<Item = (usize, Range<usize>)> + use<> {
        let own = options.shards.own(options.rank, self.used);
        own.map(move |shard| (shard, part(self.images, self.used, shard)))
    }
}

impl BatchMaker {
    fn new(split: &Split, transform: &TrainTransform, options: BatchOptions, count: usize) -> Self {
        let whole = epoch_order(split.len(), options.seed, options.epoch, options.shuffle);
        let (mut cuts, mut order) = (Vec::new(), Vec::new());
        let batches = whole.chunks(options.batch_size).take(count).enumerate();
        for (number, batch) in batches.skip(options.first_batch) {
            let images = batch.len();
            let used = options.shards.used(images, options.fewest);
            let cut = Cut {
                number,
                images,
                used,
            };
            for (_, images) in cut.own(&options) {
                order.extend_from_slice(&batch[images]);
            }
            cuts.push(cut);
        }
        Self {
            split: split.clone(),
            transform: transform.clone(),
            options,
            cuts,
            order: order.into(),
        }
    }

    /// Returns the examples in order, chunk by chunk, made on worker threads.
    fn examples(&self) -> Result<OrderedMap<Vec<Example>>> {
        let BatchOptions {
            seed,
            epoch,
            workers,
            decoding,
            batch_size,
            ..
        } = self.options;
        let numbers = self.transform.input_len();
        let chunk = (CHUNK_NUMBERS / numbers).clamp(1, LARGEST_CHUNK);
        // Two batches of images, as far as memory goes; every worker has something to do in any case.
        let images = batch_size.saturating_mul(2).min(AHEAD_NUMBERS / numbers);
        let ahead = images.div_ceil(chunk).max(workers + 1);
        let (split, transform) = (self.split.clone(), self.transform.clone());
        let order = Arc::clone(&self.order);
        let gate = LargeImageGate::default();
        let chunks = order.len().div_ceil(chunk);
        ordered_map_with_look_ahead(chunks, workers, ahead, move |number| {
            let examples = order[number * chunk..].iter().take(chunk);
            let example = |&index: &u32| {
                let index = index as usize;
                if let Some(input) = split.input(index) {
                    return (index, Ok(input.to_vec()));
                }
                let mut random = Random::at(seed, "augment", &[epoch, index as u64]);
                let apply = |image: &_| transform.input(image, &mut random);
                (index, split.with_image(index, &decoding, &gate, apply))
            };
            Ok(examples.map(example).collect())
        })
    }

    /// Assembles the batches until all are sent or the receiver is gone.
    fn run(
        &self,
        examples: OrderedMap<Vec<Example>>,
        batches: &SyncSender<EpochBatch>,
        stop: &AtomicBool,
    ) {
        // The work catches its panics image by image: a chunk is never an error.
        let mut examples = examples.flatten().flatten();
        for cut in &self.cuts {
            let mut batch = EpochBatch {
                number: cut.number,
                images: cut.images,
                used: cut.used,
                shards: Vec::new(),
                unreadable: Vec::new(),
            };
            for (shard, images) in cut.own(&self.options) {
                let mut part =
                    PartialShard::with_capacity(images.len(), self.transform.input_len());
                for example in examples.by_ref().take(images.len()) {
                    part.add(example, &mut batch.unreadable);
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                }
                batch.shards.push(self.finish(cut.number, shard, part));
            }
            if batches.send(batch).is_err() {
                return;
            }
        }
    }

    /// Returns the shard of some examples, mixed.
    fn finish(&self, batch: usize, number: usize, part: PartialShard) -> Shard {
        let BatchOptions {
            seed,
            epoch,
            shards,
            ..
        } = self.options;
        let PartialShard {
            mut inputs,
            indices,
        } = part;
        let classes = indices.iter().map(|&index| self.split.classes()[index]);
        let first: Vec<u32> = classes.collect();
        let place = [epoch, batch as u64, number as u64];
        // A batch in one piece draws what it drew before there were shards.
        let place = if shards.count() == 1 {
            &place[..2]
        } else {
            &place[..]
        };
        let mut random = Random::at(seed, "mix", place);
        let size = self.transform.size();
        let mix = Mix::draw(self.transform.augmentation(), size, &mut random);
        let targets = match mix {
            Some(mix) => {
                mix.apply(&mut inputs, self.transform.input_len(), size);
                Targets::Mixed {
                    second: first.iter().rev().copied().collect(),
                    first,
                    share: mix.share(),
                }
            }
            None => Targets::Classes(first),
        };
        Shard {
            number,
            inputs,
            targets,
            indices,
        }
    }
}

/// A shard that is being assembled.
struct PartialShard {
    inputs: Vec<f32>,
    indices: Vec<usize>,
}

impl PartialShard {
    fn with_capacity(images: usize, numbers: usize) -> Self {
        Self {
            inputs: Vec::with_capacity(images * numbers),
            indices: Vec::with_capacity(images),
        }
    }

    fn add(&mut self, (index, input): Example, unreadable: &mut Vec<UnreadableImage>) {
        match input {
            Ok(input) => {
                self.inputs.extend_from_slice(&input);
                self.indices.push(index);
            }
            Err(error) => unreadable.push(UnreadableImage { index, error }),
        }
    }
}
