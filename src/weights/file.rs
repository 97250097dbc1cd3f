//! A file of weights: which format its bytes are, and the tensors that it holds.
//!
//! The bytes decide, not the name's ending. What people download by mistake (a git-lfs pointer, a web page, half a file) is
//! told apart and named.

use std::{borrow::Cow, collections::BTreeMap, fs::File, io::Read, path::Path};

use anyhow::{Context, Result};
use candle_core::{DType, safetensors::MmapedSafetensors};
use safetensors::Dtype;
use serde_json::{Map, Value};

use super::{archive::Archive, legacy};
use crate::error::{hinted, without_backtrace};

/// The longest safetensors header read, in bytes, as in the format's own library.
const LONGEST_HEADER: u64 = 100_000_000;
/// The hint for files that are not whole.
pub const DAMAGED: &str = "the file is cut off or damaged: copy or download it again";

/// What a tensor's elements are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Element {
    /// Floating point of a type that weights may have: f16, bf16, f32 or f64.
    Float(DType),
    /// Any other type, by its name.
    Other(String),
}

/// A tensor without its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Sizes of its axes.
    pub shape: Vec<usize>,
    /// What its elements are.
    pub element: Element,
}

/// An open file of weights whose data was not read yet.
pub struct WeightsFile {
    /// The tensors by the names that the file gives them.
    pub infos: BTreeMap<String, Info>,
    /// The strings that a safetensors file carries beside its tensors.
    pub metadata: Map<String, Value>,
    /// What a person should know.
    pub notes: Vec<String>,
    format: Format,
}

enum Format {
    Safetensors(MmapedSafetensors),
    Torch(Box<Archive>),
}

/// The data of a file's tensors.
pub enum Data {
    /// In the file, mapped into memory.
    Mapped(MmapedSafetensors),
    /// Read.
    Read(BTreeMap<String, Vec<u8>>),
}

impl WeightsFile {
    /// Opens the file at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        let mut start = Vec::new();
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        file.take(512).read_to_end(&mut start)?;
        let zip = start.starts_with(b"PK\x03\x04");
        if zip || legacy::recognises(&start) {
            let file = File::open(path)?;
            let (archive, notes) = if zip {
                Archive::open(file)?
            } else {
                Archive::open_legacy(file)?
            };
            return Ok(Self {
                infos: archive.infos(),
                metadata: Map::new(),
                notes,
                format: Format::Torch(Box::new(archive)),
            });
        }
        if let Some(error) = mistaken(&start) {
            return Err(error);
        }
        let metadata = header(path, &start, length)?;
        // SAFETY: the map is read only. That nobody changes the file while it is mapped cannot be enforced by any process;
        // every program that maps weights relies on it. Files of the hub's cache are never rewritten in place, and ours
        // are replaced by a rename, which leaves the mapped ones alone.
        #[expect(unsafe_code, reason = "the one map of weights")]
        let mapped = unsafe { MmapedSafetensors::new(path) }.map_err(|error| match error {
            // The path is told by the caller.
            candle_core::Error::WithPath { inner, .. } => wrong_header(&inner),
            other => wrong_header(&other),
        })?;
        let infos = mapped.tensors().into_iter().map(|(name, tensor)| {
            let info = Info {
                shape: tensor.shape().to_vec(),
                element: match tensor.dtype() {
                    Dtype::F16 => Element::Float(DType::F16),
                    Dtype::BF16 => Element::Float(DType::BF16),
                    Dtype::F32 => Element::Float(DType::F32),
                    Dtype::F64 => Element::Float(DType::F64),
                    other => Element::Other(other.to_string().to_lowercase()),
                },
            };
            (name, info)
        });
        Ok(Self {
            infos: infos.collect(),
            metadata,
            notes: Vec::new(),
            format: Format::Safetensors(mapped),
        })
    }

    /// Makes the data of the tensors `names` ready: reads them where they cannot be mapped.
    pub fn into_data<'a>(self, names: impl Iterator<Item = &'a str>) -> Result<Data> {
        Ok(match self.format {
            Format::Safetensors(mapped) => Data::Mapped(mapped),
            Format::Torch(archive) => Data::Read(archive.read(names)?),
        })
    }
}

impl Data {
    /// The elements of the tensor `name`, row by row, little-endian.
    pub fn bytes(&self, name: &str) -> Result<&[u8]> {
        match self {
            Self::Mapped(mapped) => Ok(mapped.get(name)?.data()),
            Self::Read(tensors) => tensors
                .get(name)
                .map(Vec::as_slice)
                .with_context(|| format!("tensor `{name}` was not read")),
        }
    }
}

fn wrong_header(error: &candle_core::Error) -> anyhow::Error {
    let error = without_backtrace(error);
    hinted(format!("its header is wrong: {error}"), DAMAGED)
}

