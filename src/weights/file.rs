//! A file of weights: which format its bytes are, and the tensors that it holds.
//!
//! The bytes decide, not the name's ending. What people download by mistake (a git-lfs pointer, a web page, half a file) is
//! told apart and named.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use candle_core::DType;
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::{Dtype, SafeTensorError, SafeTensors, tensor::Metadata};
use serde_json::{Map, Value};

use super::{archive::Archive, legacy};
use crate::error::hinted;

/// The longest safetensors header read, in bytes, as in the format's own library.
const LONGEST_HEADER: u64 = 100_000_000;
/// Numbers that a thread reads in one go: their bytes stay in a core's second cache until they are converted.
const PIECE: usize = 1 << 15;
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
    /// The tensors' elements.
    pub data: Data,
}

/// What stands in a safetensors file.
pub enum Bytes {
    /// A file of the system's.
    File(File),
    /// A file that was compiled in.
    Inside(&'static [u8]),
}

impl Bytes {
    /// Fills `bytes` with what stands from `offset` on, from any thread.
    fn fill(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        self.read_exact_at(bytes, offset)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    hinted("it ends before its last tensor does", DAMAGED)
                }
                _ => error.into(),
            })
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::File(file) => read_exact_at(file, bytes, offset),
            Self::Inside(all) => {
                let rest = usize::try_from(offset)
                    .ok()
                    .and_then(|start| all.get(start..));
                let wanted = rest.and_then(|rest| rest.get(..bytes.len()));
                bytes.copy_from_slice(wanted.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

/// The elements of a file's tensors, which stay in the file until they are asked for.
pub enum Data {
    /// Of a safetensors file, with the place of each tensor's first byte and the number of its bytes.
    Safetensors {
        file: Bytes,
        places: BTreeMap<String, [u64; 2]>,
    },
    /// Of a checkpoint of `torch.save`.
    Torch(Box<Archive>),
}

impl WeightsFile {
    /// Opens the file at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        let mut start = Vec::new();
        let file = File::open(path)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(hinted(
                "it is no file that can be read from any place, as a pipe is not",
                "save it to a file first",
            ));
        }
        let length = about.len();
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
                data: Data::Torch(Box::new(archive)),
            });
        }
        if let Some(error) = mistaken(&start) {
            return Err(error);
        }
        Self::safetensors(Bytes::File(File::open(path)?), &start, length)
    }

    /// Opens a safetensors file that is inside the binary.
    pub fn inside(bytes: &'static [u8]) -> Result<Self> {
        let start = &bytes[..bytes.len().min(8)];
        Self::safetensors(Bytes::Inside(bytes), start, bytes.len() as u64)
    }

    fn safetensors(file: Bytes, start: &[u8], length: u64) -> Result<Self> {
        let Header {
            tensors,
            metadata,
            end,
        } = header(&file, start, length)?;
        let (mut infos, mut places) = (BTreeMap::new(), BTreeMap::new());
        for (name, tensor) in tensors.tensors() {
            let info = Info {
                shape: tensor.shape.clone(),
                element: match tensor.dtype {
                    Dtype::F16 => Element::Float(DType::F16),
                    Dtype::BF16 => Element::Float(DType::BF16),
                    Dtype::F32 => Element::Float(DType::F32),
                    Dtype::F64 => Element::Float(DType::F64),
                    other => Element::Other(other.to_string().to_lowercase()),
                },
            };
            infos.insert(name.clone(), info);
            let (start, stop) = tensor.data_offsets;
            places.insert(name, [end + start as u64, (stop - start) as u64]);
        }
        Ok(Self {
            infos,
            metadata,
            notes: Vec::new(),
            data: Data::Safetensors { file, places },
        })
    }
}

impl Data {
    /// The elements of the tensor `name`, row by row, little-endian.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        match self {
            Self::Safetensors { file, places } => {
                let [start, size] = place(places, name)?;
                let mut bytes = vec![0; usize::try_from(size)?];
                file.fill(&mut bytes, start)?;
                Ok(bytes)
            }
            Self::Torch(archive) => archive.tensor(name),
        }
    }

    /// Fills `numbers` with the elements of the tensor `name`, which are of type `dtype`, and says whether one of them is
    /// infinite or not a number. Of a safetensors file only a few pieces are in memory beside `numbers`.
    pub fn numbers(&self, name: &str, dtype: DType, numbers: &mut [f32]) -> Result<bool> {
        let width = dtype.size_in_bytes();
        let wanted = numbers.len() * width;
        let convert = |bytes: &[u8], numbers: &mut [f32]| {
            to_f32(bytes, dtype, numbers);
            has_not_finite(bytes, dtype)
        };
        match self {
            Self::Safetensors { file, places } => {
                let [start, size] = place(places, name)?;
                ensure_size(size as usize, wanted)?;
                let read = |bytes: &mut Vec<u8>, piece: usize, numbers: &mut [f32]| {
                    bytes.resize(numbers.len() * width, 0);
                    file.fill(bytes, start + (piece * PIECE * width) as u64)?;
                    Ok(convert(bytes, numbers))
                };
                // The many small tensors are not worth waking a thread.
                if numbers.len() <= PIECE {
                    return read(&mut Vec::new(), 0, numbers);
                }
                let pieces = numbers.par_chunks_mut(PIECE).enumerate();
                let found = pieces.map_init(Vec::new, |bytes, (piece, numbers)| {
                    read(bytes, piece, numbers)
                });
                found.try_reduce(|| false, |a, b| Ok(a || b))
            }
            Self::Torch(archive) => {
                let bytes = archive.tensor(name)?;
                ensure_size(bytes.len(), wanted)?;
                if numbers.len() <= PIECE {
                    return Ok(convert(&bytes, numbers));
                }
                let pieces = numbers.par_chunks_mut(PIECE);
                let found = pieces
                    .zip(bytes.par_chunks(PIECE * width))
                    .map(|(numbers, bytes)| convert(bytes, numbers));
                Ok(found.reduce(|| false, |a, b| a || b))
            }
        }
    }
}

