//! Reading at a position of a file, from many threads at once.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

/// Reads bytes at `offset` into `buffer`; returns how many there were, 0 at the end of the file.
#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

/// Reads bytes at `offset` into `buffer`; returns how many there were, 0 at the end of the file.
#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// Reads `length` bytes at `offset`.
///
/// # Errors
/// When the file ends before, or cannot be read.
pub fn read_exact_at(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut done = 0;
    while done < length {
        match read_at(file, &mut bytes[done..], offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

/// A reader with its own position in a file.
#[derive(Debug)]
pub struct PositionedReader {
    /// The file, which others read, too.
    pub file: Arc<File>,
    /// The next byte.
    pub position: u64,
}

impl Read for PositionedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = read_at(&self.file, buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}
