//! The folder of one repository in the cache, in the layout of Python's `huggingface_hub`
//! (<https://huggingface.co/docs/huggingface_hub/guides/manage-cache>):
//!
//! ```text
//! models--org--name/            datasets--org--name/ for datasets
//!   refs/main                   the commit hash that a branch or tag stands for
//!   blobs/<etag>                contents
//!   snapshots/<commit>/<file>   links to blobs, or the files themselves without links
//!   .no_exist/<commit>/<file>   empty: the commit is known to have no such file
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::name::RepoKind;

/// The cached part of a repository.
#[derive(Debug)]
pub(super) struct RepoCache {
    path: PathBuf,
}

/// The state of a file of a commit in the cache.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CacheEntry {
    /// It is cached at this path.
    Present(PathBuf),
    /// The commit has no such file.
    Absent,
    /// It is not known.
    Unknown,
}

impl RepoCache {
    /// Returns the folder of the repository `org/name` below the cache; it need not exist.
    pub fn new(cache: &Path, kind: RepoKind, repo: &str) -> Self {
        let name = format!("{}--{}", kind.cache_prefix(), repo.replace('/', "--"));
        Self {
            path: cache.join(name),
        }
    }

    pub fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }

    /// Returns the commit that the revision is known to stand for; a commit hash stands for itself.
    pub fn commit_of(&self, revision: &str) -> Option<String> {
        if is_commit_hash(revision) {
            return Some(revision.to_owned());
        }
        let commit = fs::read_to_string(self.path.join("refs").join(revision)).ok()?;
        let commit = commit.trim();
        // A damaged file must not become part of a path.
        is_plain_name(commit).then(|| commit.to_owned())
    }

    /// Looks up a file; a dangling link counts as not known.
    pub fn entry(&self, commit: &str, file: &str) -> CacheEntry {
        let path = self.snapshot(commit).join(file);
        if path.is_file() {
            CacheEntry::Present(path)
        } else if self.absence(commit, file).is_file() {
            CacheEntry::Absent
        } else {
            CacheEntry::Unknown
        }
    }

    /// Returns true if any file of the commit is in the cache.
    pub fn has_files_of(&self, commit: &str) -> bool {
        fs::read_dir(self.snapshot(commit)).is_ok_and(|mut entries| entries.next().is_some())
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

    pub fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }

    pub fn absences(&self) -> PathBuf {
        self.path.join(".no_exist")
    }

    fn snapshot(&self, commit: &str) -> PathBuf {
        self.snapshots().join(commit)
    }

    fn absence(&self, commit: &str, file: &str) -> PathBuf {
        self.absences().join(commit).join(file)
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

fn is_commit_hash(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
