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
use std::path::{Path, PathBuf};

use super::name::RepoKind;

/// The extensions of files of weights.
const WEIGHTS: [&str; 4] = ["safetensors", "bin", "pth", "pt"];

/// The configuration of a model.
const CONFIG: &str = "config.json";

/// The cached part of a repository.
#[derive(Debug)]
pub(super) struct RepoCache {
    pub(super) path: PathBuf,
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

    /// Returns true if weights are in the cache in the folder of `file`, a file of the commit.
    pub fn has_weights(&self, commit: &str, file: &str) -> bool {
        let beside = self.snapshot(commit).join(file);
        let files = fs::read_dir(beside.parent().unwrap_or(&beside));
        files.into_iter().flatten().flatten().any(|entry| {
            let path = entry.path();
            let extension = path.extension().unwrap_or_default();
            WEIGHTS.iter().any(|known| extension == *known) && path.is_file()
        })
    }

    /// Returns true if the commit's configuration, beside `file`, and weights are in the cache: then whoever put them there has
    /// asked for all files of the model.
    pub fn has_model(&self, commit: &str, file: &str) -> bool {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let config = Path::new(folder).join(CONFIG);
        let config = config.to_string_lossy();
        self.entry(commit, &config) != CacheEntry::Unknown && self.has_weights(commit, file)
    }

    pub fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }

    pub fn absences(&self) -> PathBuf {
        self.path.join(".no_exist")
    }

    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.snapshots().join(commit)
    }

    pub fn absence(&self, commit: &str, file: &str) -> PathBuf {
        self.absences().join(commit).join(file)
    }
}

pub(super) fn is_commit_hash(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
