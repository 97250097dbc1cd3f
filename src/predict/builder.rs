//! Loading of a model with options.

use super::model::Model;
use crate::error::Error;
use crate::hub::{Progress, Silent};
use crate::infer::Workload;
use crate::model::Preprocess;
use crate::weights::{Checkpoint, Remote};
use candle_core::{DType, Device};
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

/// Images of a pass, unless the caller chooses.
pub(crate) const BATCH_SIZE: usize = 16;

/// Options of loading a [`Model`], which [`Model::builder`] starts.
#[must_use]
pub struct ModelBuilder<'a> {
    model: String,
    device: Device,
    dtype: DType,
    offline: bool,
    progress: &'a dyn Progress,
    batch_size: usize,
    preprocess: Option<Preprocess>,
    labels: Option<Vec<String>>,
    pool: Option<Arc<rayon::ThreadPool>>,
}

impl Model {
    /// Starts to load a model: a hub name such as `resnet50` or `org/name`, a folder, a weights file, or `sample`.
    pub fn builder(model: impl Into<String>) -> ModelBuilder<'static> {
        ModelBuilder {
            model: model.into(),
            device: Device::Cpu,
            dtype: DType::F32,
            offline: false,
            progress: &Silent,
            batch_size: BATCH_SIZE,
            preprocess: None,
            labels: None,
            pool: None,
        }
    }
}

impl<'a> ModelBuilder<'a> {
    /// Sets the device; the default is the CPU.
    pub fn device(self, device: Device) -> Self {
        Self { device, ..self }
    }

    /// Sets the type that the model computes in; the default is f32, the fastest on a CPU.
    pub fn dtype(self, dtype: DType) -> Self {
        Self { dtype, ..self }
    }

    /// Uses only files of the cache and of this machine if `offline` is true.
    pub fn offline(self, offline: bool) -> Self {
        Self { offline, ..self }
    }

    /// Reports downloads to `progress`.
    pub fn progress<'b>(self, progress: &'b dyn Progress) -> ModelBuilder<'b>
    where
        'a: 'b,
    {
        ModelBuilder { progress, ..self }
    }

    /// Sets the number of images per pass, 1 or more: batch calls split their images into passes of at most this many,
    /// and the weights are packed for it. The default is 16.
    pub fn batch_size(self, batch_size: usize) -> Self {
        Self { batch_size, ..self }
    }

    /// Replaces the model's own preprocessing.
    pub fn preprocess(self, preprocess: Preprocess) -> Self {
        let preprocess = Some(preprocess);
        Self { preprocess, ..self }
    }

    /// Replaces the names of the classes: one for each class.
    pub fn labels(self, labels: Vec<String>) -> Self {
        let labels = Some(labels);
        Self { labels, ..self }
    }

    /// Computes on the threads of `pool` instead of rayon's global ones.
    pub fn thread_pool(self, pool: Arc<rayon::ThreadPool>) -> Self {
        let pool = Some(pool);
        Self { pool, ..self }
    }

    /// Loads the model.
    ///
    /// # Errors
    /// If the model does not exist, is outside the `ResNet` family, is incomplete or damaged, or an option is invalid.
    pub fn load(self) -> Result<Model, Error> {
        let remote = Remote::new(self.progress).offline(self.offline);
        let checkpoint = Checkpoint::open(&self.model, &remote);
        let checkpoint =
            checkpoint.map_err(|error| Error::classify(error, Error::DamagedWeights))?;
        let info = &checkpoint.info;
        let preprocess = self.preprocess.unwrap_or_else(|| info.preprocess.clone());
        let labels = self.labels.unwrap_or_else(|| info.labels.clone());
        let place = (self.dtype, &self.device);
        let work = Workload::many(self.batch_size.max(1));
        Model::with_pool(&checkpoint, place, &preprocess, labels, work, self.pool)
            .map_err(|error| Error::classify(error, Error::InvalidConfiguration))
    }
}

impl Debug for ModelBuilder<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelBuilder")
            .field("model", &self.model)
            .field("device", &self.device)
            .field("dtype", &self.dtype)
            .finish_non_exhaustive()
    }
}
