//! A model with its weights.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use safetensors::Dtype;

use super::{
    format::{
        convert::has_not_finite,
        file::{RawTensor, TensorData},
        metadata,
        tensor_info::ElementType,
    },
    locate::{fetch::Fetch, files::ModelLocation},
    model_info::{ModelInfo, OpenedModel},
    save,
};
use crate::{infer::Weights, model::ResNet, nn::init::without_memory};

/// A model with all its weights, by torchvision's names.
///
/// Weights stay in the open file until they are requested; half precision is kept.
pub struct Checkpoint {
    /// Description of the model without its weights.
    pub info: ModelInfo,
    tensors: Vec<StoredTensor>,
    data: Vec<TensorData>,
    /// Name of the files in error messages.
    display_name: String,
    /// Index of the first tensor read so far that holds values that are not finite.
    not_finite: Mutex<Option<usize>>,
}

/// One tensor and the location of its data.
struct StoredTensor {
    /// torchvision's name.
    name: String,
    /// Name in the file.
    raw: String,
    shape: Vec<usize>,
    /// Element type; `None` for a counter (`num_batches_tracked`), which is i64.
    dtype: Option<DType>,
    /// Index of the data source.
    part: usize,
}

impl Checkpoint {
    /// Opens the model given as MODEL.
    ///
    /// # Errors
    /// If the model does not exist, is not of the `ResNet` family, or its weights are incomplete.
    pub fn open(model: &str, hub: &dyn Fetch) -> Result<Self> {
        let location = ModelLocation::find(model, hub)?;
        let configuration = location.read_configuration();
        let opened = OpenedModel::new(location, configuration)?;
        let display_name = opened.display_name.clone();
        Self::new(opened).with_context(|| format!("cannot load weights `{display_name}`"))
    }

    fn new(opened: OpenedModel) -> Result<Self> {
        let OpenedModel {
            info,
            tensors,
            files,
            display_name,
        } = opened;
        let mut weights = Vec::with_capacity(tensors.len());
        for (name, named) in tensors {
            let dtype = match &named.info.element {
                ElementType::Float(dtype) => Some(*dtype),
                ElementType::Other(other) if other == "i64" => None,
                // A counter of another type, which nothing reads.
                ElementType::Other(_) => continue,
            };
            if name.ends_with(".num_batches_tracked") && dtype.is_some() {
                continue;
            }
            let part = files
                .iter()
                .position(|file| file.infos.contains_key(&named.raw))
                .context("a tensor is in no file")?;
            weights.push(StoredTensor {
                name,
                raw: named.raw,
                shape: named.info.shape,
                dtype,
                part,
            });
        }
        Ok(Self {
            info,
            tensors: weights,
            data: files.into_iter().map(|file| file.data).collect(),
            display_name,
            not_finite: Mutex::default(),
        })
    }

    /// Returns the display name of the weights: the path of their file, or a name if there is no file here.
    pub fn display_name(&self) -> &str {
        &self.display_name
    }

    /// Returns every parameter and running statistic of the model as a tensor of `dtype` on `device`, for
    /// `VarBuilder::from_tensors`.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged, or the device lacks memory or does not support the type.
    pub fn tensors(&self, dtype: DType, device: &Device) -> Result<HashMap<String, Tensor>> {
        let floats = self
            .tensors
            .iter()
            .enumerate()
            .filter_map(|(index, weight)| Some((index, weight, weight.dtype?)));
        floats
            .map(|(index, weight, stored)| {
                let bytes = self.bytes(weight)?;
                self.record_non_finite(index, has_not_finite(&bytes, stored));
                let shape = weight.shape.as_slice();
                let tensor = Tensor::from_raw_buffer(&bytes, stored, shape, &Device::Cpu)?;
                // The conversion runs on the CPU: a device need not know the file's type.
                let tensor = tensor.to_dtype(dtype)?.to_device(device)?;
                Ok((weight.name.clone(), tensor))
            })
            .collect()
    }

    /// Returns a note for the user on the tensors that were read so far, if any.
    pub fn note(&self) -> Option<String> {
        let weight = &self.tensors[(*self.not_finite())?];
        Some(format!(
            "tensor `{}` holds infinite or NaN values, so the outputs will be invalid",
            weight.raw
        ))
    }

