//! The beginning and the end of a file, which tell most images apart.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes of a file's beginning, and of its end, that are read.
const PART: u64 = 1024;

/// Reads the length, the beginning and the end of the file at `path`.
pub(in crate::data) fn ends_of(path: &Path) -> io::Result<(u64, Vec<u8>)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok((length, ends(&mut file, length)?))
}

/// Reads the beginning and the end of a file of `length` bytes, 1 KiB each; of a short one all of it.
pub(in crate::data) fn ends(mut file: impl Read + Seek, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.by_ref().take(PART).read_to_end(&mut bytes)?;
    file.seek(SeekFrom::Start(length.saturating_sub(PART).max(PART)))?;
    file.take(PART).read_to_end(&mut bytes)?;
    Ok(bytes)
}
