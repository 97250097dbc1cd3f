//! A file of weights: its format, recognized by content, and the tensors that it holds.
//!
//! The bytes decide, not the file extension.

use std::{borrow::Cow, collections::BTreeMap, fs::File, io::Read, path::Path};

use anyhow::{Context, Result, ensure};
use candle_core::DType;
use rayon::prelude::*;
use safetensors::Dtype;
use serde_json::{Map, Value};

use super::{
    bytes::ByteSource,
    convert::{has_not_finite, to_f32},
    not_weights::detect_other_format,
    pytorch::{archive::TorchArchive, legacy},
    safetensors::{SafetensorsHeader, read_header},
    tensor_info::{ElementType, TensorInfo},
};
use crate::error::error_with_hint;

/// Number of elements that a thread reads at once: their bytes stay in a core's L2 cache until they are converted.
const CHUNK: usize = 1 << 15;

/// An open file of weights whose data is not read yet.
pub struct WeightsFile {
    /// Tensors by their names in the file.
    pub infos: BTreeMap<String, TensorInfo>,
    /// The strings that a safetensors file stores beside its tensors.
    pub metadata: Map<String, Value>,
    /// Notes for the user.
    pub notes: Vec<String>,
    /// Elements of the tensors.
    pub data: TensorData,
}

/// The elements of a file's tensors, which stay in the file until they are requested.
pub enum TensorData {
    /// A safetensors file, with the offset and length in bytes of each tensor.
    Safetensors {
        file: ByteSource,
        offsets: BTreeMap<String, [u64; 2]>,
    },
    /// A checkpoint of `torch.save`.
    Torch(Box<TorchArchive>),
}

impl WeightsFile {
    /// Opens the file at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        let mut start = Vec::new();
        let file = File::open(path)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(error_with_hint(
                "it is not a regular file, so it cannot be read at any offset",
                "save it to a file first",
            ));
        }
        let length = about.len();
        file.take(512).read_to_end(&mut start)?;
        let zip = start.starts_with(b"PK\x03\x04");
        if zip || legacy::recognizes(&start) {
            let file = File::open(path)?;
            let (archive, notes) = if zip {
                TorchArchive::open(file)?
            } else {
                TorchArchive::open_legacy(file)?
            };
            return Ok(Self {
                infos: archive.infos(),
                metadata: Map::new(),
                notes,
                data: TensorData::Torch(Box::new(archive)),
            });
        }
        if let Some(error) = detect_other_format(&start) {
            return Err(error);
        }
        Self::from_safetensors(ByteSource::File(File::open(path)?), &start, length)
    }

    /// Opens a safetensors file that is embedded in the binary.
    pub fn open_embedded(bytes: &'static [u8]) -> Result<Self> {
        let start = &bytes[..bytes.len().min(8)];
        Self::from_safetensors(ByteSource::Embedded(bytes), start, bytes.len() as u64)
    }

    fn from_safetensors(file: ByteSource, start: &[u8], length: u64) -> Result<Self> {
        let SafetensorsHeader {
            tensors,
            metadata,
            end,
        } = read_header(&file, start, length)?;
        let (mut infos, mut offsets) = (BTreeMap::new(), BTreeMap::new());
        for (name, tensor) in tensors.tensors() {
            let info = TensorInfo {
                shape: tensor.shape.clone(),
                element: match tensor.dtype {
                    Dtype::F16 => ElementType::Float(DType::F16),
                    Dtype::BF16 => ElementType::Float(DType::BF16),
                    Dtype::F32 => ElementType::Float(DType::F32),
                    Dtype::F64 => ElementType::Float(DType::F64),
                    other => ElementType::Other(other.to_string().to_lowercase()),
                },
            };
            infos.insert(name.clone(), info);
            let (start, stop) = tensor.data_offsets;
            offsets.insert(name, [end + start as u64, (stop - start) as u64]);
        }
        Ok(Self {
            infos,
            metadata,
            notes: Vec::new(),
            data: TensorData::Safetensors { file, offsets },
        })
    }
}

impl TensorData {
    /// Returns the elements of the tensor `name`, row-major, little-endian.
    pub fn read_bytes(&self, name: &str) -> Result<Vec<u8>> {
        match self {
            Self::Safetensors { file, offsets } => {
                let [start, size] = find_offset(offsets, name)?;
                let mut bytes = vec![0; usize::try_from(size)?];
                file.fill(&mut bytes, start)?;
                Ok(bytes)
            }
            Self::Torch(archive) => archive.read_tensor(name),
        }
    }

