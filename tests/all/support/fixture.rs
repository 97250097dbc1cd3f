//! Fixtures made by PyTorch: reading them and comparing tensors with them.

use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The tensors and the metadata of a safetensors file.
pub struct Fixture {
    pub name: String,
    pub tensors: HashMap<String, Tensor>,
    pub metadata: HashMap<String, String>,
}

/// Returns the devices on which results are compared with PyTorch: the CPU and, in a CUDA build, the first GPU, which
/// must exist.
pub fn devices() -> Vec<Device> {
    let mut devices = vec![Device::Cpu];
    if cfg!(feature = "cuda") {
        devices.push(Device::new_cuda(0).unwrap());
    }
    devices
}

/// Returns the folder of the parity fixtures.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity")
}

impl Fixture {
    /// Returns the tensors of a file without metadata.
    pub fn read_tensors(path: &Path) -> HashMap<String, Tensor> {
        candle_core::safetensors::load(path, &Device::Cpu).unwrap()
    }

    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        Self {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            tensors: candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).unwrap(),
            metadata: header.metadata().clone().unwrap(),
        }
    }

    pub fn get(&self, name: &str) -> &Tensor {
        let tensor = self.tensors.get(name);
        tensor.unwrap_or_else(|| panic!("`{}` holds no `{name}`", self.name))
    }

    /// Returns the tensors whose names start with `prefix`, without the prefix.
    pub fn under(&self, prefix: &str) -> HashMap<String, Tensor> {
        let tensors = self.tensors.iter();
        tensors
            .filter_map(|(name, tensor)| {
                Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone()))
            })
            .collect()
    }
}

pub fn values(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap();
    flat.to_vec1().unwrap()
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// Returns the norm of the difference relative to the norm of `expected`.
pub fn distance(ours: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(ours.dims(), expected.dims());
    let (ours, expected) = (values(ours), values(expected));
    let difference = norm(ours.iter().zip(&expected).map(|(a, b)| a - b));
    difference / norm(expected.into_iter())
}

/// Returns the largest difference relative to the largest expected number.
pub fn largest_difference(ours: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(ours.dims(), expected.dims());
    let (ours, expected) = (values(ours), values(expected));
    let largest = |values: &mut dyn Iterator<Item = f64>| {
        values.fold(0.0, |a: f64, b| if b.is_nan() { b } else { a.max(b.abs()) })
    };
    largest(&mut ours.iter().zip(&expected).map(|(a, b)| a - b))
        / largest(&mut expected.iter().copied())
}
