//! A model that classifies, embeds and explains images.

use super::image_input::ImageInput;
use crate::data::panic::catch_panic;
use crate::data::{DecodeOptions, EvalTransform};
use crate::error::{Error, usage_error};
use crate::explain::{Explanation, explain};
use crate::infer::{CamTarget, Engine, ForwardOptions, ModelOutput, Workload};
use crate::model::{ModelConfig, OutputFunction, Preprocess};
use crate::pipeline::{NotFinite, Prediction, ensure_finite, load, top};
use crate::weights::{Checkpoint, ModelInfo};
use anyhow::{Result, bail};
use candle_core::{DType, Device};
use image::RgbImage;
use rayon::prelude::*;
use std::borrow::Cow;
use std::sync::Arc;

/// A model with its preprocessing and labels. A clone shares the weights; every call takes `&self`, from any thread.
///
/// The weights are packed once, for batches of [`ModelBuilder::batch_size`](super::ModelBuilder::batch_size) images, and each thread that computes at the
/// same time has buffers of its own. An image has the same outputs, bit for bit, alone, in a batch, and whatever other
/// threads do.
#[derive(Debug, Clone)]
pub struct Model(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub config: ModelConfig,
    pub engine: Engine,
    pub transform: EvalTransform,
    pub decoding: DecodeOptions,
    pub labels: Vec<String>,
    /// Function that turns the logits into the answer.
    pub function: OutputFunction,
    /// Most images of a pass.
    batch: usize,
    /// The caller's threads, if not rayon's global ones.
    pool: Option<Arc<rayon::ThreadPool>>,
}

impl Model {
    /// Prepares the network of `checkpoint`, computing in a type on a device, for images read by `preprocess` and the
    /// expected workload `work`. `labels` has a name for each class, or none.
    ///
    /// # Errors
    /// As for [`load`]; if the number of labels differs from the number of classes.
    pub(crate) fn new(
        checkpoint: &Checkpoint,
        place: (DType, &Device),
        preprocess: &Preprocess,
        labels: Vec<String>,
        work: Workload,
    ) -> Result<Self> {
        Self::with_pool(checkpoint, place, preprocess, labels, work, None)
    }

    pub(super) fn with_pool(
        checkpoint: &Checkpoint,
        place: (DType, &Device),
        preprocess: &Preprocess,
        labels: Vec<String>,
        work: Workload,
        pool: Option<Arc<rayon::ThreadPool>>,
    ) -> Result<Self> {
        let ModelInfo {
            config, function, ..
        } = &checkpoint.info;
        let classes = config.classes;
        if !labels.is_empty() && labels.len() != classes {
            bail!("{} labels for {classes} classes", labels.len());
        }
        let (engine, transform) = load(checkpoint, place, preprocess, work)?;
        Ok(Self(Arc::new(Inner {
            config: config.clone(),
            engine,
            transform,
            decoding: DecodeOptions::from(preprocess),
            labels,
            function: *function,
            batch: work.batch,
            pool,
        })))
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.0
    }

    /// Returns the names of the classes; empty if the model has none.
    pub fn labels(&self) -> &[String] {
        &self.0.labels
    }

    /// Returns the function that turns the logits into each [`Prediction::probability`].
    pub fn output_function(&self) -> OutputFunction {
        self.0.function
    }

    /// Returns the architecture.
    pub fn config(&self) -> &ModelConfig {
        &self.0.config
    }

    /// Returns the height and width in pixels to which images are resized and cropped.
    pub fn input_size(&self) -> [usize; 2] {
        self.0.transform.size()
    }

