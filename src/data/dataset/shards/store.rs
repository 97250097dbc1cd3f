//! The images of a split in its shards: which is where, and their bytes.

use std::fs::File;
use std::io;

use anyhow::{Context, Result};
use pillow_image::{Error, MAX_FILE_BYTES};

use super::positioned::read_exact_at;
use super::shard::Shard;
use super::splits::split_of;
use super::tables::Tables;
use crate::data::dataset::file_ends::{ends, ends_of};
use crate::data::image::decode::explain;
use crate::data::panic::catch_panic;
use crate::error::error_with_hint;

/// The most bytes of tables whose images are inspected before training.
const MOST_INSPECTED: u64 = 4 << 30;

/// The images of some shards, one after the other, in any order at the cost of one read each.
#[derive(Debug)]
pub struct ShardStore {
    shards: Vec<Shard>,
    /// The number of the first image of each shard, and that of all images.
    firsts: Vec<usize>,
    /// The readers of tables; `None` for tar files.
    tables: Option<Tables>,
}

impl ShardStore {
    /// Creates a store of tar files; with `tables`, of tables.
    pub fn new(shards: Vec<Shard>, tables: Option<Tables>) -> Self {
        let mut firsts = Vec::with_capacity(shards.len() + 1);
        let mut count = 0;
        for shard in &shards {
            firsts.push(count);
            count += shard.records.len();
        }
        firsts.push(count);
        Self {
            shards,
            firsts,
            tables,
        }
    }

    /// Returns the number of images.
    pub fn count(&self) -> usize {
        self.firsts[self.shards.len()]
    }

    /// Returns the number of the shard of an image, and of the image in it.
    fn locate(&self, place: usize) -> (usize, usize) {
        let shard = self.firsts.partition_point(|&first| first <= place) - 1;
        (shard, place - self.firsts[shard])
    }

    /// Returns the name of an image: the path of its shard, and its own name there.
    pub fn name(&self, place: usize) -> String {
        let (shard, index) = self.locate(place);
        let shard = &self.shards[shard];
        format!("{}:{}", shard.path.display(), shard.name(index))
    }

    /// Returns the name of the file of its shard and its own name there, which are the same wherever the shard is.
    pub fn portable_name(&self, place: usize) -> [String; 2] {
        let (shard, index) = self.locate(place);
        let shard = &self.shards[shard];
        let file = shard.path.file_name().unwrap_or_default();
        [file.to_string_lossy().into_owned(), shard.name(index)]
    }

    /// Returns the length of an image's file; for a table, which does not tell it without being read, 0.
    pub fn length(&self, place: usize) -> u64 {
        let (shard, index) = self.locate(place);
        self.shards[shard].records[index].length.into()
    }

    /// Returns the bytes of an image's file; those of the whole shard for a table, which tells no more without being read.
    pub fn size(&self, place: usize) -> u64 {
        let (shard, index) = self.locate(place);
        let shard = &self.shards[shard];
        match self.tables {
            None => shard.records[index].length.into(),
            Some(_) => shard.stamp.size,
        }
    }

    /// Returns whether the names of the shards tell their split.
    pub fn has_split_names(&self) -> bool {
        self.shards
            .iter()
            .any(|shard| split_of(&shard.path).is_some())
    }

    /// Returns whether looking at each image would take long: all of a table is decompressed for it.
    pub fn is_slow_to_inspect(&self) -> bool {
        let bytes: u64 = self.shards.iter().map(|shard| shard.stamp.size).sum();
        self.tables.is_some() && bytes > MOST_INSPECTED
    }

    /// Reads the file of an image.
    ///
    /// # Errors
    /// When the shard cannot be read, or has no image there.
    pub fn read(&self, place: usize) -> Result<Vec<u8>> {
        let (number, index) = self.locate(place);
        let shard = &self.shards[number];
        let record = shard.records[index];
        if let Some(tables) = &self.tables {
            // The parquet crate trusts much of a damaged table, and panics.
            return catch_panic(|| tables.read(number, &shard.path, record.offset));
        }
        if u64::from(record.length) > MAX_FILE_BYTES {
            return Err(explain(Error::FileTooLong {
                max_bytes: MAX_FILE_BYTES,
            }));
        }
        let bytes = File::open(&shard.path)
            .and_then(|file| read_exact_at(&file, record.offset, record.length as usize));
        bytes.map_err(|error| changed(shard, error))
    }

    /// Reads the beginning and the end of the file of an image, and returns its length, too.
    ///
    /// # Errors
    /// Those of [`ShardStore::read`].
    pub fn ends(&self, place: usize) -> Result<(u64, Vec<u8>)> {
        if self.tables.is_some() {
            let bytes = self.read(place)?;
            let length = bytes.len() as u64;
            return Ok((length, ends(&mut io::Cursor::new(bytes), length)?));
        }
        let (shard, index) = self.locate(place);
        let shard = &self.shards[shard];
        let record = shard.records[index];
        let file = File::open(&shard.path).map(|file| Window {
            file,
            start: record.offset,
            length: record.length.into(),
            position: 0,
        });
        let bytes = file.and_then(|mut file| ends(&mut file, record.length.into()));
        Ok((
            record.length.into(),
            bytes.map_err(|error| changed(shard, error))?,
        ))
    }

    /// Reads bytes that change with an image: its ends, or those of its table, as reading the image would take long.
    ///
    /// # Errors
    /// Those of [`ShardStore::read`].
    pub fn sample(&self, place: usize) -> Result<Vec<u8>> {
        if self.tables.is_none() {
            return Ok(self.ends(place)?.1);
        }
        let (shard, _) = self.locate(place);
        let path = &self.shards[shard].path;
        let (_, bytes) = ends_of(path).with_context(|| format!("`{}`", path.display()))?;
        Ok(bytes)
    }
}

/// Returns the error of a shard that is no longer as it was indexed.
fn changed(shard: &Shard, error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return error_with_hint(
            format!(
                "shard `{}` has become shorter since it was indexed",
                shard.path.display()
            ),
            "restore it, or start again",
        );
    }
    anyhow::Error::new(error).context(format!("shard `{}`", shard.path.display()))
}

/// A part of a file, as a file.
struct Window {
    file: File,
    start: u64,
    length: u64,
    position: u64,
}

impl io::Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self
            .length
            .saturating_sub(self.position)
            .min(buffer.len() as u64) as usize;
        let bytes = read_exact_at(&self.file, self.start + self.position, left)?;
        buffer[..left].copy_from_slice(&bytes);
        self.position += left as u64;
        Ok(left)
    }
}

impl io::Seek for Window {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let position = match to {
            io::SeekFrom::Start(position) => Some(position),
            io::SeekFrom::Current(by) => self.position.checked_add_signed(by),
            io::SeekFrom::End(by) => self.length.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
