//! Atomic writing of files: a reader finds the old content or the new, never a part of it.

use std::{
    io::{self, BufWriter, Write},
    path::Path,
};

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

/// Writes the file at `path` with the content that `write` produces: whole, or not at all.
///
/// An older file is replaced by a rename, after the bytes have reached the disk.
///
/// # Errors
/// If the file cannot be written; then nothing is left behind.
pub fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let run = || -> Result<()> {
        let temporary = temporary_beside(path)?;
        let mut writer = BufWriter::with_capacity(1 << 20, temporary.as_file());
        write(&mut writer)?;
        writer.flush()?;
        drop(writer);
        temporary.as_file().sync_all()?;
        temporary.persist(path)?;
        // The rename itself reaches the disk with the folder; some systems cannot sync one.
        #[cfg(unix)]
        let _ = std::fs::File::open(folder_of(path)).and_then(|folder| folder.sync_all());
        Ok(())
    };
    run().with_context(|| format!("cannot write `{}`", path.display()))
}

/// Creates a temporary file in the folder of `path`, to be renamed to it when complete; if dropped before, it is
/// deleted.
///
/// # Errors
/// If no file can be created there.
pub fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any other new file: the process's mask takes its part.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder_of(path))
}

/// Returns the folder that contains the file at `path`.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}