    /// Returns the `k` most probable classes of an image, the most probable first.
    ///
    /// # Errors
    /// If the image cannot be read, or logits are not finite.
    pub fn classify<'a>(
        &self,
        image: impl Into<ImageInput<'a>>,
        k: usize,
    ) -> Result<Vec<Prediction>, Error> {
        let logits = self.logits(image)?;
        top(&logits, k, self.labels(), self.0.function).map_err(forward_error)
    }

    /// Classifies images as [`Model::classify`] does, in batches, decoding them on all threads. There is one result per
    /// image, in order: one that cannot be read fails alone.
    pub fn classify_batch<'a, T>(
        &self,
        images: &'a [T],
        k: usize,
    ) -> Vec<Result<Vec<Prediction>, Error>>
    where
        &'a T: Into<ImageInput<'a>>,
    {
        let rows = self.rows(images, Output::Logits);
        let top = |logits: Vec<f64>| {
            top(&logits, k, self.labels(), self.0.function).map_err(forward_error)
        };
        rows.into_iter().map(|row| row.and_then(top)).collect()
    }

    /// Returns the logits of an image, one per class.
    ///
    /// # Errors
    /// If the image cannot be read, or logits are not finite.
    pub fn logits<'a>(&self, image: impl Into<ImageInput<'a>>) -> Result<Vec<f64>, Error> {
        let logits = self.row(image.into(), Output::Logits)?;
        ensure_finite(&logits).map_err(forward_error)?;
        Ok(logits)
    }

    /// Returns the pooled features of an image, the input of the classifier.
    ///
    /// # Errors
    /// If the image cannot be read, or the device lacks memory.
    pub fn embed<'a>(&self, image: impl Into<ImageInput<'a>>) -> Result<Vec<f32>, Error> {
        let features = self.row(image.into(), Output::Features)?;
        Ok(narrow(&features))
    }

    /// Returns the pooled features of images as [`Model::embed`] does, in batches, decoding them on all threads.
    ///
    /// # Errors
    /// The first one of the images.
    pub fn embed_batch<'a, T>(&self, images: &'a [T]) -> Result<Vec<Vec<f32>>, Error>
    where
        &'a T: Into<ImageInput<'a>>,
    {
        let rows = self.rows(images, Output::Features).into_iter();
        rows.map(|row| Ok(narrow(&row?))).collect()
    }

    /// Returns the class activation map of the class `target` in an image, which
    /// [`Explanation::overlay`] draws.
    ///
    /// # Errors
    /// If the image cannot be read, the model does not have the class, or logits are not finite.
    pub fn explain<'a>(
        &self,
        image: impl Into<ImageInput<'a>>,
        target: CamTarget,
    ) -> Result<Explanation, Error> {
        let classes = self.0.config.classes;
        if let CamTarget::Class(class) = target
            && class >= classes
        {
            let error = usage_error(
                format!("there is no class {class} among {classes}"),
                format!("its classes are 0 to {}", classes.saturating_sub(1)),
            );
            return Err(Error::classify(error, Error::InvalidConfiguration));
        }
        let image = image.into();
        self.install(|| {
            let image = self.pixels(image).map_err(image_error)?;
            let Inner {
                engine, transform, ..
            } = self.inner();
            explain(engine, transform, &image, target).map_err(forward_error)
        })
    }

    /// Returns the pixels of an image as the model's preprocessing decodes it, for example for
    /// [`Explanation::overlay`].
    ///
    /// # Errors
    /// If the image cannot be read.
    pub fn decode<'a>(&self, image: impl Into<ImageInput<'a>>) -> Result<RgbImage, Error> {
        let image = self.pixels(image.into()).map_err(image_error)?;
        Ok(image.into_owned())
    }

    fn pixels<'a>(&self, image: ImageInput<'a>) -> Result<Cow<'a, RgbImage>> {
        catch_panic(|| image.decode(&self.0.decoding))
    }

    /// Returns the network's input `[C, H, W]` for an image.
    fn input(&self, image: ImageInput) -> Result<Vec<f32>, Error> {
        let transform = &self.0.transform;
        let input = self.pixels(image).and_then(|image| {
            let mut input = vec![0.0; transform.input_len()];
            transform.normalize_into(&transform.apply(&image)?, &mut input);
            Ok(input)
        });
        input.map_err(image_error)
    }

    /// Returns the outputs for one image.
    fn row(&self, image: ImageInput, output: Output) -> Result<Vec<f64>, Error> {
        self.install(|| self.forward(self.input(image)?, 1, output))
    }

    /// Returns the outputs for each of several images.
    fn rows<'a, T>(&self, images: &'a [T], output: Output) -> Vec<Result<Vec<f64>, Error>>
    where
        &'a T: Into<ImageInput<'a>>,
    {
        let images: Vec<ImageInput> = images.iter().map(Into::into).collect();
        let batches = images.chunks(self.0.batch.max(1));
        self.install(|| {
            batches
                .flat_map(|batch| self.batch_rows(batch, output))
                .collect()
        })
    }

    /// Returns the outputs for each image of a batch.
    fn batch_rows(&self, images: &[ImageInput], output: Output) -> Vec<Result<Vec<f64>, Error>> {
        let inputs: Vec<Result<Vec<f32>, Error>> =
            images.par_iter().map(|image| self.input(*image)).collect();
        let readable: Vec<f32> = inputs.iter().flatten().flatten().copied().collect();
        let count = inputs.iter().flatten().count();
        let values = match count {
            0 => Ok(Vec::new()),
            _ => self.forward(readable, count, output),
        };
        let values = match values {
            Ok(values) => values,
            Err(error) => {
                return inputs
                    .into_iter()
                    .map(|input| input.and(Err(error.clone())))
                    .collect();
            }
        };
        let mut rows = values.chunks(values.len().div_ceil(count.max(1)).max(1));
        let mut row = |_: Vec<f32>| rows.next().unwrap_or_default().to_vec();
        inputs
            .into_iter()
            .map(|input| input.map(&mut row))
            .collect()
    }

    /// Returns the outputs of a pass over `count` inputs.
    fn forward(&self, inputs: Vec<f32>, count: usize, output: Output) -> Result<Vec<f64>, Error> {
        let engine = &self.0.engine;
        let options = ForwardOptions {
            features: output == Output::Features,
            cam: None,
        };
        let outputs = engine
            .ensure_memory(count)
            .and_then(|()| engine.forward(inputs, count, options));
        let ModelOutput {
            logits, features, ..
        } = outputs.map_err(forward_error)?;
        Ok(match output {
            Output::Logits => logits,
            Output::Features => features,
        })
    }

    /// Runs `work` on the caller's threads, if there are any.
    fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.0.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}

/// Rows that a pass returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Logits,
    Features,
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// Returns the error of an image that cannot be read.
fn image_error(error: anyhow::Error) -> Error {
    Error::classify(error, Error::Image)
}

/// Returns the error of a forward pass.
fn forward_error(error: anyhow::Error) -> Error {
    let kind = if error.is::<NotFinite>() {
        Error::NotFinite
    } else {
        Error::Device
    };
    Error::classify(error, kind)
}
