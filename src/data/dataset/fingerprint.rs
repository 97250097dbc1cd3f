//! Fingerprints of a dataset that need not read all images: their names and classes, the sizes of their files, and a sample
//! of their contents.

use std::fs;
use std::path::Path;

use super::file_ends::ends_of;
use super::{Dataset, Split};

impl Dataset {
    /// Returns a hash of the names and classes of the images in `splits`, in their order; the names of files are relative to
    /// the dataset's folder, which may be reached by another path.
    pub fn fingerprint<'a>(&self, splits: impl IntoIterator<Item = &'a Split>) -> String {
        let folder = Path::new(&self.name);
        let mut hash = Hash::default();
        for split in splits {
            hash.add(&(split.len() as u64).to_le_bytes());
            for (index, class) in split.classes().iter().enumerate() {
                hash.add(&class.to_le_bytes());
                #[cfg(feature = "datasets")]
                if let Some(store) = split.shards() {
                    for part in store.portable_name(split.place(index)) {
                        hash.add(b"/");
                        hash.add(part.as_bytes());
                    }
                    continue;
                }
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

/// Returns a hash of the sizes of the files of `splits`.
pub fn file_sizes<'a>(splits: impl IntoIterator<Item = &'a Split>) -> String {
    let mut hash = Hash::default();
    for split in splits {
        #[cfg(feature = "datasets")]
        if let Some(store) = split.shards() {
            for index in 0..split.len() {
                hash.add(&store.size(split.place(index)).to_le_bytes());
            }
            continue;
        }
        for path in (0..split.len()).map_while(|index| split.file(index)) {
            let length = fs::metadata(path).map_or(0, |file| file.len());
            hash.add(&length.to_le_bytes());
        }
    }
    hash.text()
}

/// The most images per split that are sampled, so that a large split takes only a moment.
const LOOKED_INTO: usize = 256;
/// Returns a hash of a sample of the images of `splits`: the beginnings and ends of up to 256 files of each, evenly
/// spaced, or as many images in memory. A compressed image that was saved again has another end; in a larger split, a few
/// changed images may not be in the sample.
pub fn sampled_contents<'a>(splits: impl IntoIterator<Item = &'a Split>) -> String {
    let mut hash = Hash::default();
    for split in splits {
        let looked_into = split.len().min(LOOKED_INTO);
        for place in 0..looked_into {
            let index = place * split.len() / looked_into;
            #[cfg(feature = "datasets")]
            if let Some(store) = split.shards() {
                hash.add(&store.sample(split.place(index)).unwrap_or_default());
                continue;
            }
            if let Some(path) = split.file(index) {
                // A file that cannot be read adds nothing.
                hash.add(&ends_of(path).unwrap_or_default().1);
            } else if let Some(samples) = split.samples(index) {
                hash.add(samples);
            }
        }
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
