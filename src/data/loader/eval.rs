//! Reads, resizes and normalizes images on worker threads while the model runs, and returns them in order.

use std::path::PathBuf;

use anyhow::Result;

use super::parallel::{OrderedMap, ordered_map};
use crate::data::dataset::{ImageStore, Split};
use crate::data::image::decode::DecodeOptions;
use crate::data::image::large_images::LargeImageGate;
use crate::data::transform::eval::EvalTransform;
use crate::distributed::Share;

/// The inputs of a model for a list of images: an iterator over one result per image, in the order of the list.
///
/// Each result is a whole input, `[channels, height, width]`, or the error of an image that cannot be read, with its
/// name; the other images are not affected. Each worker is a few images ahead; large images are decoded one at a time.
/// Dropping the loader early ends its threads.
pub struct EvalLoader(OrderedMap<Vec<f32>>);

impl EvalLoader {
    /// Starts loading `paths` on `workers` threads (at least one).
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(
        paths: Vec<PathBuf>,
        transform: &EvalTransform,
        decoding: DecodeOptions,
        workers: usize,
    ) -> Result<Self> {
        let classes = vec![0; paths.len()];
        let split = Split::new(ImageStore::Files(paths), classes);
        Self::of(&split, transform, decoding, workers)
    }

    /// Starts loading the examples of `split` on `workers` threads (at least one); examples that are model inputs already
    /// are returned as they are.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn of(
        split: &Split,
        transform: &EvalTransform,
        decoding: DecodeOptions,
        workers: usize,
    ) -> Result<Self> {
        let (split, transform) = (split.clone(), transform.clone());
        let gate = LargeImageGate::default();
        let inputs = ordered_map(split.len(), workers, move |index| {
            if let Some(input) = split.input(index) {
                return Ok(input.to_vec());
            }
            let apply = |image: &_| transform.apply(image);
            let image = split.with_image(index, &decoding, &gate, apply)?;
            let mut input = vec![0.0; transform.input_len()];
            transform.normalize_into(&image, &mut input);
            Ok(input)
        })?;
        Ok(Self(inputs))
    }

    /// Starts loading the examples of `split` that this process has in `share`, as [`EvalLoader::of`].
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn shared(
        split: &Split,
        share: &Share,
        transform: &EvalTransform,
        decoding: DecodeOptions,
        workers: usize,
    ) -> Result<Self> {
        let own = share.own();
        if own.len() == split.len() {
            return Self::of(split, transform, decoding, workers);
        }
        Self::of(&split.select(&own), transform, decoding, workers)
    }

    /// Returns the next `images` images: the inputs of those that can be read, one after the other, and the outcome of each.
    pub fn read_batch(&mut self, images: usize) -> (Vec<f32>, Vec<Result<()>>) {
        let mut inputs = Vec::new();
        let mut outcomes = Vec::with_capacity(images);
        for loaded in self.take(images) {
            match loaded {
                Ok(input) => {
                    if inputs.is_empty() {
                        inputs.reserve(images * input.len());
                    }
                    inputs.extend_from_slice(&input);
                    outcomes.push(Ok(()));
                }
                Err(error) => outcomes.push(Err(error)),
            }
        }
        (inputs, outcomes)
    }
}

impl Iterator for EvalLoader {
    type Item = Result<Vec<f32>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for EvalLoader {}
