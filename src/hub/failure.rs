//! Errors of files that are not there, with hints.

#[cfg(feature = "hub")]
use super::cache::RepoCache;
use super::name::{FileRequest, Need};
use super::settings::HubSettings;
use crate::error::error_with_hint;

/// The request, for messages.
#[derive(Clone, Copy)]
pub(super) struct FailedRequest<'a> {
    pub settings: &'a HubSettings,
    pub request: &'a FileRequest<'a>,
    #[cfg_attr(
        not(feature = "hub"),
        expect(dead_code, reason = "only the cache of the hub can do without a file")
    )]
    pub need: Need,
}

impl FailedRequest<'_> {
    /// Returns true if the cache has weights of the revision and the file is optional, so that the model can be used without it.
    #[cfg(feature = "hub")]
    pub fn is_dispensable(&self) -> bool {
        let FileRequest {
            kind,
            repo,
            revision,
            file,
        } = *self.request;
        let folder = RepoCache::new(&self.settings.cache, kind, repo);
        let commit = folder.commit_of(revision);
        self.need == Need::Optional
            && commit.is_some_and(|commit| folder.has_weights(&commit, file))
    }

    /// Returns the way to do without the hub, for a hint.
    #[cfg(feature = "hub")]
    pub fn without_hub(&self) -> &'static str {
        if self.is_dispensable() {
            "set HF_HUB_OFFLINE=1 to use the files in the cache"
        } else {
            self.request.kind.offline_hint()
        }
    }
}

/// Returns the error for a repository that has no such file.
pub(super) fn no_file_error(failed: &FailedRequest) -> anyhow::Error {
    let FileRequest {
        repo,
        revision,
        file,
        ..
    } = *failed.request;
    error_with_hint(
        format!("`{repo}` has no file `{file}` at revision `{revision}`"),
        format!("{} lists its files", page_url(failed, "/tree/", revision)),
    )
}

/// Returns the error for a file that is needed from the hub while requests are forbidden, or impossible.
pub(super) fn offline_error(failed: &FailedRequest) -> anyhow::Error {
    let FailedRequest {
        settings, request, ..
    } = *failed;
    let FileRequest {
        kind,
        repo,
        revision,
        file,
    } = *request;
    let instead = kind.offline_hint();
    let variable = settings.offline_variable;
    let (why, way_out) = if cfg!(feature = "hub") {
        (
            format!("{variable} forbids requests"),
            format!("unset {variable} to download it once"),
        )
    } else {
        (
            "this build has no feature `hub`".to_owned(),
            "build with it".to_owned(),
        )
    };
    error_with_hint(
        format!(
            "`{file}` of `{repo}` at revision `{revision}` is not in the cache `{}`, and {why}",
            settings.cache.display()
        ),
        format!("{way_out}, or {instead}"),
    )
}

/// Returns a page of the repository on the hub's site.
pub(super) fn page_url(failed: &FailedRequest, part: &str, revision: &str) -> String {
    let endpoint = failed.settings.endpoint.trim_end_matches('/');
    let FileRequest { kind, repo, .. } = *failed.request;
    format!("{endpoint}/{}{repo}{part}{revision}", kind.url_prefix())
}
