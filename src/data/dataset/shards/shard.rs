//! A shard: a file with many images, and where each of them is in it.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use std::{fs, io};

/// The class of an image as its shard has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Label {
    /// The number of the class; below zero, the image has none.
    Number(i64),
    /// The name of the class.
    Text(String),
}

/// The origin of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum LabelSource {
    /// `.cls` files.
    Cls,
    /// `.json` files.
    Json,
    /// The folders of the images.
    Folder,
    /// A column of a table.
    Column,
}

/// The place of an image in its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The first byte in a tar file; the row of a table.
    pub offset: u64,
    /// Bytes in a tar file; 0 in a table, which tells only when it is read.
    pub length: u32,
    /// The number of its label in [`Shard::labels`].
    pub label: u32,
}

/// The size and the time of the last change of a file, by which a change is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970.
    pub modified: u64,
}

impl Stamp {
    /// Returns the stamp of the file at `path`.
    pub fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH);
        Ok(Self {
            size: metadata.len(),
            modified: modified.map_or(0, |time| time.as_nanos() as u64),
        })
    }
}

/// Texts one after the other, in one allocation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    pub(super) text: String,
    /// The end of each.
    pub(super) ends: Vec<u32>,
}

impl Names {
    /// Appends a text of some parts.
    pub fn push(&mut self, parts: &[&str]) {
        for part in parts {
            self.text.push_str(part);
        }
        self.ends.push(self.text.len() as u32);
    }

    /// Returns the text at `index`; `None` if there are fewer.
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)? as usize;
        let start = index
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        self.text.get(start..end)
    }
}

/// A file with many images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// The file.
    pub path: PathBuf,
    /// The stamp when it was indexed.
    pub stamp: Stamp,
    /// Its images, in their order.
    pub records: Vec<Record>,
    /// The names of its images; none in a table, whose rows are numbered.
    pub names: Names,
    /// The labels that occur.
    pub labels: Vec<Label>,
    /// The origin of the labels.
    pub source: LabelSource,
    /// Samples without an image.
    pub ignored: u32,
}

impl Shard {
    /// Creates a shard without images.
    pub fn new(path: &Path, stamp: Stamp, source: LabelSource) -> Self {
        Self {
            path: path.to_owned(),
            stamp,
            records: Vec::new(),
            names: Names::default(),
            labels: Vec::new(),
            source,
            ignored: 0,
        }
    }

    /// Returns the name of an image in the shard.
    pub fn name(&self, index: usize) -> String {
        match self.names.get(index) {
            Some(name) => name.to_owned(),
            None => format!("row {}", self.records[index].offset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_apart() {
        let mut names = Names::default();
        names.push(&["cat/1", ".", "jpg"]);
        names.push(&[]);
        names.push(&["ü"]);
        let all: Vec<_> = (0..4).map(|index| names.get(index)).collect();
        assert_eq!(all, [Some("cat/1.jpg"), Some(""), Some("ü"), None]);
    }
}
