//! Files of the Hugging Face hub, through the cache that is shared with Python's `huggingface_hub`.
//!
//! Cached files are used without a request, a client or a TLS configuration, so that a warm start
//! takes a few `stat` calls. Other files are downloaded by `hf-hub`; `download` adds the guarantees
//! that it lacks: bounded waiting, retries, and no incomplete file under its final name. Without the feature `hub`, only
//! cached files are found.

mod cache;
#[cfg(feature = "hub")]
mod download;
mod failure;
mod listing;
mod name;
mod progress;
mod settings;

pub use listing::Listing;
pub use progress::{Progress, Silent};
pub use settings::HubSettings;
#[cfg(feature = "datasets")]
pub(crate) use settings::assets_folder;

use std::path::PathBuf;
#[cfg(feature = "hub")]
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use crate::error::{Error, WithKind};
use cache::{CacheEntry, RepoCache};
use failure::FailedRequest;
use name::{FileRequest, Need, RepoKind};

/// Access to the files of repositories of models and datasets: the cache first, then the hub.
///
/// One value serves a whole run, from any thread; downloads happen one after the other.
#[derive(Debug)]
pub struct Hub {
    settings: HubSettings,
    /// Created by the first download.
    #[cfg(feature = "hub")]
    connection: Mutex<Option<download::Connection>>,
}

impl Hub {
    /// Creates a hub with the settings of the environment, see [`HubSettings::from_env`].
    ///
    /// # Errors
    ///
    /// When no folder for the cache is set and there is no home directory.
    pub fn from_env() -> Result<Self> {
        Ok(Self::new(HubSettings::from_env()?))
    }

    /// Creates a hub with the given settings. Nothing is read, written or requested yet.
    #[must_use]
    pub fn new(settings: HubSettings) -> Self {
        Self {
            settings,
            #[cfg(feature = "hub")]
            connection: Mutex::new(None),
        }
    }

    /// Returns true if the settings forbid every request.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.settings.offline
    }

    /// Returns the path in the cache of `file` in the model repository `repo` (`org/name`); downloads it
    /// first if necessary.
    ///
    /// `revision` is a branch, a tag or a commit hash, by default `main`. A cached branch stays at its
    /// cached commit, so that all files of a model come from one commit; the hub is asked for the
    /// branch only for a file that this commit lacks.
    ///
    /// # Errors
    ///
    /// With a hint each, when a name is malformed; the repository, the revision or the file does not
    /// exist, or is private or gated; the hub cannot be reached, does not answer in time, or denies
    /// the request; the download is interrupted repeatedly; the cache cannot be written; or
    /// `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE` is set and the file is not in the cache.
    pub fn file(
        &self,
        repo: &str,
        revision: Option<&str>,
        file: &str,
        progress: &dyn Progress,
    ) -> Result<PathBuf> {
        self.required(
            &FileRequest::new(RepoKind::Model, repo, revision, file)?,
            progress,
        )
    }

    /// Like [`Hub::file`], for the dataset repository `repo`.
    ///
    /// # Errors
    ///
    /// Those of [`Hub::file`].
    pub fn data_file(
        &self,
        repo: &str,
        revision: Option<&str>,
        file: &str,
        progress: &dyn Progress,
    ) -> Result<PathBuf> {
        self.required(
            &FileRequest::new(RepoKind::Dataset, repo, revision, file)?,
            progress,
        )
    }

    /// Like [`Hub::file`], but returns `None` when the repository exists without such a file, which the
    /// cache remembers, too.
    ///
    /// Offline, a file that the cache neither has nor knows to be absent counts as absent if the
    /// cache holds other files of that commit: Python's programs fetch only what they ask for. So does a
    /// file of a commit hash whose configuration and weights are in the cache.
    ///
    /// # Errors
    ///
    /// Those of [`Hub::file`], except that the file does not exist.
    pub fn optional_file(
        &self,
        repo: &str,
        revision: Option<&str>,
        file: &str,
        progress: &dyn Progress,
    ) -> Result<Option<PathBuf>> {
        let request = FileRequest::new(RepoKind::Model, repo, revision, file)?;
        let found = self.find(&request, Need::Optional, progress);
        found.with_kind(Error::Hub)
    }

    /// Returns the file, which must exist.
    fn required(&self, request: &FileRequest, progress: &dyn Progress) -> Result<PathBuf> {
        let found = self
            .find(request, Need::Required, progress)
            .and_then(|found| {
                let failed = self.failed_request(request, Need::Required);
                found.ok_or_else(|| failure::no_file_error(&failed))
            });
        found.with_kind(Error::Hub)
    }

    /// Returns the file from the cache, else from the hub; `None` when the repository has no such file.
    fn find(
        &self,
        request: &FileRequest,
        need: Need,
        progress: &dyn Progress,
    ) -> Result<Option<PathBuf>> {
        // Held until the answer is in the cache: other threads wait here and find the file there.
        #[cfg(feature = "hub")]
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let folder = RepoCache::new(&self.settings.cache, request.kind, request.repo);
        let look_up = || {
            let commit = folder.commit_of(request.revision);
            let entry = commit.as_deref().map_or(CacheEntry::Unknown, |commit| {
                folder.entry(commit, request.file)
            });
            (commit, entry)
        };
        let is_pinned = |commit: &Option<String>| commit.as_deref() == Some(request.revision);
        let answer = |(commit, entry): &(Option<String>, CacheEntry)| match entry {
            CacheEntry::Present(path) => Some(Some(path.clone())),
            CacheEntry::Absent if is_pinned(commit) || need == Need::Optional => Some(None),
            CacheEntry::Absent | CacheEntry::Unknown => None,
        };
        let found = look_up();
        if let Some(known) = answer(&found) {
            return Ok(known);
        }
        // A commit never changes.
        if need == Need::Optional
            && is_pinned(&found.0)
            && folder.has_model(request.revision, request.file)
        {
            return Ok(None);
        }
        #[cfg(feature = "hub")]
        if !self.settings.offline {
            let _lock = folder.lock(|| progress.wait(request.repo));
            // Another process may have downloaded it meanwhile.
            let found = look_up();
            if let Some(known) = answer(&found) {
                return Ok(known);
            }
            let (commit, entry) = found;
            // A file that the cached commit is known to lack is looked for at the branch's newest.
            let is_of_branch = entry == CacheEntry::Unknown && !is_pinned(&commit);
            let cached_commit = commit.filter(|_| is_of_branch);
            return self.download(
                &mut connection,
                &folder,
                cached_commit.as_deref(),
                request,
                need,
                progress,
            );
        }
        #[cfg(not(feature = "hub"))]
        let _ = progress;
        let known = found.0.is_some_and(|commit| folder.has_files_of(&commit));
        if known && need == Need::Optional {
            return Ok(None);
        }
        Err(failure::offline_error(&self.failed_request(request, need)))
    }

    fn failed_request<'a>(&'a self, request: &'a FileRequest<'a>, need: Need) -> FailedRequest<'a> {
        FailedRequest {
            settings: &self.settings,
            request,
            need,
        }
    }
}
