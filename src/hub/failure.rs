//! Errors of files that are not there, with hints.

use super::name::FileRequest;
use super::settings::HubSettings;
use crate::error::error_with_hint;

/// The request, for messages.
#[derive(Clone, Copy)]
pub(super) struct FailedRequest<'a> {
    pub settings: &'a HubSettings,
    pub request: &'a FileRequest<'a>,
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
    let FailedRequest { settings, request } = *failed;
    let FileRequest {
        kind,
        repo,
        revision,
        file,
    } = *request;
    let instead = kind.offline_hint();
    let (why, way_out) = if cfg!(feature = "hub") {
        (
            "HF_HUB_OFFLINE forbids requests",
            "unset HF_HUB_OFFLINE to download it once",
        )
    } else {
        ("this build has no feature `hub`", "build with it")
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
