//! How much room a disk has.

use std::path::Path;

/// Bytes that may still be written below `path`, where the system tells.
#[cfg(unix)]
pub fn free_bytes(path: &Path) -> Option<u64> {
    let system = rustix::fs::statvfs(path).ok()?;
    Some(system.f_bavail.saturating_mul(system.f_frsize))
}

/// Bytes that may still be written below `path`, where the system tells.
#[cfg(not(unix))]
pub fn free_bytes(_: &Path) -> Option<u64> {
    None
}
