//! A model with its weights.

use std::{collections::HashMap, path::Path};

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use safetensors::Dtype;

use super::{
    Fetch,
    card::{Card, METADATA_KEY, Opened},
    file::{Data, Element, Stored, has_not_finite},
    place::Place,
    save,
};
use crate::model::ResNet;

/// A model with all its weights, by torchvision's names.
///
/// Weights in safetensors stay in the file, mapped into memory, until they are asked for; half precision stays as it is.
pub struct Checkpoint {
    /// What is known of the model beside its weights.
    pub card: Card,
    tensors: Vec<Weight>,
    data: Vec<Data>,
}

/// One tensor, and where its data is.
struct Weight {
    /// torchvision's name.
    name: String,
    /// The name in the file.
    raw: String,
    shape: Vec<usize>,
    /// Its type; nothing for a counter (`num_batches_tracked`), which is i64.
    dtype: Option<DType>,
    /// Which of the data.
    part: usize,
}

impl Checkpoint {
    /// Opens what a user wrote as MODEL.
    ///
    /// # Errors
    /// Where there is no such model, it is not one of the family, or its weights are not whole.
    pub fn open(model: &str, hub: &dyn Fetch) -> Result<Self> {
        let place = Place::find(model, hub)?;
        let configuration = place.configuration();
        let opened = Opened::new(place, configuration)?;
        let shown = opened.shown.clone();
        Self::new(opened).with_context(|| format!("cannot load weights `{shown}`"))
    }

    fn new(opened: Opened) -> Result<Self> {
        let Opened {
            mut card,
            tensors,
            files,
            ..
        } = opened;
        let mut weights = Vec::with_capacity(tensors.len());
        for (name, named) in tensors {
            let dtype = match &named.info.element {
                Element::Float(dtype) => Some(*dtype),
                Element::Other(other) if other == "i64" => None,
                // A counter of another type, which nothing reads.
                Element::Other(_) => continue,
            };
            if name.ends_with(".num_batches_tracked") && dtype.is_some() {
                continue;
            }
            let part = files
                .iter()
                .position(|file| file.infos.contains_key(&named.raw))
                .context("a tensor is in no file")?;
            weights.push(Weight {
                name,
                raw: named.raw,
                shape: named.info.shape,
                dtype,
                part,
            });
        }
        let data = files
            .into_iter()
            .enumerate()
            .map(|(part, file)| {
                let names = weights.iter().filter(|weight| weight.part == part);
                file.into_data(names.map(|weight| weight.raw.as_str()))
            })
            .collect::<Result<Vec<_>>>()?;
        for Weight {
            raw, dtype, part, ..
        } in &weights
        {
            let bytes = data[*part].bytes(raw)?;
            if dtype.is_some_and(|dtype| has_not_finite(bytes, dtype)) {
                card.notes.push(format!(
                    "tensor `{raw}` holds numbers that are infinite or not a number: so will the outputs"
                ));
                break;
            }
        }
        Ok(Self {
            card,
            tensors: weights,
            data,
        })
    }

    /// Every parameter and running statistic of the net as a tensor of `dtype` on `device`, for
    /// `VarBuilder::from_tensors`.
    ///
    /// # Errors
    /// Where the device lacks memory or the type.
    pub fn tensors(&self, dtype: DType, device: &Device) -> Result<HashMap<String, Tensor>> {
        let floats = self
            .tensors
            .iter()
            .filter_map(|weight| Some((weight, weight.dtype?)));
        floats
            .map(|(weight, stored)| {
                let bytes = self.data[weight.part].bytes(&weight.raw)?;
                let shape = weight.shape.as_slice();
                let tensor = Tensor::from_raw_buffer(bytes, stored, shape, &Device::Cpu)?;
                // The conversion runs on the CPU: a device need not know the file's type.
                let tensor = tensor.to_dtype(dtype)?.to_device(device)?;
                Ok((weight.name.clone(), tensor))
            })
            .collect()
    }

    /// The net with these weights, computing in `dtype` on `device`.
    ///
    /// # Errors
    /// Where the device lacks memory or the type.
    pub fn build(&self, dtype: DType, device: &Device) -> Result<ResNet> {
        let vb = VarBuilder::from_tensors(self.tensors(dtype, device)?, dtype, device);
        Ok(ResNet::new(&self.card.config, &vb)?)
    }

    /// Names, shapes and types of the parameters and running statistics, by name.
    pub fn infos(&self) -> impl Iterator<Item = (&str, &[usize], DType)> {
        self.tensors.iter().filter_map(|weight| {
            Some((weight.name.as_str(), weight.shape.as_slice(), weight.dtype?))
        })
    }

    /// Writes the model as one safetensors file under torchvision's names, each tensor in the type it has, with its
    /// configuration, preprocessing and labels in the metadata. The file appears whole or not at all.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn save_safetensors(&self, path: impl AsRef<Path>) -> Result<()> {
        let views = self
            .tensors
            .iter()
            .map(|weight| {
                let view = Stored {
                    dtype: weight.dtype.map_or(Dtype::I64, Dtype::from),
                    shape: &weight.shape,
                    bytes: self.data[weight.part].bytes(&weight.raw)?,
                };
                Ok((weight.name.clone(), view))
            })
            .collect::<Result<Vec<_>>>()?;
        let config = serde_json::to_string(&self.card.to_json())?;
        let metadata = [("format", "pt"), (METADATA_KEY, config.as_str())];
        save::write_safetensors(path.as_ref(), &metadata, &views)
    }
}
