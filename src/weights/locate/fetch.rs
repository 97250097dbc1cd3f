//! The interface through which files of hub repositories are obtained.

use std::path::PathBuf;

use anyhow::Result;

/// Access to the files of a repository on the hub, through the cache or over the network.
pub trait Fetch {
    /// Returns the local copy of `file`, or an error if the repository or the file does not exist.
    fn file(&self, repository: &str, revision: Option<&str>, file: &str) -> Result<PathBuf>;

    /// Returns true if only cached files are available, so that a file that is not found may still exist.
    fn is_offline(&self) -> bool {
        false
    }

    /// Returns the local copy of `file`, or `None` if the repository has no such file.
    fn optional_file(
        &self,
        repository: &str,
        revision: Option<&str>,
        file: &str,
    ) -> Result<Option<PathBuf>>;
}
