//! Images with the same content.
//!
//! Images whose length, beginning and end are the same are candidates: few, for the end of a compressed image depends on all
//! of it. Their whole contents are compared, first by checksum and then byte by byte, so that no two different images are
//! ever called the same.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use anyhow::Result;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::dataset::Split;
use crate::distributed::{BatchResults, Processes, Share};

use super::files::Inspected;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 16;

/// The place of an image in a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Location {
    /// The number of its split.
    pub split: usize,
    /// Its number in the split.
    pub index: usize,
}

/// Finds the groups of images with the same content, in the order of their first image; `inspected` has the images of each
/// of `splits`. Unreadable images are left out. The processes share out the candidates.
///
/// # Errors
/// When another process has other images, or is gone.
pub fn find(
    splits: &[&Split],
    inspected: &[Vec<Inspected>],
    processes: &Processes,
) -> Result<Vec<Vec<Location>>> {
    // Sorted, as a map would take several times the memory.
    let mut candidates: Vec<(u64, u32, Location)> = Vec::new();
    for (split, images) in inspected.iter().enumerate() {
        for (index, image) in images.iter().enumerate() {
            // Random numbers have no content.
            if image.unreadable.is_none() && image.length > 0 {
                let location = Location { split, index };
                candidates.push((image.length, image.checksum, location));
            }
        }
    }
    candidates.par_sort_unstable();
    let alike = candidates.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
    let candidates: Vec<Vec<Location>> = alike
        .filter(|group| group.len() > 1)
        .map(|group| group.iter().map(|(.., location)| *location).collect())
        .collect();
    let mut groups = Vec::new();
    let batch = candidates.len().div_ceil(processes.size());
    Share::new(candidates.len(), batch, processes).run(
        |range| {
            let groups = candidates[range].par_iter();
            let items = groups.map(|group| Ok(confirm(splits, group))).collect();
            let values = Vec::new();
            Ok(BatchResults { items, values })
        },
        |_, batch| {
            for confirmed in batch.items {
                groups.extend(confirmed?);
            }
            Ok(())
        },
    )?;
    groups.sort_unstable();
    Ok(groups)
}

/// Divides `candidates` into groups with the same content.
fn confirm(splits: &[&Split], candidates: &[Location]) -> Vec<Vec<Location>> {
    let content = |location: &Location| Content::of(splits[location.split], location.index);
    let mut by_checksum: HashMap<u32, Vec<Location>> = HashMap::new();
    for location in candidates {
        // A file that can no longer be read equals none.
        if let Some(Ok(checksum)) = content(location).map(|content| content.checksum()) {
            by_checksum.entry(checksum).or_default().push(*location);
        }
    }
    let mut groups = Vec::new();
    for mut rest in by_checksum.into_values() {
        while rest.len() > 1 {
            let first = content(&rest[0]);
            let equals_first = |location: &Location| match (&first, content(location)) {
                (Some(first), Some(other)) => first.equals(&other).unwrap_or(false),
                _ => false,
            };
            let (same, others): (Vec<Location>, Vec<Location>) = rest[1..]
                .iter()
                .partition(|location| equals_first(location));
            if !same.is_empty() {
                groups.push([&rest[..1], &same].concat());
            }
            rest = others;
        }
    }
    groups
}

/// The content of an image.
enum Content<'a> {
    File(&'a Path),
    Encoded(Vec<u8>),
    Memory(&'a [u8]),
}

impl<'a> Content<'a> {
    fn of(split: &'a Split, index: usize) -> Option<Self> {
        let file = split.file(index).map(Self::File);
        let memory = || split.samples(index).map(Self::Memory);
        // In a shard; what cannot be read equals nothing.
        let encoded = || split.encoded(index)?.ok().map(Self::Encoded);
        file.or_else(memory).or_else(encoded)
    }

    /// Returns the bytes that are in memory.
    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::File(_) => None,
            Self::Encoded(bytes) => Some(bytes),
            Self::Memory(bytes) => Some(bytes),
        }
    }

    fn checksum(&self) -> io::Result<u32> {
        let mut hasher = crc32fast::Hasher::new();
        match self {
            Self::Encoded(bytes) => hasher.update(bytes),
            Self::Memory(bytes) => hasher.update(bytes),
            Self::File(path) => {
                let mut file = File::open(path)?;
                let mut chunk = vec![0; CHUNK];
                loop {
                    match file.read(&mut chunk)? {
                        0 => break,
                        count => hasher.update(&chunk[..count]),
                    }
                }
            }
        }
        Ok(hasher.finalize())
    }

    fn equals(&self, other: &Self) -> io::Result<bool> {
        match (self, other) {
            (Self::File(one), Self::File(other)) => {
                let open = |path: &Path| -> io::Result<BufReader<File>> {
                    Ok(BufReader::with_capacity(CHUNK, File::open(path)?))
                };
                have_same_bytes(open(one)?, open(other)?)
            }
            _ => Ok(self.bytes().is_some() && self.bytes() == other.bytes()),
        }
    }
}

fn have_same_bytes(mut one: impl io::BufRead, mut other: impl io::BufRead) -> io::Result<bool> {
    loop {
        let (first, second) = (one.fill_buf()?, other.fill_buf()?);
        let count = first.len().min(second.len());
        if count == 0 {
            return Ok(first.len() == second.len());
        }
        if first[..count] != second[..count] {
            return Ok(false);
        }
        one.consume(count);
        other.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::ImageStore;

    #[test]
    fn files_with_the_same_ends_and_another_middle_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        // Longer than what is read at once, and equal but for one byte in the middle.
        for (name, middle) in [("a", 0), ("b", 1), ("c", 0), ("d", 2), ("e", 1)] {
            let mut bytes = vec![7_u8; 3 * CHUNK];
            bytes[CHUNK + 5] = middle;
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            paths.push(path);
        }
        paths.push(folder.path().join("gone"));
        let split = Split::new(ImageStore::Files(paths), vec![0; 6]);
        let alike = Inspected {
            length: 1,
            ..Inspected::default()
        };
        let groups = find(&[&split], &[vec![alike; 6]], &Processes::alone()).unwrap();
        let indices: Vec<Vec<usize>> = groups
            .iter()
            .map(|group| group.iter().map(|location| location.index).collect())
            .collect();
        assert_eq!(indices, [vec![0, 2], vec![1, 4]]);
    }

    #[test]
    fn a_content_that_begins_another_is_not_the_same() {
        let same = |one: &[u8], other: &[u8]| have_same_bytes(one, other).unwrap();
        assert!(same(b"", b"") && same(b"ab", b"ab"));
        assert!(!same(b"ab", b"abc") && !same(b"abc", b"ab") && !same(b"", b"a"));
    }
}
