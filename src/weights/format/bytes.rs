//! Random access to the bytes of a file, or of data embedded in the binary.

use std::{fs::File, io};

use anyhow::Result;

use crate::error::error_with_hint;
use crate::weights::hints::DAMAGED;

/// The bytes of a safetensors file.
pub enum ByteSource {
    /// A file on disk.
    File(File),
    /// Data embedded in the binary.
    Embedded(&'static [u8]),
}

impl ByteSource {
    /// Fills `bytes` with the bytes from `offset` on; callable from any thread.
    pub fn fill(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        self.read_exact_at(bytes, offset)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    error_with_hint("it ends before the end of its last tensor", DAMAGED)
                }
                _ => error.into(),
            })
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::File(file) => read_exact_at(file, bytes, offset),
            Self::Embedded(all) => {
                let rest = usize::try_from(offset)
                    .ok()
                    .and_then(|start| all.get(start..));
                let wanted = rest.and_then(|rest| rest.get(..bytes.len()));
                bytes.copy_from_slice(wanted.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

/// Fills `bytes` with the bytes of the file from `offset` on; callable from any thread.
#[cfg(unix)]
pub fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Fills `bytes` with the bytes of the file from `offset` on; callable from any thread.
#[cfg(windows)]
pub fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                bytes = &mut bytes[read..];
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
