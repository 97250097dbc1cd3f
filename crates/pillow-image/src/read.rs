//! Reads the files of images.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::detect::{HEAD_BYTES, detect};
use crate::error::{Error, Result};

/// The longest file, in bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// Reads the file at `path` if its first bytes are those of a supported format. A file of another kind is rejected before
/// gigabytes of it are read.
///
/// # Errors
/// When the file is missing, unreadable, a folder, longer than [`MAX_FILE_BYTES`], or rejected by [`detect`].
pub fn read_file(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    let path = path.as_ref();
    if path.is_dir() {
        return Err(Error::Folder);
    }
    let mut file = File::open(path)?.take(MAX_FILE_BYTES + 1);
    let mut bytes = Vec::new();
    file.by_ref()
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut bytes)?;
    detect(&bytes)?;
    file.read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Error::FileTooLong {
            max_bytes: MAX_FILE_BYTES,
        });
    }
    Ok(bytes)
}
