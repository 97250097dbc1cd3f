//! The index of shards on disk: it is built once, and holds for shards whose size and time have not changed.
//!
//! ```text
//! "resnet index 1\n"
//! shards              u32
//! each shard          name, size and time of its file, origin and texts of its labels, samples without an image
//!                     images: u32; offset u64, length u32, label u32 of each; whether they have names, and these
//! CRC-32 of all that
//! ```
//!
//! Integers are little-endian. A file that does not check is as none: the shards are indexed again.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::shard::{Label, LabelSource, Names, Record, Shard, Stamp};
use crate::fs::write_whole;

const MAGIC: &[u8] = b"resnet index 1\n";

/// Writes the index of `shards`, whose files are `names`, to the file at `path`, whole or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn save(path: &Path, shards: &[Shard], names: &[String]) -> Result<()> {
    write_whole(path, |file| Ok(write(file, shards.iter(), names)?))
}

/// Writes the index of `shards`, whose files are `names`.
///
/// # Errors
/// Those of `file`.
pub fn write<'a>(
    file: &mut dyn Write,
    shards: impl ExactSizeIterator<Item = &'a Shard>,
    names: &[String],
) -> io::Result<()> {
    let mut file = Checked {
        inner: file,
        hash: crc32fast::Hasher::new(),
    };
    file.write_all(MAGIC)?;
    write_u32(&mut file, shards.len() as u32)?;
    for (shard, name) in shards.zip(names) {
        write_shard(&mut file, shard, name)?;
    }
    let checksum = file.hash.finalize();
    file.inner.write_all(&checksum.to_le_bytes())
}

/// Returns the shards in the index at `path`, as [`read`]; `None` if there is no index.
pub fn load(path: &Path) -> Option<Vec<Shard>> {
    read(BufReader::with_capacity(1 << 18, File::open(path).ok()?))
}

/// Returns the shards in an index, with the names of their files as paths; `None` if it is damaged or of another version.
pub fn read(file: impl Read) -> Option<Vec<Shard>> {
    let mut file = Checked {
        inner: file,
        hash: crc32fast::Hasher::new(),
    };
    let mut magic = vec![0; MAGIC.len()];
    file.read_exact(&mut magic).ok()?;
    if magic != MAGIC {
        return None;
    }
    let count = read_u32(&mut file).ok()?;
    let mut shards = Vec::new();
    for _ in 0..count {
        shards.push(read_shard(&mut file).ok()?);
    }
    let expected = file.hash.clone().finalize();
    (read_u32(&mut file.inner).ok()? == expected).then_some(shards)
}

fn write_shard(file: &mut impl Write, shard: &Shard, name: &str) -> io::Result<()> {
    write_text(file, name)?;
    file.write_all(&shard.stamp.size.to_le_bytes())?;
    file.write_all(&shard.stamp.modified.to_le_bytes())?;
    file.write_all(&[shard.source as u8])?;
    write_u32(file, shard.labels.len() as u32)?;
    for label in &shard.labels {
        match label {
            Label::Number(number) => {
                file.write_all(&[0])?;
                file.write_all(&number.to_le_bytes())?;
            }
            Label::Text(text) => {
                file.write_all(&[1])?;
                write_text(file, text)?;
            }
        }
    }
    write_u32(file, shard.ignored)?;
    write_u32(file, shard.records.len() as u32)?;
    for Record {
        offset,
        length,
        label,
    } in &shard.records
    {
        file.write_all(&offset.to_le_bytes())?;
        write_u32(file, *length)?;
        write_u32(file, *label)?;
    }
    file.write_all(&[u8::from(!shard.names.ends.is_empty())])?;
    for end in &shard.names.ends {
        write_u32(file, *end)?;
    }
    write_text(file, &shard.names.text)
}

fn read_shard(file: &mut impl Read) -> io::Result<Shard> {
    let path = PathBuf::from(read_text(file)?);
    let stamp = Stamp {
        size: read_u64(file)?,
        modified: read_u64(file)?,
    };
    let source = match read_u8(file)? {
        0 => LabelSource::Cls,
        1 => LabelSource::Json,
        2 => LabelSource::Folder,
        _ => LabelSource::Column,
    };
    let mut labels = Vec::new();
    for _ in 0..read_u32(file)? {
        labels.push(match read_u8(file)? {
            0 => Label::Number(read_u64(file)? as i64),
            _ => Label::Text(read_text(file)?),
        });
    }
    let ignored = read_u32(file)?;
    // A damaged count ends with the file, before it takes memory.
    let mut records = Vec::new();
    for _ in 0..read_u32(file)? {
        let record = Record {
            offset: read_u64(file)?,
            length: read_u32(file)?,
            label: read_u32(file)?,
        };
        if record.label as usize >= labels.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        records.push(record);
    }
    records.shrink_to_fit();
    let mut names = Names::default();
    if read_u8(file)? == 1 {
        names.ends.reserve_exact(records.len());
        for _ in 0..records.len() {
            names.ends.push(read_u32(file)?);
        }
    }
    names.text = read_text(file)?;
    Ok(Shard {
        path,
        stamp,
        records,
        names,
        labels,
        source,
        ignored,
    })
}

/// A file with the checksum of what went through it.
struct Checked<F> {
    inner: F,
    hash: crc32fast::Hasher,
}

impl<F: Write> Write for Checked<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<F: Read> Read for Checked<F> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }
}

fn write_u32(file: &mut impl Write, number: u32) -> io::Result<()> {
    file.write_all(&number.to_le_bytes())
}

fn write_text(file: &mut impl Write, text: &str) -> io::Result<()> {
    write_u32(file, text.len() as u32)?;
    file.write_all(text.as_bytes())
}

fn read_u8(file: &mut impl Read) -> io::Result<u8> {
    let mut bytes = [0];
    file.read_exact(&mut bytes)?;
    Ok(bytes[0])
}

fn read_u32(file: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn read_u64(file: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn read_text(file: &mut impl Read) -> io::Result<String> {
    let length = read_u32(file)?;
    let mut bytes = Vec::new();
    file.take(length.into()).read_to_end(&mut bytes)?;
    if bytes.len() != length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    bytes.shrink_to_fit();
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard() -> Shard {
        let mut names = Names::default();
        names.push(&["a.jpg"]);
        names.push(&["b.jpg"]);
        Shard {
            path: "x-0.tar".into(),
            stamp: Stamp {
                size: 7,
                modified: u64::MAX,
            },
            records: vec![
                Record {
                    offset: 512,
                    length: 9,
                    label: 1,
                },
                Record {
                    offset: 1 << 40,
                    length: u32::MAX,
                    label: 0,
                },
            ],
            names,
            labels: vec![Label::Number(-1), Label::Text("cat".to_owned())],
            source: LabelSource::Json,
            ignored: 3,
        }
    }

    #[test]
    fn an_index_is_read_as_it_was_written_and_a_damaged_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        let table = Shard {
            path: "x.parquet".into(),
            names: Names::default(),
            ..shard()
        };
        let shards = [shard(), table];
        save(
            &path,
            &shards,
            &["x-0.tar".to_owned(), "x.parquet".to_owned()],
        )
        .unwrap();
        assert_eq!(load(&path).as_deref(), Some(&shards[..]));
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x41;
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(load(&path), None, "byte {at}");
            std::fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(load(&path), None, "cut at {at}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(load(&path), None);
    }
}
