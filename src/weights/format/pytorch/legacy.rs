//! Checkpoints in `torch.save`'s format from before `PyTorch` 1.6, in which torchvision still serves some of its
//! weights.
//!
//! Five pickles follow one another: a magic number, the format version, properties of the machine, the object, and the
//! list of its storages' names. Then comes each storage in that order: its number of elements in 64 bits, and its data.
//! There are no checksums: only the numbers of elements reveal a damaged file.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    pickle::{MAX_LENGTH, Object, Pickle},
    tensor_view::element_size,
};
use crate::error::error_with_hint;
use crate::weights::{
    format::bytes::read_exact_at,
    hints::{BIG_ENDIAN, DAMAGED},
};

/// The magic number at the start of the format, as pickled: an integer of ten bytes.
const MAGIC: &[u8] = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19";

/// The storages of an open checkpoint.
pub struct LegacyStorages {
    file: File,
    /// Offset and length in bytes of each storage's data.
    offsets: BTreeMap<String, [u64; 2]>,
}

/// Returns true if a file that starts with `start` is in this format.
pub fn recognizes(start: &[u8]) -> bool {
    let [0x80, 2..=5, rest @ ..] = start else {
        return false;
    };
    // From protocol 4 on a pickle is framed: an instruction and 64 bits.
    let unframed = match rest {
        [0x95, rest @ ..] => rest.get(8..).unwrap_or_default(),
        _ => rest,
    };
    unframed.starts_with(MAGIC)
}

impl LegacyStorages {
    /// Finds the storages of the checkpoint in `file`, and returns its object.
    pub fn open(mut file: File) -> Result<(Self, Pickle)> {
        let length = file.metadata()?.len();
        let mut bytes = Vec::new();
        (&mut file).take(MAX_LENGTH).read_to_end(&mut bytes)?;
        let mut position = 0;
        let mut next = || -> Result<Pickle> {
            let (pickle, length) = Pickle::parse_first(&bytes[position..])?;
            position += length;
            Ok(pickle)
        };
        let [_magic, _version, machine, object, names] =
            [next()?, next()?, next()?, next()?, next()?];
        if let Object::Dict(entries) = machine.get(machine.root()) {
            let big = entries.iter().any(|&(key, value)| {
                machine.text(key) == Some("little_endian")
                    && *machine.get(value) == Object::Bool(false)
            });
            if big {
                return Err(error_with_hint("its numbers are big-endian", BIG_ENDIAN));
            }
        }
        let offsets = locate_storages(&mut file, position as u64, length, &names, &object)
            .map_err(|error| error_with_hint(format!("{error:#}"), DAMAGED))?;
        Ok((Self { file, offsets }, object))
    }

    /// Returns the data of the storage `name`.
    pub fn read_storage(&self, name: &str) -> Result<Vec<u8>> {
        let &[start, size] = self.offsets.get(name).ok_or_else(|| {
            error_with_hint(format!("the checkpoint has no storage `{name}`"), DAMAGED)
        })?;
        // It was tested to lie inside the file.
        let mut bytes = vec![0; usize::try_from(size)?];
        read_exact_at(&self.file, &mut bytes, start)?;
        Ok(bytes)
    }
}

/// Returns the locations of the storages `names` of `object` in `file`, of `length` bytes, the first of them at
/// `start`.
fn locate_storages(
    file: &mut File,
    start: u64,
    length: u64,
    names: &Pickle,
    object: &Pickle,
) -> Result<BTreeMap<String, [u64; 2]>> {
    let Object::List(items) = names.get(names.root()) else {
        bail!("the list of its storages is missing");
    };
    let known = list_storages(object)?;
    let mut offsets = BTreeMap::new();
    let mut position = start;
    for &item in items {
        let name = names
            .text(item)
            .context("a storage's name is not a string")?;
        let &[elements, width] = known
            .get(name)
            .with_context(|| format!("nothing uses storage `{name}`"))?;
        let mut count = [0; 8];
        file.seek(SeekFrom::Start(position))?;
        file.read_exact(&mut count)
            .with_context(|| format!("storage `{name}` is missing"))?;
        let count = u64::from_le_bytes(count);
        ensure!(
            count == elements,
            "storage `{name}` has {count} elements instead of {elements}"
        );
        let data = position + 8;
        position = count
            .checked_mul(width)
            .and_then(|size| data.checked_add(size))
            .filter(|end| *end <= length)
            .with_context(|| {
                format!("storage `{name}` extends beyond the file's {length} bytes")
            })?;
        let place = [data, position - data];
        let twice = offsets.insert(name.to_owned(), place).is_some();
        ensure!(!twice, "storage `{name}` occurs twice");
    }
    Ok(offsets)
}

/// Returns the number of elements, and the bytes per element, of every storage that `object` names.
fn list_storages(object: &Pickle) -> Result<BTreeMap<&str, [u64; 2]>> {
    let mut storages = BTreeMap::new();
    for persistent in object.objects() {
        let &Object::Persistent(id) = persistent else {
            continue;
        };
        // ("storage", class, name, device, elements, view); ("module", ..) keeps a class's source.
        let items = object.tuple(id).context("a storage is not a tuple")?;
        let &[kind, class, name, _, elements, ..] = items else {
            continue;
        };
        if object.text(kind) != Some("storage") {
            continue;
        }
        let (_, class) = object.global(class).context("a storage has no type")?;
        let width = element_size(class)
            .with_context(|| format!("storage type `{class}` is not supported"))?;
        let name = object
            .text(name)
            .context("a storage's name is not a string")?;
        let elements = object.size(elements).context("a storage has no size")?;
        let storage = [elements as u64, width];
        let other = storages.insert(name, storage);
        ensure!(
            other.is_none_or(|other| other == storage),
            "storage `{name}` has two types or sizes"
        );
    }
    Ok(storages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_known_by_its_magic_number_in_any_protocol() {
        let plain = [b"\x80\x02", MAGIC].concat();
        let framed = [b"\x80\x04\x95\x0d\0\0\0\0\0\0\0", MAGIC].concat();
        assert!(recognizes(&plain) && recognizes(&framed));
        for other in [
            &b""[..],
            b"\x80\x02",
            b"\x80\x04\x95\x0d",
            b"\x80\x02}.",
            MAGIC,
        ] {
            assert!(!recognizes(other));
        }
    }
}
