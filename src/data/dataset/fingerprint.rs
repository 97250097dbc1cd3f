//! Fingerprints of a dataset that need not read all images: their names and classes, the sizes of their files, and a sample
//! of their contents. Each is a hash over the images in their order.

use std::fs;
use std::path::Path;

use super::file_ends::ends_of;
use super::{Dataset, Split};

/// A property of images that a fingerprint is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Property {
    /// Their names and classes.
    Name,
    /// The sizes of their files.
    Size,
    /// The beginnings and ends of a sample of them.
    Contents,
}

/// An image, and the hash of a property of all images up to it, by which the first one that differs on two computers is found.
#[derive(Debug, Clone, Copy)]
pub struct HashedImage<'a> {
    /// The split of the image.
    pub split: &'a Split,
    /// The number of the image in its split.
    pub index: usize,
    /// The hash of this image and those before.
    pub hash: u64,
}

impl Dataset {
    /// Returns a hash of the names and classes of the images in `splits`, in their order; the names of files are relative to
    /// the dataset's folder, which may be reached by another path.
    pub fn fingerprint<'a>(&self, splits: impl IntoIterator<Item = &'a Split>) -> String {
        let mut hash = Hash::default();
        for split in splits {
            hash.add(&(split.len() as u64).to_le_bytes());
            for index in 0..split.len() {
                self.add_name(split, index, &mut hash);
            }
        }
        hash.text()
    }

    /// Returns the images of `splits` that a fingerprint of `property` is of, each with the hash up to it.
    pub fn hashed_images<'a>(
        &self,
        splits: impl IntoIterator<Item = &'a Split>,
        property: Property,
    ) -> Vec<HashedImage<'a>> {
        let mut hash = Hash::default();
        let mut hashed = |(split, index)| {
            match property {
                Property::Name => self.add_name(split, index, &mut hash),
                Property::Size => add_size(split, index, &mut hash),
                Property::Contents => add_contents(split, index, &mut hash),
            }
            HashedImage {
                split,
                index,
                hash: hash.0,
            }
        };
        match property {
            Property::Contents => sampled(splits).map(&mut hashed).collect(),
            _ => images(splits).map(&mut hashed).collect(),
        }
    }

    /// Returns the name of an image, for files without the dataset's folder, which may be reached by another path.
    pub fn portable_name(&self, split: &Split, index: usize) -> String {
        #[cfg(feature = "datasets")]
        if let Some(store) = split.shards() {
            return store.portable_name(split.place(index)).join(":");
        }
        let name = split.name(index);
        match self.inside(split, &name) {
            Some(path) => path.display().to_string(),
            None => name,
        }
    }

    /// Returns the path of the file `name` in the dataset's folder; `None` for what is no file there.
    fn inside<'a>(&self, split: &Split, name: &'a str) -> Option<&'a Path> {
        let inside = Path::new(name).strip_prefix(&self.name).ok();
        inside.filter(|_| split.is_of_files())
    }

    /// Adds the class and the name of an image.
    fn add_name(&self, split: &Split, index: usize, hash: &mut Hash) {
        hash.add(&split.classes()[index].to_le_bytes());
        #[cfg(feature = "datasets")]
        if let Some(store) = split.shards() {
            for part in store.portable_name(split.place(index)) {
                hash.add(b"/");
                hash.add(part.as_bytes());
            }
            return;
        }
        let name = split.name(index);
        match self.inside(split, &name) {
            Some(path) => path.iter().for_each(|part| {
                hash.add(b"/");
                hash.add(part.as_encoded_bytes());
            }),
            None => hash.add(name.as_bytes()),
        }
    }
}

/// Returns a hash of the sizes of the files of `splits`.
pub fn file_sizes<'a>(splits: impl IntoIterator<Item = &'a Split>) -> String {
    let mut hash = Hash::default();
    for (split, index) in images(splits) {
        add_size(split, index, &mut hash);
    }
    hash.text()
}

/// Returns the size of the file of an image, 0 if it cannot be read; that of the whole shard for a table, which tells no more.
/// `None` for images in memory.
pub fn file_size(split: &Split, index: usize) -> Option<u64> {
    #[cfg(feature = "datasets")]
    if let Some(store) = split.shards() {
        return Some(store.size(split.place(index)));
    }
    let path = split.file(index)?;
    Some(fs::metadata(path).map_or(0, |file| file.len()))
}

/// Adds the size of the file of an image.
fn add_size(split: &Split, index: usize, hash: &mut Hash) {
    if let Some(size) = file_size(split, index) {
        hash.add(&size.to_le_bytes());
    }
}

/// The most images per split that are sampled, so that a large split takes only a moment.
const LOOKED_INTO: usize = 256;

/// Returns a hash of a sample of the images of `splits`: the beginnings and ends of up to 256 files of each, evenly
/// spaced, or as many images in memory. A compressed image that was saved again has another end; in a larger split, a few
/// changed images may not be in the sample.
pub fn sampled_contents<'a>(splits: impl IntoIterator<Item = &'a Split>) -> String {
    let mut hash = Hash::default();
    for (split, index) in sampled(splits) {
        add_contents(split, index, &mut hash);
    }
    hash.text()
}

/// Adds the beginning and the end of a file, or an image in memory.
fn add_contents(split: &Split, index: usize, hash: &mut Hash) {
    #[cfg(feature = "datasets")]
    if let Some(store) = split.shards() {
        hash.add(&store.sample(split.place(index)).unwrap_or_default());
        return;
    }
    if let Some(path) = split.file(index) {
        // A file that cannot be read adds nothing.
        hash.add(&ends_of(path).unwrap_or_default().1);
    } else if let Some(samples) = split.samples(index) {
        hash.add(samples);
    }
}

/// Returns the images of `splits` in their order.
fn images<'a>(
    splits: impl IntoIterator<Item = &'a Split>,
) -> impl Iterator<Item = (&'a Split, usize)> {
    splits
        .into_iter()
        .flat_map(|split| (0..split.len()).map(move |index| (split, index)))
}

/// Returns up to 256 evenly spaced images of each of `splits`.
fn sampled<'a>(
    splits: impl IntoIterator<Item = &'a Split>,
) -> impl Iterator<Item = (&'a Split, usize)> {
    splits.into_iter().flat_map(|split| {
        let looked_into = split.len().min(LOOKED_INTO);
        (0..looked_into).map(move |place| (split, place * split.len() / looked_into))
    })
}

/// Returns a hash of names in their order.
pub fn hash_of(names: &[String]) -> String {
    let mut hash = Hash::default();
    for name in names {
        hash.add(name.as_bytes());
        hash.add(b"\n");
    }
    hash.text()
}

/// The 64-bit FNV-1a hash.
pub(super) struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    pub fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub fn text(&self) -> String {
        format!("{:016x}", self.0)
    }
}
