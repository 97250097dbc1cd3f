//! The directory of a zip archive, as far as `torch.save` writes one: entries without compression, with 64-bit sizes
//! where needed.
//!
//! The `zip` crate, with which candle reads checkpoints, does not find the directory of every archive that `PyTorch`
//! wrote: version 9.4 rejects the one of torchvision's training script among the test fixtures ("Invalid Central
//! Directory header"), although its directory is complete and at the offset given by its end record. The format is
//! specified in <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, sections 4.3 and 4.5.3.

use std::{collections::BTreeMap, fs::File};

use anyhow::{Context, Result, bail};

use crate::error::error_with_hint;
use crate::weights::{format::bytes::read_exact_at, hints::DAMAGED};

/// The record at the end of the archive: its length without a comment, and the maximum length of the comment.
const END: (usize, u64) = (22, 65_535);

/// An open archive and the location of its entries.
pub struct ZipDirectory {
    file: File,
    length: u64,
    entries: BTreeMap<String, ZipEntry>,
}

struct ZipEntry {
    /// Offset of the entry's own header.
    header: u64,
    /// Size of the content in bytes.
    size: u64,
    /// Checksum of the content.
    crc32: u32,
    /// True if the content is stored as is, neither compressed nor encrypted.
    plain: bool,
}

impl ZipDirectory {
    /// Reads the directory of the archive in `file`.
    pub fn read(file: File) -> Result<Self> {
        let length = file.metadata()?.len();
        let mut directory = Self {
            file,
            length,
            entries: BTreeMap::new(),
        };
        match directory.read_entries() {
            Ok(entries) => directory.entries = entries,
            Err(error) => {
                let message = format!("the zip archive cannot be read: {error:#}");
                return Err(error_with_hint(message, DAMAGED));
            }
        }
        Ok(directory)
    }

    /// Returns the names of the entries in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Returns true if there is an entry of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Returns the content of an entry of at most `limit` bytes, after verifying its checksum.
    pub fn read_entry(&self, name: &str, limit: u64) -> Result<Vec<u8>> {
        let Some(entry) = self.entries.get(name) else {
            return Err(error_with_hint(
                format!("its archive has no entry `{name}`"),
                DAMAGED,
            ));
        };
        if !entry.plain {
            return Err(error_with_hint(
                format!(
                    "entry `{name}` of its archive is compressed or encrypted, which `torch.save` never does"
                ),
                "unpack it if it holds weights, or save them again with `torch.save`",
            ));
        }
        if entry.size > limit {
            return Err(error_with_hint(
                format!(
                    "entry `{name}` of its archive has {} bytes, more than the limit of {limit}",
                    entry.size
                ),
                "save the weights alone: `torch.save(model.state_dict(), \"weights.pth\")`",
            ));
        }
        let content = self.read_content(entry).map_err(|error| {
            error_with_hint(format!("entry `{name}` of its archive: {error:#}"), DAMAGED)
        })?;
        Ok(content)
    }

    fn read_content(&self, entry: &ZipEntry) -> Result<Vec<u8>> {
        let header = self.read_bytes(entry.header, 30)?;
        if !header.starts_with(b"PK\x03\x04") {
            bail!("its header is missing");
        }
        let lengths = u64::from(u16_at(&header, 26)?) + u64::from(u16_at(&header, 28)?);
        let content = self.read_bytes(entry.header + 30 + lengths, entry.size)?;
        if crc32fast::hash(&content) != entry.crc32 {
            bail!("its checksum is wrong");
        }
        Ok(content)
    }

    fn read_entries(&self) -> Result<BTreeMap<String, ZipEntry>> {
        let (start, size, count) = self.locate_directory()?;
        let bytes = self.read_bytes(start, size)?;
        let mut entries = BTreeMap::new();
        let mut rest = bytes.as_slice();
        for _ in 0..count {
            let (name, entry, length) = parse_entry(rest)?;
            entries.insert(name, entry);
            rest = &rest[length..];
        }
        Ok(entries)
    }

    /// Returns the offset of the directory, its bytes, and its number of entries.
    fn locate_directory(&self) -> Result<(u64, u64, u64)> {
        let from = self.length.saturating_sub(END.0 as u64 + END.1);
        let tail = self.read_bytes(from, self.length - from)?;
        let end = (0..=tail.len().saturating_sub(END.0))
            .rev()
            .find(|&at| {
                tail[at..].starts_with(b"PK\x05\x06")
                    && u16_at(&tail, at + 20)
                        .is_ok_and(|comment| at + END.0 + usize::from(comment) == tail.len())
            })
            .context("its end is missing")?;
        let count = u16_at(&tail, end + 10)?;
        let size = u32_at(&tail, end + 12)?;
        let start = u32_at(&tail, end + 16)?;
        if count != u16::MAX && size != u32::MAX && start != u32::MAX {
            return Ok((start.into(), size.into(), count.into()));
        }
        let locator = (from + end as u64)
            .checked_sub(20)
            .context("its end is missing")?;
        let locator = self.read_bytes(locator, 20)?;
        if !locator.starts_with(b"PK\x06\x07") {
            bail!("the directory's 64-bit sizes are missing");
        }
        let record = self.read_bytes(u64_at(&locator, 8)?, 56)?;
        if !record.starts_with(b"PK\x06\x06") {
            bail!("the directory's 64-bit sizes are missing");
        }
        Ok((
            u64_at(&record, 48)?,
            u64_at(&record, 40)?,
            u64_at(&record, 32)?,
        ))
    }

