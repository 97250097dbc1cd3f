//! The lock of a repository in the cache: of several processes that lack a file, one downloads it while the others wait.

use std::fs::{self, File};

use crate::hub::cache::RepoCache;

impl RepoCache {
    /// Waits until no other process downloads files of the repository, and keeps the others waiting until the lock is dropped.
    /// `None` without locks in the file system: each process downloads for itself then.
    pub fn lock(&self) -> Option<File> {
        let locks = self.path.parent()?.join(".locks");
        fs::create_dir_all(&locks).ok()?;
        let name = self.path.file_name()?.to_str()?;
        let file = File::create(locks.join(format!("{name}.resnet"))).ok()?;
        file.lock().ok()?;
        Some(file)
    }
}
