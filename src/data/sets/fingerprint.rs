//! What tells pictures from others without reading them all: their names and classes, the sizes of their files, and a sample
//! of their contents.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
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
    for split in splits {
        for path in (0..split.len()).map_while(|index| split.file(index)) {
            let length = fs::metadata(path).map_or(0, |file| file.len());
            hash.add(&length.to_le_bytes());
        }
    }
    hash.text()
}

/// The most pictures of a split that are looked into, so that a large one costs no more than a moment.
const LOOKED_INTO: usize = 256;
/// Bytes of a file's beginning, and of its end, that are read.
const PART: u64 = 1024;

/// What a sample of the pictures of `splits` adds up to: the beginnings and ends of up to 256 files of each,
/// evenly spread, or as many pictures in memory. A compressed picture that was made anew has another end; in a larger split a
/// few changed pictures may be none of the sample.
pub fn sampled_contents<'a>(splits: impl IntoIterator<Item = &'a Split>) -> String {
    let mut hash = Hash::default();
    for split in splits {
        let looked_into = split.len().min(LOOKED_INTO);
        for place in 0..looked_into {
            let index = place * split.len() / looked_into;
            if let Some(path) = split.file(index) {
                // A file that cannot be read has nothing to say.
                hash.add(&ends(path).unwrap_or_default());
            } else if let Some(samples) = split.samples(index) {
                hash.add(samples);
            }
        }
    }
    hash.text()
}

/// The beginning and the end of a file; of a short one all of it.
fn ends(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut bytes = Vec::new();
    (&mut file).take(PART).read_to_end(&mut bytes)?;
    file.seek(SeekFrom::Start(length.saturating_sub(PART).max(PART)))?;
    file.take(PART).read_to_end(&mut bytes)?;
    Ok(bytes)
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
