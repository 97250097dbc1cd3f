//! Writing to the cache: complete files only, by renames.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::hub::cache::{RepoCache, is_commit_hash};

impl RepoCache {
    pub fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }

    /// Moves a complete download into the cache and returns its path. `blob` is named by its etag and
    /// is synced to disk before it gets its final name; `scratch` is a free path. Both are on the
    /// cache's file system, so that each step is an atomic rename.
    pub fn store(
        &self,
        blob: &Path,
        commit: &str,
        file: &str,
        scratch: &Path,
    ) -> io::Result<PathBuf> {
        let etag = blob
            .file_name()
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        // Windows syncs through a writable handle only; elsewhere the file may be a second name
        // of a read-only blob.
        let file_on_disk = fs::OpenOptions::new()
            .read(true)
            .write(cfg!(windows))
            .open(blob)?;
        file_on_disk.sync_all()?;
        drop(file_on_disk);
        fs::create_dir_all(self.blobs())?;
        let target = self.blobs().join(etag);
        fs::rename(blob, &target)?;

        let path = self.snapshot(commit).join(file);
        fs::create_dir_all(path.parent().unwrap_or(&self.path))?;
        // From `snapshots/<commit>/` up to the repository's folder, and one more level per folder in `file`.
        let up = "../".repeat(2 + file.matches('/').count());
        link(scratch, &target, &Path::new(&up).join("blobs").join(etag))?;
        fs::rename(scratch, &path)?;
        Ok(path)
    }

    /// Remembers that the commit has no such file.
    pub fn remember_absence(&self, commit: &str, file: &str) -> io::Result<()> {
        let marker = self.absence(commit, file);
        fs::create_dir_all(marker.parent().unwrap_or(&self.path))?;
        fs::write(marker, "")
    }

    /// Remembers the commit of a branch or tag; `scratch` as for [`RepoCache::store`].
    pub fn remember_commit(&self, revision: &str, commit: &str, scratch: &Path) -> io::Result<()> {
        if is_commit_hash(revision) {
            return Ok(());
        }
        let path = self.path.join("refs").join(revision);
        fs::create_dir_all(path.parent().unwrap_or(&self.path))?;
        fs::write(scratch, commit)?;
        fs::rename(scratch, path)
    }
}

/// Links `path` to the blob at `target`; `relative` leads to it from the final path.
#[cfg(unix)]
fn link(path: &Path, _target: &Path, relative: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(relative, path)
}

/// Symbolic links need a privilege on Windows; a second name for the file does not.
#[cfg(not(unix))]
fn link(path: &Path, target: &Path, _relative: &Path) -> io::Result<()> {
    fs::hard_link(target, path).or_else(|_| fs::copy(target, path).map(|_| ()))
}
