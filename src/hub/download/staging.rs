//! A private folder for downloads in progress, so that the cache receives only complete files, by
//! renames.
//!
//! It is in `.locks/`, the one folder of the cache that no program takes for a repository, on the
//! cache's file system. A killed process leaves its folder behind; the next download finds it
//! unlocked and removes it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::hub::cache::RepoCache;

const PREFIX: &str = "resnet-";
const LOCK: &str = "lock";

/// The folder, laid out as a cache of its own; removed when dropped.
#[derive(Debug)]
pub(super) struct Staging {
    /// Held for the life of the process. Declared first: Windows cannot remove an open file.
    _lock: File,
    folder: TempDir,
}

impl Staging {
    /// Creates the folder, and the cache if it does not exist.
    pub fn new(cache: &Path) -> io::Result<Self> {
        let locks = cache.join(".locks");
        fs::create_dir_all(&locks)?;
        remove_abandoned(&locks);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&locks)?;
        // Locked before it gets its name, so that no process sees it unlocked. Without locks in the
        // file system, leftovers stay.
        let unnamed = folder.path().join("new");
        let lock = File::create(&unnamed)?;
        let _ = lock.try_lock();
        fs::rename(unnamed, folder.path().join(LOCK))?;
        Ok(Self {
            _lock: lock,
            folder,
        })
    }

    /// Returns the staged cache.
    pub fn cache(&self) -> PathBuf {
        self.folder.path().join("hub")
    }

    /// Returns a free path for a file that is renamed away at once.
    pub fn scratch(&self) -> PathBuf {
        self.folder.path().join("scratch")
    }

    /// Removes all staged files.
    pub fn clear(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.cache()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Hard-links the blobs of the real cache into the staged one, so that a file that two commits
    /// share is not downloaded twice. Without hard links it is.
    #[cfg(unix)]
    pub fn link_blobs(real: &RepoCache, staged: &RepoCache) -> io::Result<()> {
        let Ok(entries) = fs::read_dir(real.blobs()) else {
            return Ok(());
        };
        fs::create_dir_all(staged.blobs())?;
        for entry in entries {
            let entry = entry?;
            // An incomplete blob belongs to another program.
            if entry.path().extension().is_none() {
                let _ = fs::hard_link(entry.path(), staged.blobs().join(entry.file_name()));
            }
        }
        Ok(())
    }

    /// Without links in snapshots, the new blob could not be told from the linked ones.
    #[cfg(not(unix))]
    pub fn link_blobs(_real: &RepoCache, _staged: &RepoCache) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the blob of a staged file: the target of its link, or without links the only blob.
pub(super) fn blob_behind(file: &Path, staged: &RepoCache) -> io::Result<PathBuf> {
    if let Ok(target) = fs::read_link(file)
        && let Some(etag) = target.file_name()
    {
        return Ok(staged.blobs().join(etag));
    }
    let mut blobs = fs::read_dir(staged.blobs())?;
    match (blobs.next(), blobs.next()) {
        (Some(blob), None) => Ok(blob?.path()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

/// Removes the folders of processes that have ended.
fn remove_abandoned(locks: &Path) {
    let Ok(entries) = fs::read_dir(locks) else {
        return;
    };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        // The lock is released before the folder is removed, as Windows requires.
        let is_abandoned = || {
            let lock = File::open(entry.path().join(LOCK))?;
            lock.try_lock().map_err(io::Error::from)
        };
        if is_ours && is_abandoned().is_ok() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_left_by_a_killed_download_is_removed_and_a_living_one_is_not() {
        let cache = tempfile::tempdir().unwrap();
        let living = Staging::new(cache.path()).unwrap();
        let abandoned = cache.path().join(".locks").join("resnet-gone");
        fs::create_dir_all(&abandoned).unwrap();
        fs::write(abandoned.join(LOCK), "").unwrap();
        let foreign = cache.path().join(".locks").join("models--org--name");
        fs::create_dir_all(&foreign).unwrap();

        let second = Staging::new(cache.path()).unwrap();

        assert!(!abandoned.exists());
        assert!(foreign.exists());
        assert!(living.folder.path().exists());
        assert!(second.folder.path().exists());
    }

    #[test]
    fn a_dropped_staging_folder_leaves_nothing() {
        let cache = tempfile::tempdir().unwrap();
        drop(Staging::new(cache.path()).unwrap());
        let left = fs::read_dir(cache.path().join(".locks")).unwrap().count();
        assert_eq!(left, 0);
    }
}
