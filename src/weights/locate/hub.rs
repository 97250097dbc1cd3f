//! The hub as a source of model files, opened when the first of them is requested.

use super::fetch::Fetch;
use crate::hub::{Hub, Progress};
use anyhow::Result;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Access to the hub that the environment names; downloads are reported to `progress`.
pub struct Remote<'a> {
    hub: OnceLock<Hub>,
    progress: &'a dyn Progress,
}

impl<'a> Remote<'a> {
    /// Creates a client that does not contact the hub until a file is requested.
    pub fn new(progress: &'a dyn Progress) -> Self {
        Self {
            hub: OnceLock::new(),
            progress,
        }
    }

    fn hub(&self) -> Result<&Hub> {
        if let Some(hub) = self.hub.get() {
            return Ok(hub);
        }
        let hub = Hub::from_env()?;
        Ok(self.hub.get_or_init(|| hub))
    }
}

impl Fetch for Remote<'_> {
    fn file(&self, repository: &str, revision: Option<&str>, file: &str) -> Result<PathBuf> {
        self.hub()?.file(repository, revision, file, self.progress)
    }

    fn is_offline(&self) -> bool {
        self.hub().is_ok_and(Hub::is_offline)
    }

    fn optional_file(
        &self,
        repository: &str,
        revision: Option<&str>,
        file: &str,
    ) -> Result<Option<PathBuf>> {
        self.hub()?
            .optional_file(repository, revision, file, self.progress)
    }
}