/// The error for bytes that are known and not weights that can be read; nothing for a safetensors file or unknown bytes.
fn mistaken(start: &[u8]) -> Option<anyhow::Error> {
    let text = String::from_utf8_lossy(start).trim_start().to_lowercase();
    let tar = start.get(257..262) == Some(b"ustar");
    let (what, hint) = if start.is_empty() {
        ("it is empty", DAMAGED)
    } else if start.starts_with(b"version https://git-lfs") {
        (
            "it is a git-lfs pointer, not the weights it stands for",
            "fetch the weights with `git lfs pull`, or name the hub's repository as `org/name`",
        )
    } else if text.starts_with("<!doctype")
        || text.starts_with("<html")
        || text.starts_with("<?xml")
    {
        (
            "it is a web page saved as weights",
            "download the file itself: on the hub the address has `/resolve/`, not `/blob/`",
        )
    } else if tar {
        (
            "it is a tar archive: files packed together, or PyTorch's first format",
            "unpack it (`tar -xf`); weights of the first format: `torch.save(torch.load(file), \"weights.pth\")`",
        )
    } else if matches!(start, [0x80, 2..=5, ..]) {
        (
            "it is a plain pickle, not one of `torch.save`",
            "in Python: `torch.save(model.state_dict(), \"weights.pth\")` with PyTorch 1.6 or later",
        )
    } else if start.starts_with(b"\x1f\x8b") {
        ("it is compressed with gzip", "unpack it first: `gzip -d`")
    } else if start.starts_with(b"PK") {
        ("it is an empty or split zip archive", DAMAGED)
    } else if start.starts_with(b"\x89HDF") {
        (
            "it is an HDF5 file (Keras), which is not read",
            "pass weights saved by PyTorch or as safetensors",
        )
    } else if start.starts_with(b"GGUF") {
        (
            "it is a GGUF file, which is not read",
            "pass weights saved by PyTorch or as safetensors",
        )
    } else if start.starts_with(b"\x93NUMPY") {
        (
            "it is a NumPy array, which is not read",
            "pass weights saved by PyTorch or as safetensors",
        )
    } else {
        return None;
    };
    Some(hinted(what, hint))
}

/// The metadata of a safetensors header, whose form and length are checked; `start` is the beginning of the file.
fn header(path: &Path, start: &[u8], length: u64) -> Result<Map<String, Value>> {
    let unknown = || {
        hinted(
            "it is neither safetensors nor a checkpoint of `torch.save`",
            "pass a `.safetensors`, `.pth`, `.pt` or `.bin` file of weights",
        )
    };
    let Some((size, rest)) = start.split_first_chunk::<8>() else {
        return Err(unknown());
    };
    let size = u64::from_le_bytes(*size);
    if size > LONGEST_HEADER && rest.first() != Some(&b'{') {
        return Err(unknown());
    }
    if size > LONGEST_HEADER || size > length - 8 {
        return Err(hinted(
            format!("its header is said to be {size} bytes long, and the file has {length}"),
            DAMAGED,
        ));
    }
    let mut bytes = vec![0; size as usize + 8];
    File::open(path)?.read_exact(&mut bytes)?;
    let header: Map<String, Value> = serde_json::from_slice(&bytes[8..]).map_err(|error| {
        hinted(
            format!("its header is not the JSON of a safetensors file: {error}"),
            DAMAGED,
        )
    })?;
    let ends = header
        .iter()
        .filter(|(name, _)| *name != "__metadata__")
        .filter_map(|(_, tensor)| tensor["data_offsets"][1].as_u64());
    let end = ends.max().unwrap_or(0).saturating_add(8 + size);
    if end > length {
        return Err(hinted(
            format!("its header describes {end} bytes, and the file has {length}"),
            DAMAGED,
        ));
    }
    match header.get("__metadata__") {
        None => Ok(Map::new()),
        Some(Value::Object(metadata)) => Ok(metadata.clone()),
        Some(_) => Err(hinted("its header's metadata is no table", DAMAGED)),
    }
}

/// Whether an element of `bytes` is infinite or not a number.
pub fn has_not_finite(bytes: &[u8], dtype: DType) -> bool {
    /// Whether every bit of `mask` (the exponent) is set in one of the elements.
    macro_rules! any {
        ($type:ty, $width:literal, $mask:expr) => {
            bytes.as_chunks::<$width>().0.chunks(4096).any(|block| {
                block
                    .iter()
                    .map(|element| <$type>::from_le_bytes(*element) & $mask == $mask)
                    .fold(false, std::ops::BitOr::bitor)
            })
        };
    }
    match dtype {
        DType::F16 => any!(u16, 2, 0x7c00),
        DType::BF16 => any!(u16, 2, 0x7f80),
        DType::F32 => any!(u32, 4, 0x7f80_0000),
        DType::F64 => any!(u64, 8, 0x7ff0_0000_0000_0000),
        _ => false,
    }
}

/// A borrowed tensor as the safetensors crate writes one.
pub struct Stored<'a> {
    /// What its elements are.
    pub dtype: Dtype,
    /// Sizes of its axes.
    pub shape: &'a [usize],
    /// Its elements.
    pub bytes: &'a [u8],
}

impl safetensors::View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinities_and_not_a_number_are_found_in_every_type() {
        for value in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            let encoded = [
                (
                    DType::F16,
                    half::f16::from_f32(value).to_le_bytes().to_vec(),
                ),
                (
                    DType::BF16,
                    half::bf16::from_f32(value).to_le_bytes().to_vec(),
                ),
                (DType::F32, value.to_le_bytes().to_vec()),
                (DType::F64, f64::from(value).to_le_bytes().to_vec()),
            ];
            for (dtype, element) in encoded {
                let mut bytes = vec![1; element.len() * 5000];
                assert!(!has_not_finite(&bytes, dtype));
                bytes.extend(&element);
                assert!(has_not_finite(&bytes, dtype), "{value} as {dtype:?}");
            }
        }
        assert!(!has_not_finite(&f32::MAX.to_le_bytes(), DType::F32));
    }
}
