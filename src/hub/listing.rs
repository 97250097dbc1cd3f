//! The files of a dataset repository.

use std::fs;
use std::path::Path;
#[cfg(feature = "hub")]
use std::sync::PoisonError;

use anyhow::Result;

use super::cache::RepoCache;
use super::name::{FileRequest, Need, RepoKind};
use super::{Hub, Progress};
use crate::error::{Error, WithKind};
use crate::fs::write_whole;

/// The files of a revision of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Their paths in the repository, sorted.
    pub files: Vec<String>,
    /// True if these are the files in the cache, as the hub could not be asked: there may be others.
    pub is_from_cache: bool,
}

impl Hub {
    /// Returns the files of the dataset repository `repo`. The list of a commit is requested once and kept; without the hub, it is
    /// that of the cached files.
    ///
    /// # Errors
    /// Those of [`Hub::data_file`], if the cache has no file either.
    pub fn data_files(
        &self,
        repo: &str,
        revision: Option<&str>,
        progress: &dyn Progress,
    ) -> Result<Listing> {
        let request = FileRequest::new(RepoKind::Dataset, repo, revision, "README.md")?;
        let folder = RepoCache::new(&self.settings.cache, request.kind, repo);
        let listed = self.listed(&folder, &request, progress);
        let error = match listed {
            Ok(mut files) => {
                files.sort();
                return Ok(Listing {
                    files,
                    is_from_cache: false,
                });
            }
            Err(error) => error,
        };
        let mut files = Vec::new();
        if let Some(commit) = folder.commit_of(request.revision) {
            let snapshot = folder.snapshot(&commit);
            collect(&snapshot, &snapshot, &mut files);
        }
        if files.iter().all(|file| file == "README.md") {
            return Err(error).with_kind(Error::Hub);
        }
        files.sort();
        Ok(Listing {
            files,
            is_from_cache: true,
        })
    }

    /// Returns the list of the hub, which is kept for the commit.
    fn listed(
        &self,
        folder: &RepoCache,
        request: &FileRequest,
        progress: &dyn Progress,
    ) -> Result<Vec<String>> {
        // The card is looked up first: with it, the cache learns the commit of a branch.
        self.find(request, Need::Optional, progress)?;
        let commit = folder.commit_of(request.revision);
        let kept = commit
            .as_deref()
            .map(|commit| folder.path.join(".listing").join(commit));
        if let Some(text) = kept
            .as_deref()
            .and_then(|kept| fs::read_to_string(kept).ok())
        {
            return Ok(text.lines().map(str::to_owned).collect());
        }
        let pinned = FileRequest {
            revision: commit.as_deref().unwrap_or(request.revision),
            ..*request
        };
        let files = self.request_list(&pinned)?;
        if let Some(kept) = kept {
            // Without it, the list is requested again.
            let _ = kept
                .parent()
                .map_or(Ok(()), fs::create_dir_all)
                .map_err(anyhow::Error::from)
                .and_then(|()| {
                    write_whole(&kept, |file| {
                        Ok(file.write_all(files.join("\n").as_bytes())?)
                    })
                });
        }
        Ok(files)
    }

    #[cfg(feature = "hub")]
    fn request_list(&self, request: &FileRequest) -> Result<Vec<String>> {
        if self.settings.offline {
            return Err(super::failure::offline_error(
                &self.failed_request(request, Need::Optional),
            ));
        }
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.list(&mut connection, request)
    }

    #[cfg(not(feature = "hub"))]
    fn request_list(&self, request: &FileRequest) -> Result<Vec<String>> {
        Err(super::failure::offline_error(
            &self.failed_request(request, Need::Optional),
        ))
    }
}

/// Adds the files in `folder`, named from `root` with `/`.
fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if let Ok(inside) = path.strip_prefix(root) {
            let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
            files.push(parts.join("/"));
        }
    }
}