/// Where the tensor `name` begins, and its bytes.
fn place(places: &BTreeMap<String, [u64; 2]>, name: &str) -> Result<[u64; 2]> {
    let place = places.get(name).copied();
    place.with_context(|| format!("there is no tensor `{name}`"))
}

fn ensure_size(bytes: usize, wanted: usize) -> Result<()> {
    ensure!(
        bytes == wanted,
        "a tensor has {bytes} bytes, and {wanted} are wanted"
    );
    Ok(())
}

/// Fills `bytes` with what stands in the file from `offset` on, from any thread.
#[cfg(unix)]
pub fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Fills `bytes` with what stands in the file from `offset` on, from any thread.
#[cfg(windows)]
pub fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                bytes = &mut bytes[read..];
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn wrong_header(error: &SafeTensorError) -> anyhow::Error {
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

/// What stands before a safetensors file's data.
struct Header {
    /// Names, types, shapes and places of the tensors.
    tensors: Metadata,
    /// The strings beside them.
    metadata: Map<String, Value>,
    /// Where the data begins.
    end: u64,
}

/// Reads the header of a safetensors file of `length` bytes, `start` the first of them, and checks its form and lengths.
fn header(file: &Bytes, start: &[u8], length: u64) -> Result<Header> {
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
    if size > LONGEST_HEADER || size > length.saturating_sub(8) {
        return Err(hinted(
            format!("its header is said to be {size} bytes long, and the file has {length}"),
            DAMAGED,
        ));
    }
    let mut bytes = vec![0; size as usize + 8];
    file.fill(&mut bytes, 0)?;
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
    let metadata = match header.get("__metadata__") {
        None => Map::new(),
        Some(Value::Object(metadata)) => metadata.clone(),
        Some(_) => return Err(hinted("its header's metadata is no table", DAMAGED)),
    };
    // The data that it finds missing behind the header is counted below.
    match SafeTensors::read_metadata(&bytes) {
        Ok(_) | Err(SafeTensorError::MetadataIncompleteBuffer) => {}
        Err(error) => return Err(wrong_header(&error)),
    }
    let tensors: Metadata = serde_json::from_slice(&bytes[8..])?;
    let end = 8 + size;
    if end + tensors.data_len() as u64 != length {
        return Err(wrong_header(&SafeTensorError::MetadataIncompleteBuffer));
    }
    Ok(Header {
        tensors,
        metadata,
        end,
    })
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

/// Converts `bytes`, elements of type `dtype`, as candle does.
fn to_f32(bytes: &[u8], dtype: DType, numbers: &mut [f32]) {
    macro_rules! convert {
        ($width:literal, $convert:expr) => {
            for (number, element) in numbers.iter_mut().zip(bytes.as_chunks::<$width>().0) {
                *number = $convert(*element);
            }
        };
    }
    match dtype {
        DType::F16 => convert!(2, |element| f16::from_le_bytes(element).to_f32()),
        DType::BF16 => convert!(2, |element| bf16::from_le_bytes(element).to_f32()),
        DType::F64 => convert!(8, |element| f64::from_le_bytes(element) as f32),
        _ => convert!(4, f32::from_le_bytes),
    }
}

/// A tensor as the safetensors crate writes one.
pub struct Stored<'a> {
    /// What its elements are.
    pub dtype: Dtype,
    /// Sizes of its axes.
    pub shape: &'a [usize],
    /// Its elements.
    pub bytes: Vec<u8>,
}

impl safetensors::View for Stored<'_> {
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

    #[test]
    fn numbers_of_any_type_are_read_in_pieces_and_checked_to_the_last() {
        let count = 2 * PIECE + 3;
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
                let tensor = |shape, bytes| Stored {
                    dtype: Dtype::from(dtype),
                    shape,
                    bytes,
                };
                // What stands before it moves it off the pieces' bounds.
                let tensors = [
                    ("a", tensor(&[1], encode(0.0))),
                    ("b", tensor(&whole, bytes.clone())),
                ];
                let file = tempfile::NamedTempFile::new().unwrap();
                std::fs::write(file.path(), safetensors::serialize(tensors, None).unwrap())
                    .unwrap();
                let data = WeightsFile::open(file.path()).unwrap().data;
                assert_eq!(data.bytes("b").unwrap(), bytes);
                let mut numbers = vec![9.0; count];
                let is_not_finite = data.numbers("b", dtype, &mut numbers).unwrap();
                assert_eq!(is_not_finite, last.is_nan(), "{dtype:?}");
                assert_eq!(numbers[..count - 1], quarters[..count - 1], "{dtype:?}");
                assert_eq!(numbers[count - 1].is_nan(), last.is_nan(), "{dtype:?}");
                assert!(data.numbers("b", dtype, &mut numbers[1..]).is_err());
                assert!(data.numbers("c", dtype, &mut numbers).is_err());
            }
        }
    }
}
