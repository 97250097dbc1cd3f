//! The lock of a repository in the cache: of several processes that lack a file, one downloads it while the others wait.

use std::fs::{self, File, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use crate::hub::cache::RepoCache;

/// The wait that is not worth a word.
const SHORT: Duration = Duration::from_secs(1);
/// The pause between two attempts in this time.
const PAUSE: Duration = Duration::from_millis(20);

impl RepoCache {
    /// Waits until no other process downloads files of the repository, and keeps the others waiting until the lock is dropped; calls
    /// `tell` if it has waited for a second. `None` without locks in the file system: each process downloads for itself then.
    pub fn lock(&self, tell: impl FnOnce()) -> Option<File> {
        let locks = self.path.parent()?.join(".locks");
        fs::create_dir_all(&locks).ok()?;
        let name = self.path.file_name()?.to_str()?;
        let file = File::create(locks.join(format!("{name}.resnet"))).ok()?;
        let start = Instant::now();
        while start.elapsed() < SHORT {
            match file.try_lock() {
                Ok(()) => return Some(file),
                Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
                Err(TryLockError::Error(_)) => return None,
            }
        }
        tell();
        file.lock().ok()?;
        Some(file)
    }
}