    /// Fills `numbers` with the elements of the tensor `name`, of type `dtype`. Returns true if one of them is infinite
    /// or NaN. For a safetensors file, only a few pieces are in memory besides `numbers`.
    pub fn read_f32(&self, name: &str, dtype: DType, numbers: &mut [f32]) -> Result<bool> {
        let width = dtype.size_in_bytes();
        let wanted = numbers.len() * width;
        let convert = |bytes: &[u8], numbers: &mut [f32]| {
            to_f32(bytes, dtype, numbers);
            has_not_finite(bytes, dtype)
        };
        match self {
            Self::Safetensors { file, offsets } => {
                let [start, size] = find_offset(offsets, name)?;
                ensure_size(size as usize, wanted)?;
                let read = |bytes: &mut Vec<u8>, piece: usize, numbers: &mut [f32]| {
                    bytes.resize(numbers.len() * width, 0);
                    file.fill(bytes, start + (piece * CHUNK * width) as u64)?;
                    Ok(convert(bytes, numbers))
                };
                // The many small tensors are not worth waking a thread.
                if numbers.len() <= CHUNK {
                    return read(&mut Vec::new(), 0, numbers);
                }
                let pieces = numbers.par_chunks_mut(CHUNK).enumerate();
                let found = pieces.map_init(Vec::new, |bytes, (piece, numbers)| {
                    read(bytes, piece, numbers)
                });
                found.try_reduce(|| false, |a, b| Ok(a || b))
            }
            Self::Torch(archive) => {
                let bytes = archive.read_tensor(name)?;
                ensure_size(bytes.len(), wanted)?;
                if numbers.len() <= CHUNK {
                    return Ok(convert(&bytes, numbers));
                }
                let pieces = numbers.par_chunks_mut(CHUNK);
                let found = pieces
                    .zip(bytes.par_chunks(CHUNK * width))
                    .map(|(numbers, bytes)| convert(bytes, numbers));
                Ok(found.reduce(|| false, |a, b| a || b))
            }
        }
    }
}

/// Returns the offset and length in bytes of the tensor `name`.
fn find_offset(offsets: &BTreeMap<String, [u64; 2]>, name: &str) -> Result<[u64; 2]> {
    let offset = offsets.get(name).copied();
    offset.with_context(|| format!("there is no tensor `{name}`"))
}

fn ensure_size(bytes: usize, wanted: usize) -> Result<()> {
    ensure!(
        bytes == wanted,
        "a tensor has {bytes} bytes instead of {wanted}"
    );
    Ok(())
}

/// A tensor in the form in which the safetensors crate writes it.
pub struct RawTensor<'a> {
    /// Element type.
    pub dtype: Dtype,
    /// Sizes of the axes.
    pub shape: &'a [usize],
    /// Elements.
    pub bytes: Vec<u8>,
}

impl safetensors::View for RawTensor<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};

    #[test]
    fn numbers_of_any_type_are_read_in_chunks_and_checked_to_the_last() {
        let count = 2 * CHUNK + 3;
        let whole = [count];
        for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64] {
            // Quarters up to 16 are exact in every type.
            let quarters: Vec<f32> = (0..count).map(|i| (i % 64) as f32 / 4.0).collect();
            let encode = |number: f32| match dtype {
                DType::F16 => f16::from_f32(number).to_le_bytes().to_vec(),
                DType::BF16 => bf16::from_f32(number).to_le_bytes().to_vec(),
                DType::F64 => f64::from(number).to_le_bytes().to_vec(),
                _ => number.to_le_bytes().to_vec(),
            };
            let mut bytes: Vec<u8> = quarters.iter().flat_map(|number| encode(*number)).collect();
            let width = dtype.size_in_bytes();
            for last in [1.5, f32::NAN] {
                bytes.truncate((count - 1) * width);
                bytes.extend(encode(last));
                let tensor = |shape, bytes| RawTensor {
                    dtype: Dtype::from(dtype),
                    shape,
                    bytes,
                };
                // The tensor before it shifts it off the chunks' bounds.
                let tensors = [
                    ("a", tensor(&[1], encode(0.0))),
                    ("b", tensor(&whole, bytes.clone())),
                ];
                let file = tempfile::NamedTempFile::new().unwrap();
                std::fs::write(file.path(), safetensors::serialize(tensors, None).unwrap())
                    .unwrap();
                let data = WeightsFile::open(file.path()).unwrap().data;
                assert_eq!(data.read_bytes("b").unwrap(), bytes);
                let mut numbers = vec![9.0; count];
                let is_not_finite = data.read_f32("b", dtype, &mut numbers).unwrap();
                assert_eq!(is_not_finite, last.is_nan(), "{dtype:?}");
                assert_eq!(numbers[..count - 1], quarters[..count - 1], "{dtype:?}");
                assert_eq!(numbers[count - 1].is_nan(), last.is_nan(), "{dtype:?}");
                assert!(data.read_f32("b", dtype, &mut numbers[1..]).is_err());
                assert!(data.read_f32("c", dtype, &mut numbers).is_err());
            }
        }
    }
}
