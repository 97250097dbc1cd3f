//! The header of a safetensors file.

use anyhow::Result;
use safetensors::{SafeTensorError, SafeTensors, tensor::Metadata};
use serde_json::{Map, Value};

use super::bytes::ByteSource;
use crate::error::error_with_hint;
use crate::weights::hints::DAMAGED;

/// Maximum length of a safetensors header in bytes, as in the format's own library.
const MAX_HEADER_LENGTH: u64 = 100_000_000;
/// The part of a safetensors file before its data.
pub struct SafetensorsHeader {
    /// Names, types, shapes and offsets of the tensors.
    pub tensors: Metadata,
    /// The strings stored beside them.
    pub metadata: Map<String, Value>,
    /// Offset of the data.
    pub end: u64,
}

/// Reads the header of a safetensors file of `length` bytes, of which `start` is the first part, and checks its form
/// and lengths.
pub fn read_header(file: &ByteSource, start: &[u8], length: u64) -> Result<SafetensorsHeader> {
    let unknown = || {
        error_with_hint(
            "it is neither a safetensors file nor a checkpoint of `torch.save`",
            "pass a `.safetensors`, `.pth`, `.pt` or `.bin` file of weights",
        )
    };
    let Some((size, rest)) = start.split_first_chunk::<8>() else {
        return Err(unknown());
    };
    let size = u64::from_le_bytes(*size);
    if size > MAX_HEADER_LENGTH && rest.first() != Some(&b'{') {
        return Err(unknown());
    }
    if size > MAX_HEADER_LENGTH || size > length.saturating_sub(8) {
        return Err(error_with_hint(
            format!("its header claims {size} bytes, and the file has {length}"),
            DAMAGED,
        ));
    }
    let mut bytes = vec![0; size as usize + 8];
    file.fill(&mut bytes, 0)?;
    let header: Map<String, Value> = serde_json::from_slice(&bytes[8..]).map_err(|error| {
        error_with_hint(
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
        return Err(error_with_hint(
            format!("its header describes {end} bytes, and the file has {length}"),
            DAMAGED,
        ));
    }
    let metadata = match header.get("__metadata__") {
        None => Map::new(),
        Some(Value::Object(metadata)) => metadata.clone(),
        Some(_) => {
            return Err(error_with_hint(
                "its header's metadata is not a table",
                DAMAGED,
            ));
        }
    };
    // The data that it finds missing behind the header is counted below.
    match SafeTensors::read_metadata(&bytes) {
        Ok(_) | Err(SafeTensorError::MetadataIncompleteBuffer) => {}
        Err(error) => return Err(header_error(&error)),
    }
    let tensors: Metadata = serde_json::from_slice(&bytes[8..])?;
    let end = 8 + size;
    if end + tensors.data_len() as u64 != length {
        return Err(header_error(&SafeTensorError::MetadataIncompleteBuffer));
    }
    Ok(SafetensorsHeader {
        tensors,
        metadata,
        end,
    })
}

fn header_error(error: &SafeTensorError) -> anyhow::Error {
    error_with_hint(format!("its header is invalid: {error}"), DAMAGED)
}
