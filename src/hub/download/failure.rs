//! Errors of downloads, with hints.

use std::error::Error;
use std::io;
use std::time::Duration;

use hf_hub::HFError;

use super::proxy::Proxy;
use super::unreachable::{proxy_login_error, unreachable_error};
use crate::error::error_with_hint;
use crate::hub::failure::{FailedRequest, page_url};
use crate::hub::name::FileRequest;
use crate::hub::settings::HubSettings;

/// The reason why a download failed.
#[derive(Debug)]
pub(in crate::hub) enum DownloadFailure {
    /// An error of `hf-hub`.
    Hub(HFError),
    /// The cache could not be written.
    Cache(io::Error),
    /// `HF_ENDPOINT` is not an address.
    Endpoint,
    /// The hub answered 404 without the reason, which tells a missing file from other cases.
    NotFound,
    /// No byte came for this time.
    Stalled(Duration),
    /// The body has another length than announced; 0 if the hub announced none.
    WrongSize { announced: u64, received: u64 },
    /// The download thread ended without a result.
    ThreadEnded,
}

impl DownloadFailure {
    /// Returns true if the connection broke, so that another attempt may succeed.
    pub fn is_broken_transfer(&self) -> bool {
        match self {
            Self::Hub(HFError::Request { source, .. }) => {
                !source.is_connect() && !source.is_timeout() && !source.is_builder()
            }
            Self::Hub(HFError::Xet { .. }) => true,
            Self::WrongSize { announced, .. } => *announced > 0,
            _ => false,
        }
    }

    /// Returns the message and the hint.
    pub fn into_error(self, failed: &FailedRequest) -> anyhow::Error {
        let FailedRequest {
            settings, request, ..
        } = *failed;
        let FileRequest { repo, file, .. } = *request;
        let instead = failed.without_hub();
        let endpoint = settings.endpoint.trim_end_matches('/');
        match self {
            Self::Hub(error) => explain_hub(&error, failed),
            Self::Cache(error) => cache_error(&error, failed),
            Self::Endpoint => endpoint_error(settings),
            Self::NotFound => no_repository_error(failed),
            Self::Stalled(stall_timeout) => error_with_hint(
                format!(
                    "`{endpoint}` has sent nothing for {stall_timeout:?} while downloading `{file}` of `{repo}`"
                ),
                format!("try again later, or {instead}"),
            ),
            Self::WrongSize {
                announced: 0,
                received,
            } => error_with_hint(
                format!(
                    "`{endpoint}` does not tell the size of `{file}` of `{repo}`: \
                     the {received} bytes received may be incomplete"
                ),
                "check HF_ENDPOINT, or download the file by other means and pass its path",
            ),
            Self::WrongSize {
                announced,
                received,
            } => error_with_hint(
                format!(
                    "the transfer of `{file}` of `{repo}` is broken: \
                     received {received} bytes instead of {announced}"
                ),
                "run the command again; nothing incomplete was kept",
            ),
            Self::ThreadEnded => error_with_hint(
                format!("the download of `{file}` of `{repo}` ended unexpectedly"),
                "run the command again",
            ),
        }
    }
}

/// Returns the error for a repository that has no such revision.
pub(super) fn no_revision_error(failed: &FailedRequest) -> anyhow::Error {
    let FileRequest { repo, revision, .. } = *failed.request;
    error_with_hint(
        format!("`{repo}` has no revision `{revision}`"),
        format!(
            "name a branch, a tag or a full commit hash; {} lists them",
            page_url(failed, "/tree/", "main")
        ),
    )
}

