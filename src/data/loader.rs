//! Pictures read, resized and normalised on worker threads while the model runs, handed out in order.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::decode::{DecodeOptions, decode_bytes, pixels, read};
use super::ordered::Ordered;
use super::transform::Transform;
use super::turns::Turns;

/// The inputs of a model for a list of pictures: an iterator over one result a picture, in the order of the list.
///
/// Each result is a whole input, `[channels, height, width]`, or the error of a picture that cannot be read, with its
/// path; the others go on. A few pictures a worker are kept ahead, however many there are; large ones are decoded one at
/// a time. Dropping the loader early ends its threads.
pub struct Loader {
    inputs: Ordered<Vec<f32>>,
    /// The pictures from the next result on.
    paths: std::vec::IntoIter<PathBuf>,
}

impl Loader {
    /// Begins to load `paths` on `workers` threads (at least one).
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(
        paths: Vec<PathBuf>,
        transform: Transform,
        options: DecodeOptions,
        workers: usize,
    ) -> Result<Self> {
        let remaining = paths.clone().into_iter();
        let turns = Turns::default();
        let inputs = Ordered::new(paths.len(), workers, move |item| {
            let bytes = read(&paths[item])?;
            // Held until the picture is resized and its large form gone.
            let turn = turns.wait(pixels(&bytes));
            let image = decode_bytes(&bytes, &options)?;
            let picture = transform.apply(&image)?;
            drop(image);
            drop(turn);
            let mut input = vec![0.0; transform.input_len()];
            transform.normalise_into(&picture, &mut input);
            Ok(input)
        })?;
        Ok(Self {
            inputs,
            paths: remaining,
        })
    }
}

impl Iterator for Loader {
    type Item = Result<Vec<f32>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (input, path) = (self.inputs.next()?, self.paths.next()?);
        Some(input.with_context(|| format!("cannot read picture `{}`", path.display())))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inputs.size_hint()
    }
}

impl ExactSizeIterator for Loader {}
