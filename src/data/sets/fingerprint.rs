//! What tells pictures from others without reading them: their names and classes, and the sizes of their files.

use std::fs;
use std::path::Path;

use super::{DataSet, Split};

impl DataSet {
    /// What the names and classes of the pictures in these `splits` of the data set add up to, in their order; a folder's
    /// names count from the data set's own on, which may be reached by another path.
    pub fn fingerprint<'a>(&self, splits: impl IntoIterator<Item = &'a Split>) -> String {
        let folder = Path::new(&self.name);
        let mut hash = Hash::default();
        for split in splits {
            hash.add(&(split.len() as u64).to_le_bytes());
            for (index, class) in split.classes().iter().enumerate() {
                hash.add(&class.to_le_bytes());
                let name = split.name(index);
                let inside = Path::new(&name).strip_prefix(folder).ok();
                match inside.filter(|_| split.is_of_files()) {
                    Some(path) => path.iter().for_each(|part| {
                        hash.add(b"/");
                        hash.add(part.as_encoded_bytes());
                    }),
                    None => hash.add(name.as_bytes()),
                }
            }
        }
        hash.text()
    }
}

/// What the sizes of the files of `splits` add up to.
pub fn file_sizes<'a>(splits: impl IntoIterator<Item = &'a Split>) -> String {
    let mut hash = Hash::default();
    for split in splits.into_iter().filter(|split| split.is_of_files()) {
        for index in 0..split.len() {
            let length = fs::metadata(split.name(index)).map_or(0, |file| file.len());
            hash.add(&length.to_le_bytes());
        }
    }
    hash.text()
}

/// FNV-1a of 64 bits.
struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn text(&self) -> String {
        format!("{:016x}", self.0)
    }
}