fn explain_hub(error: &HFError, failed: &FailedRequest) -> anyhow::Error {
    let FailedRequest {
        settings, request, ..
    } = *failed;
    let FileRequest { repo, file, .. } = *request;
    let instead = failed.without_hub();
    let endpoint = settings.endpoint.trim_end_matches('/');
    match error {
        HFError::AuthRequired { context } | HFError::Forbidden { context } => {
            let code = context.error_code.as_deref();
            let server_message = append_server_message(context.server_message.as_deref());
            match (code, settings.token.is_some(), context.status.as_u16()) {
                (Some("GatedRepo"), has_token, _) => gated_error(failed, has_token),
                (None, false, 401) => unauthorized_error(failed),
                (_, false, 401) => no_repository_error(failed),
                (_, true, 401) => error_with_hint(
                    format!("`{endpoint}` rejected the token for `{repo}`{server_message}"),
                    "check HF_TOKEN, or unset it for public repositories",
                ),
                _ => error_with_hint(
                    format!("`{endpoint}` denied access to `{repo}`{server_message}"),
                    "set HF_TOKEN to a token that may read the repository",
                ),
            }
        }
        HFError::RepoNotFound { .. } => no_repository_error(failed),
        HFError::RateLimited {
            retry_after,
            context,
        } => error_with_hint(
            format!(
                "`{endpoint}` asks for fewer requests{}",
                append_server_message(context.server_message.as_deref())
            ),
            match retry_after {
                Some(pause) => format!("try again in {} s, or set HF_TOKEN", pause.as_secs()),
                None => "try again later, or set HF_TOKEN".to_owned(),
            },
        ),
        HFError::Http { context } if context.status.as_u16() == 407 => {
            proxy_login_error(failed, Proxy::of(endpoint))
        }
        HFError::Http { context } => error_with_hint(
            format!(
                "`{endpoint}` answered {} for `{file}` of `{repo}`{}",
                context.status,
                append_server_message(context.server_message.as_deref())
            ),
            format!("try again later, or {instead}"),
        ),
        HFError::Request { source, .. } if source.is_connect() || source.is_timeout() => {
            unreachable_error(&innermost_cause(source), failed)
        }
        HFError::Request { source, .. } if source.is_builder() => endpoint_error(settings),
        HFError::Request { source, .. } => interrupted_error(&innermost_cause(source), failed),
        HFError::Xet { source, .. } => interrupted_error(&innermost_cause(source.as_ref()), failed),
        HFError::Url(_) => endpoint_error(settings),
        HFError::Io(error) => cache_error(error, failed),
        HFError::MalformedResponse { what, .. } => error_with_hint(
            format!("`{endpoint}` does not answer like a hub: {what}"),
            "check HF_ENDPOINT; the public hub is `https://huggingface.co`",
        ),
        error => error_with_hint(
            format!("cannot download `{file}` of `{repo}`: {error}"),
            format!("try again later, or {instead}"),
        ),
    }
}

/// Returns the error of a repository that does not exist or is private: the hub does not tell which.
fn no_repository_error(failed: &FailedRequest) -> anyhow::Error {
    let FileRequest { kind, repo, .. } = *failed.request;
    let noun = kind.noun();
    let endpoint = failed.settings.endpoint.trim_end_matches('/');
    let hint = if failed.settings.token.is_some() {
        "check the name; if it is private, the token in HF_TOKEN must be allowed to read it"
    } else {
        "check the name; if it is private, set HF_TOKEN to a token that may read it"
    };
    error_with_hint(format!("`{endpoint}` has no {noun} `{repo}`"), hint)
}

/// Returns the error of a request without a token that was refused without the hub's reason: a repository that is private, or a
/// gateway before the hub.
fn unauthorized_error(failed: &FailedRequest) -> anyhow::Error {
    let FileRequest { kind, repo, .. } = *failed.request;
    let noun = kind.noun();
    let endpoint = failed.settings.endpoint.trim_end_matches('/');
    error_with_hint(
        format!("`{endpoint}` has no {noun} `{repo}`, or wants a token for it (401 Unauthorized)"),
        "check the name and HF_ENDPOINT; if it is private or behind a gateway, set HF_TOKEN to a token that may read it",
    )
}

fn gated_error(failed: &FailedRequest, has_token: bool) -> anyhow::Error {
    let page = page_url(failed, "", "");
    let way_out = if has_token {
        format!("accept its conditions at {page} with the account of the token in HF_TOKEN")
    } else {
        format!("accept its conditions at {page} and set HF_TOKEN to a token of that account")
    };
    error_with_hint(format!("`{}` is gated", failed.request.repo), way_out)
}

fn endpoint_error(settings: &HubSettings) -> anyhow::Error {
    error_with_hint(
        format!("HF_ENDPOINT is not a web address: `{}`", settings.endpoint),
        "unset it, or set it to an address such as `https://huggingface.co`",
    )
}

fn cache_error(error: &io::Error, failed: &FailedRequest) -> anyhow::Error {
    let hint = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space, or set HF_HUB_CACHE to a folder on another disk"
        }
        _ => "set HF_HUB_CACHE to a writable folder",
    };
    let cache = failed.settings.cache.display();
    let or_without_hub = if failed.is_dispensable() {
        format!(", or {}", failed.without_hub())
    } else {
        String::new()
    };
    error_with_hint(
        format!("cannot write the cache `{cache}`: {error}"),
        format!("{hint}{or_without_hub}"),
    )
}

fn interrupted_error(why: &str, failed: &FailedRequest) -> anyhow::Error {
    let FileRequest { repo, file, .. } = *failed.request;
    error_with_hint(
        format!("the download of `{file}` of `{repo}` was interrupted repeatedly: {why}"),
        "run the command again; nothing incomplete was kept",
    )
}

/// Returns the hub's own message, to append to ours.
fn append_server_message(message: Option<&str>) -> String {
    message.map_or_else(String::new, |message| format!(": {message}"))
}

/// Returns the innermost cause, which says what happened.
fn innermost_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