    fn not_finite(&self) -> MutexGuard<'_, Option<usize>> {
        let first = self.not_finite.lock();
        first.unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the first tensor that is not finite.
    fn record_non_finite(&self, index: usize, is_not_finite: bool) {
        if is_not_finite {
            let mut first = self.not_finite();
            *first = Some(first.map_or(index, |first| first.min(index)));
        }
    }

    /// Returns the elements of a tensor as stored in the file.
    fn bytes(&self, weight: &StoredTensor) -> Result<Vec<u8>> {
        let bytes = self.data[weight.part].read_bytes(&weight.raw);
        bytes.with_context(|| self.error_context())
    }

    /// Fills `numbers` with the elements of the tensor `name`.
    fn read(&self, name: &str, numbers: &mut [f32]) -> Result<()> {
        let named = |weight: &StoredTensor| weight.name == name;
        let found = self.tensors.iter().position(named).and_then(|index| {
            let weight = &self.tensors[index];
            Some((index, weight, weight.dtype?))
        });
        let (index, weight, dtype) =
            found.with_context(|| format!("there is no tensor `{name}`"))?;
        let is_not_finite = self.data[weight.part]
            .read_f32(&weight.raw, dtype, numbers)
            .with_context(|| self.error_context())?;
        self.record_non_finite(index, is_not_finite);
        Ok(())
    }

    fn error_context(&self) -> String {
        format!("cannot load weights `{}`", self.display_name)
    }

    /// Builds the model with these weights, computing in `dtype` on `device`.
    ///
    /// # Errors
    /// As for [`Checkpoint::tensors`].
    pub fn build(&self, dtype: DType, device: &Device) -> Result<ResNet> {
        let vb = VarBuilder::from_tensors(self.tensors(dtype, device)?, dtype, device);
        Ok(ResNet::new(&self.info.config, &vb)?)
    }

    /// Builds the model with only its batch norms loaded: convolutions and the classifier have their shapes and no
    /// values, which [`Weights`] reads one layer at a time.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged.
    pub fn build_outline(&self) -> Result<ResNet> {
        let (_, shapes) = without_memory(|vb| ResNet::new(&self.info.config, &vb))?;
        let zero = Tensor::zeros((), DType::F32, &Device::Cpu)?;
        let tensors = shapes.into_iter().map(|(name, shape)| {
            let tensor = match shape.len() {
                1 => {
                    let mut numbers = vec![0.0; shape[0]];
                    self.read(&name, &mut numbers)?;
                    Tensor::from_vec(numbers, shape, &Device::Cpu)?
                }
                _ => zero.broadcast_as(shape)?,
            };
            Ok((name, tensor))
        });
        let tensors = tensors.collect::<Result<HashMap<_, _>>>()?;
        let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        Ok(ResNet::new(&self.info.config, &vb)?)
    }

    /// Returns names, shapes and types of the parameters and running statistics, sorted by name.
    pub fn infos(&self) -> impl Iterator<Item = (&str, &[usize], DType)> {
        self.tensors.iter().filter_map(|weight| {
            Some((weight.name.as_str(), weight.shape.as_slice(), weight.dtype?))
        })
    }

    /// Writes the model as one safetensors file under torchvision's names. Each tensor keeps its type; configuration,
    /// preprocessing and labels go into the metadata. The file appears whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_safetensors(&self, path: impl AsRef<Path>) -> Result<()> {
        let views = self
            .tensors
            .iter()
            .map(|weight| {
                let view = RawTensor {
                    dtype: weight.dtype.map_or(Dtype::I64, Dtype::from),
                    shape: &weight.shape,
                    bytes: self.bytes(weight)?,
                };
                Ok((weight.name.clone(), view))
            })
            .collect::<Result<Vec<_>>>()?;
        let config = serde_json::to_string(&self.info.to_json())?;
        let metadata = [("format", "pt"), (metadata::CONFIG, config.as_str())];
        save::write_safetensors(path.as_ref(), &metadata, &views)
    }
}

impl Weights for Checkpoint {
    fn read(&self, path: &str, _: &Tensor, numbers: &mut [f32]) -> Result<()> {
        self.read(&format!("{path}.weight"), numbers)
    }
}
