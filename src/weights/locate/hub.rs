//! The hub as a source of model files, opened when the first of them is requested.

use super::fetch::Fetch;
use crate::hub::{Hub, HubSettings, Progress};
use anyhow::Result;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Access to the hub that the environment names; downloads are reported to `progress`.
pub struct Remote<'a> {
    hub: OnceLock<Hub>,
    /// True if only cached files are used, whatever the environment says.
    offline: bool,
    progress: &'a dyn Progress,
}

impl<'a> Remote<'a> {
    /// Creates a client that does not contact the hub until a file is requested.
    pub fn new(progress: &'a dyn Progress) -> Self {
        Self {
            hub: OnceLock::new(),
            offline: false,
            progress,
        }
    }

    /// Uses only cached files if `offline` is true, as `HF_HUB_OFFLINE` in the environment does.
    #[must_use]
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    fn hub(&self) -> Result<&Hub> {
        if let Some(hub) = self.hub.get() {
            return Ok(hub);
        }
        let mut settings = HubSettings::from_env()?;
        settings.offline |= self.offline;
        Ok(self.hub.get_or_init(|| Hub::new(settings)))
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
