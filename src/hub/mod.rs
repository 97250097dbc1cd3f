//! Files of the Hugging Face hub, through the cache that Python's `huggingface_hub` shares.
//!
//! What the cache holds is used without a request: neither a client nor a TLS configuration is
//! made for it, so a warm start costs a few `stat` calls. The rest is downloaded by `hf-hub`,
//! with the guarantees it lacks added in `transfer`: bounded waiting, a second try after a
//! broken transfer, and no file under its final name unless all of it arrived.

mod cache;
mod failure;
mod name;
mod progress;
mod settings;
mod staging;
mod transfer;

pub use progress::{Progress, Silent};
pub use settings::Settings;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use crate::error::hinted;
use cache::{Entry, Folder};
use failure::Asked;
use name::{Holds, Wanted};
use transfer::{Answer, Connection};

/// Access to the files of repositories of models and data sets: the cache first, then the hub.
///
/// One value serves a whole run, from any thread; downloads happen one after the other.
#[derive(Debug)]
pub struct Hub {
    settings: Settings,
    /// Made by the first download.
    connection: Mutex<Option<Connection>>,
}

/// What the caller does without a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Required,
    Optional,
}

impl Hub {
    /// A hub with the settings that the environment gives, see [`Settings::from_env`].
    ///
    /// # Errors
    ///
    /// No folder for the cache is named and there is no home directory.
    pub fn from_env() -> Result<Self> {
        Ok(Self::new(Settings::from_env()?))
    }

    /// A hub with the given settings. Nothing is read, written or requested yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            connection: Mutex::new(None),
        }
    }

    /// Whether the settings forbid every request.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.settings.offline
    }

    /// The path in the cache of `file` in the model repository `repo` (`org/name`), downloaded
    /// where it is not there yet.
    ///
    /// `revision` is a branch, a tag or a commit hash, `main` where there is none. A branch that
    /// the cache knows stays at the commit it knows, so that all files of a model come from one
    /// commit; only a file which that commit lacks makes the hub be asked for the branch itself.
    ///
    /// # Errors
    ///
    /// Each with a hint: a malformed name; the repository, the revision or the file does not
    /// exist; it is private or gated; the hub cannot be reached, does not answer in time, or
    /// refuses; the transfer breaks off repeatedly; the cache cannot be written; `HF_HUB_OFFLINE`
    /// is set and the file is not in the cache.
    pub fn file(
        &self,
        repo: &str,
        revision: Option<&str>,
        file: &str,
        progress: &dyn Progress,
    ) -> Result<PathBuf> {
        self.required(&Wanted::new(Holds::Model, repo, revision, file)?, progress)
    }

    /// [`Hub::file`] of the data set repository `repo`.
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
            &Wanted::new(Holds::DataSet, repo, revision, file)?,
            progress,
        )
    }

    /// The same as [`Hub::file`], or `None` where the repository exists but has no such file,
    /// which the cache remembers too.
    ///
    /// Offline, a file that the cache neither has nor knows to be absent counts as absent if the
    /// cache holds other files of that commit: Python's programs fetch only what they ask for.
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
        let wanted = Wanted::new(Holds::Model, repo, revision, file)?;
        self.find(&wanted, Need::Optional, progress)
    }

    /// The file, which must be there.
    fn required(&self, wanted: &Wanted, progress: &dyn Progress) -> Result<PathBuf> {
        let found = self.find(wanted, Need::Required, progress)?;
        found.ok_or_else(|| failure::no_file(&self.asked(wanted)))
    }

    /// The file from the cache, else from the hub; `None` where the repository has no such file.
    fn find(
        &self,
        wanted: &Wanted,
        need: Need,
        progress: &dyn Progress,
    ) -> Result<Option<PathBuf>> {
        let folder = Folder::new(&self.settings.cache, wanted.holds, wanted.repo);
        // Held until the answer is in the cache: who waits here finds the file there.
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);

        let commit = folder.commit_of(wanted.revision);
        let entry = commit
            .as_deref()
            .map_or(Entry::Unknown, |commit| folder.entry(commit, wanted.file));
        let is_pinned = commit.as_deref() == Some(wanted.revision);
        match entry {
            Entry::Present(path) => return Ok(Some(path)),
            Entry::Absent if is_pinned || need == Need::Optional => return Ok(None),
            Entry::Absent | Entry::Unknown => {}
        }

        if self.settings.offline {
            let known = commit.is_some_and(|commit| folder.has_files_of(&commit));
            if known && need == Need::Optional {
                return Ok(None);
            }
            return Err(failure::offline(&self.asked(wanted)));
        }

        if let (Some(commit), Entry::Unknown, false) = (&commit, entry, is_pinned) {
            let pinned = Wanted {
                revision: commit,
                ..*wanted
            };
            match self.fetch(&mut connection, &pinned, &folder, progress)? {
                Answer::File(path) => return Ok(Some(path)),
                Answer::NoFile if need == Need::Optional => return Ok(None),
                // Absent from the known commit, or that commit was rewritten away.
                Answer::NoFile | Answer::NoRevision => {}
            }
        }
        match self.fetch(&mut connection, wanted, &folder, progress)? {
            Answer::File(path) => Ok(Some(path)),
            Answer::NoFile => Ok(None),
            Answer::NoRevision => Err(failure::no_revision(&self.asked(wanted))),
        }
    }

    /// Downloads the file into the cache over the connection, which is made if there is none.
    fn fetch(
        &self,
        connection: &mut Option<Connection>,
        wanted: &Wanted,
        folder: &Folder,
        progress: &dyn Progress,
    ) -> Result<Answer> {
        let asked = self.asked(wanted);
        let open = match connection.take() {
            Some(open) => open,
            None => Connection::open(&self.settings).map_err(|failure| failure.explain(&asked))?,
        };
        let answer = open.fetch(wanted, folder, self.settings.patience, progress);
        // After a failure the worker may still hang in it: the next download starts afresh.
        if answer.is_ok() {
            *connection = Some(open);
        }
        answer.map_err(|failure| failure.explain(&asked))
    }

    fn asked<'a>(&'a self, wanted: &'a Wanted<'a>) -> Asked<'a> {
        Asked {
            settings: &self.settings,
            wanted,
        }
    }
}

/// The error for settings that name no place for the cache.
fn no_cache_folder() -> anyhow::Error {
    hinted(
        "no folder for downloads: there is no home directory",
        "set HF_HOME or HF_HUB_CACHE to a folder",
    )
}