    /// Returns `count` bytes of the file.
    fn read_bytes(&self, start: u64, count: u64) -> Result<Vec<u8>> {
        // Tested before anything is allocated.
        if start.checked_add(count).is_none_or(|end| end > self.length) {
            bail!("it extends beyond the file's {} bytes", self.length);
        }
        let mut bytes = vec![0; usize::try_from(count)?];
        read_exact_at(&self.file, &mut bytes, start)?;
        Ok(bytes)
    }
}

/// Parses the entry at the start of `bytes`; returns its name, the entry, and its length in bytes.
fn parse_entry(bytes: &[u8]) -> Result<(String, ZipEntry, usize)> {
    if !bytes.starts_with(b"PK\x01\x02") {
        bail!("its directory is too short");
    }
    let flags = u16_at(bytes, 8)?;
    let method = u16_at(bytes, 10)?;
    let mut packed = u64::from(u32_at(bytes, 20)?);
    let mut size = u64::from(u32_at(bytes, 24)?);
    let mut header = u64::from(u32_at(bytes, 42)?);
    let name_end = 46 + usize::from(u16_at(bytes, 28)?);
    let extra_end = name_end + usize::from(u16_at(bytes, 30)?);
    let end = extra_end + usize::from(u16_at(bytes, 32)?);
    let name = bytes.get(46..name_end).context("a name is truncated")?;
    let mut extra = bytes
        .get(name_end..extra_end)
        .context("an entry is truncated")?;
    if bytes.len() < end {
        bail!("an entry is truncated");
    }
    while let (Ok(kind), Ok(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let field_end = 4 + usize::from(length);
        let field = extra.get(4..field_end).context("a field is truncated")?;
        if kind == 1 {
            // 64-bit values of those that do not fit 32 bits, in this order.
            let too_wide = [&mut size, &mut packed, &mut header]
                .into_iter()
                .filter(|value| **value == u64::from(u32::MAX));
            for (i, value) in too_wide.enumerate() {
                *value = u64_at(field, 8 * i)?;
            }
        }
        extra = &extra[field_end..];
    }
    let entry = ZipEntry {
        header,
        size,
        crc32: u32_at(bytes, 16)?,
        plain: method == 0 && flags & 1 == 0 && packed == size,
    };
    Ok((String::from_utf8_lossy(name).into_owned(), entry, end))
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N]> {
    let array = bytes.get(at..).and_then(|rest| rest.first_chunk());
    array.copied().context("it is truncated")
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16> {
    array_at(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    array_at(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64> {
    array_at(bytes, at).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

    fn archive(
        write: impl FnOnce(&mut ZipWriter<std::io::Cursor<Vec<u8>>>),
    ) -> Result<ZipDirectory> {
        let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        write(&mut writer);
        let mut file = tempfile::tempfile()?;
        file.write_all(&writer.finish()?.into_inner())?;
        ZipDirectory::read(file)
    }

    fn stored() -> SimpleFileOptions {
        SimpleFileOptions::default().compression_method(CompressionMethod::Stored)
    }

    #[test]
    fn entries_are_read_as_another_library_wrote_them() {
        let directory = archive(|writer| {
            writer
                .set_comment("a comment with PK\x05\x06 in it, and more after it")
                .unwrap();
            writer.start_file("b/data", stored()).unwrap();
            writer.write_all(b"content").unwrap();
            writer
                .start_file("b/large", stored().large_file(true))
                .unwrap();
            writer.write_all(b"sizes in 64 bits").unwrap();
        })
        .unwrap();
        assert_eq!(directory.names().collect::<Vec<_>>(), ["b/data", "b/large"]);
        assert_eq!(directory.read_entry("b/data", 7).unwrap(), b"content");
        assert_eq!(
            directory.read_entry("b/large", 99).unwrap(),
            b"sizes in 64 bits"
        );
        assert!(
            directory
                .read_entry("b/data", 6)
                .unwrap_err()
                .to_string()
                .contains("more than the limit of 6")
        );
        assert_eq!(
            directory.read_entry("c", 9).unwrap_err().to_string(),
            "its archive has no entry `c`"
        );
    }

    #[test]
    fn an_archive_of_pytorchs_that_the_zip_crate_refuses_is_read() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/weights/torchvision_reference.pth"
        );
        let error = zip::ZipArchive::new(File::open(path).unwrap())
            .err()
            .unwrap();
        assert!(
            error
                .to_string()
                .contains("Invalid Central Directory header"),
            "{error}"
        );
        let directory = ZipDirectory::read(File::open(path).unwrap()).unwrap();
        assert_eq!(directory.names().count(), 103);
        for name in directory.names() {
            directory.read_entry(name, u64::MAX).unwrap();
        }
    }

    #[test]
    fn more_entries_than_sixteen_bits_count_are_read() {
        let directory = archive(|writer| {
            for i in 0..66_000 {
                writer.start_file(format!("{i}"), stored()).unwrap();
            }
        });
        assert_eq!(directory.unwrap().names().count(), 66_000);
    }
}
