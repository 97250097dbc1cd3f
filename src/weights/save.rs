//! Writing of models, and of safetensors files with the same bytes for the same content.

use std::path::Path;

use anyhow::{Context, Result};
use candle_core::Tensor;
use safetensors::View;
use serde_json::{Map, Value, json};

use super::format::metadata;
use crate::fs::write_whole;
use crate::run_dir::{MODEL_CONFIG, WEIGHTS};

/// Writes `tensors`, and `metadata` in its order, to the safetensors file at `path`.
///
/// The crate's own writer is not used: its order of metadata differs from run to run.
///
/// # Errors
/// If the file cannot be written; then nothing is left behind.
pub fn write_safetensors<V: View>(
    path: &Path,
    metadata: &[(&str, &str)],
    tensors: &[(String, V)],
) -> Result<()> {
    let mut sorted: Vec<&(String, V)> = tensors.iter().collect();
    // The format wants each tensor aligned to its type, so wide types first.
    sorted.sort_by(|(name, tensor), (other_name, other)| {
        other
            .dtype()
            .cmp(&tensor.dtype())
            .then(name.cmp(other_name))
    });
    let mut header = Map::new();
    if !metadata.is_empty() {
        let metadata: Map<String, Value> = metadata
            .iter()
            .map(|&(key, value)| (key.to_owned(), json!(value)))
            .collect();
        header.insert("__metadata__".to_owned(), Value::Object(metadata));
    }
    let mut offset = 0;
    for (name, tensor) in &sorted {
        let end = offset + tensor.data_len();
        let entry = json!({
            "dtype": tensor.dtype(),
            "shape": tensor.shape(),
            "data_offsets": [offset, end],
        });
        header.insert(name.clone(), entry);
        offset = end;
    }
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    write_whole(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        for (_, tensor) in &sorted {
            file.write_all(&tensor.data())?;
        }
        Ok(())
    })
}

/// Writes a model into `folder`, which is created if absent: `model.safetensors` under torchvision's names, and
/// `config.json`. Both contain `config`, the model in timm's form, as [`super::ModelInfo::to_json`] returns it.
///
/// # Errors
/// If a file cannot be written.
pub fn write_model(folder: &Path, config: &Value, tensors: &[(String, Tensor)]) -> Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create folder `{}`", folder.display()))?;
    let compact = serde_json::to_string(config)?;
    let views: Vec<(String, &Tensor)> = tensors
        .iter()
        .map(|(name, tensor)| (name.clone(), tensor))
        .collect();
    let metadata = [("format", "pt"), (metadata::CONFIG, compact.as_str())];
    write_safetensors(&folder.join(WEIGHTS), &metadata, &views)?;
    write_whole(&folder.join(MODEL_CONFIG), |file| {
        serde_json::to_writer_pretty(&mut *file, config)?;
        Ok(file.write_all(b"\n")?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn a_written_file_is_read_by_the_safetensors_crate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let tensors = [
            (
                "half".to_owned(),
                Tensor::ones(3, DType::F16, &Device::Cpu).unwrap(),
            ),
            (
                "wide".to_owned(),
                Tensor::ones((2, 2), DType::F64, &Device::Cpu).unwrap(),
            ),
        ];
        let views: Vec<_> = tensors
            .iter()
            .map(|(name, tensor)| (name.clone(), tensor))
            .collect();
        write_safetensors(&path, &[("b", "1"), ("a", "2")], &views).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(metadata.metadata().as_ref().unwrap()["a"], "2");
        let read = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        assert_eq!(
            read["half"].to_vec1::<half::f16>().unwrap(),
            [half::f16::ONE; 3]
        );
        assert_eq!(read["wide"].to_vec2::<f64>().unwrap(), [[1.0; 2]; 2]);
        write_safetensors(&path, &[("b", "1"), ("a", "2")], &views).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
