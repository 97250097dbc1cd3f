//! Files that the cache lacks: one download after the other, over a connection that is kept.

mod failure;
mod lock;
mod proxy;
mod staging;
mod store;
mod transfer;
mod unreachable;

use std::path::PathBuf;

use anyhow::Result;

use super::cache::RepoCache;
use super::name::{FileRequest, Need};
use super::{Hub, Progress};
pub(super) use transfer::Connection;
use transfer::FetchOutcome;

impl Hub {
    /// Returns the file from the hub; `None` when the repository has no such file.
    ///
    /// `cached_commit` is the commit at which the cache has the branch of `request`: the file is taken from it if it is there.
    pub(super) fn download(
        &self,
        connection: &mut Option<Connection>,
        folder: &RepoCache,
        cached_commit: Option<&str>,
        request: &FileRequest,
        need: Need,
        progress: &dyn Progress,
    ) -> Result<Option<PathBuf>> {
        if let Some(commit) = cached_commit {
            let pinned = FileRequest {
                revision: commit,
                ..*request
            };
            match self.fetch(connection, &pinned, folder, need, progress)? {
                FetchOutcome::File(path) => return Ok(Some(path)),
                FetchOutcome::NoFile if need == Need::Optional => return Ok(None),
                // The known commit lacks the file, or no longer exists.
                FetchOutcome::NoFile | FetchOutcome::NoRevision => {}
            }
        }
        match self.fetch(connection, request, folder, need, progress)? {
            FetchOutcome::File(path) => Ok(Some(path)),
            FetchOutcome::NoFile => Ok(None),
            FetchOutcome::NoRevision => {
                let failed = self.failed_request(request, need);
                Err(failure::no_revision_error(&failed))
            }
        }
    }

    /// Returns the files of the revision of `request`.
    pub(super) fn list(
        &self,
        connection: &mut Option<Connection>,
        request: &FileRequest,
    ) -> Result<Vec<String>> {
        let failed = self.failed_request(request, Need::Required);
        let open = match connection.take() {
            Some(open) => Ok(open),
            None => Connection::open(&self.settings),
        };
        let listed = open.and_then(|open| {
            let files = open.list(request, self.settings.stall_timeout)?;
            Ok((open, files))
        });
        let (open, files) = listed.map_err(|failure| failure.into_error(&failed))?;
        *connection = Some(open);
        Ok(files)
    }

    /// Downloads the file into the cache, and creates the connection first if there is none.
    fn fetch(
        &self,
        connection: &mut Option<Connection>,
        request: &FileRequest,
        folder: &RepoCache,
        need: Need,
        progress: &dyn Progress,
    ) -> Result<FetchOutcome> {
        let failed = self.failed_request(request, need);
        let open = match connection.take() {
            Some(open) => open,
            None => {
                Connection::open(&self.settings).map_err(|failure| failure.into_error(&failed))?
            }
        };
        let answer = open.fetch(request, folder, self.settings.stall_timeout, progress);
        // After a failure the worker may still use it: the next download creates a new one.
        if answer.is_ok() {
            *connection = Some(open);
        }
        answer.map_err(|failure| failure.into_error(&failed))
    }
}
