//! Errors of downloads, with hints.

use std::error::Error;
use std::io;
use std::time::Duration;

use hf_hub::HFError;

use super::name::Wanted;
use super::settings::Settings;
use crate::error::error_with_hint;

/// The reason why a download failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// An error of `hf-hub`.
    Hub(HFError),
    /// The cache could not be written.
    Cache(io::Error),
    /// `HF_ENDPOINT` is not an address.
    Endpoint,
    /// The hub answered 404 without the reason, which tells a missing file from other cases.
    NotFound,
    /// No byte came for this time.
    Silence(Duration),
    /// The body has another length than announced; 0 if the hub announced none.
    WrongSize { announced: u64, received: u64 },
    /// The download thread ended without a result.
    Died,
}

/// The request, for messages.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub settings: &'a Settings,
    pub wanted: &'a Wanted<'a>,
}

impl Failure {
    /// Returns whether the connection broke, so that another attempt may succeed.
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
    pub fn explain(self, asked: &Asked) -> anyhow::Error {
        let Asked { settings, wanted } = *asked;
        let Wanted { repo, file, .. } = *wanted;
        let instead = wanted.holds.instead();
        let endpoint = settings.endpoint.trim_end_matches('/');
        match self {
            Self::Hub(error) => explain_hub(&error, asked),
            Self::Cache(error) => unwritable_cache(&error, settings),
            Self::Endpoint => bad_endpoint(settings),
            Self::NotFound => no_repository(asked),
            Self::Silence(patience) => error_with_hint(
                format!(
                    "`{endpoint}` has sent nothing for {patience:?} while downloading `{file}` of `{repo}`"
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
            Self::Died => error_with_hint(
                format!("the download of `{file}` of `{repo}` ended unexpectedly"),
                "run the command again",
            ),
        }
    }
}

/// Returns the error for a repository that has no such file.
pub(super) fn no_file(asked: &Asked) -> anyhow::Error {
    let Wanted {
        repo,
        revision,
        file,
        ..
    } = *asked.wanted;
    error_with_hint(
        format!("`{repo}` has no file `{file}` at revision `{revision}`"),
        format!("{} lists its files", page(asked, "/tree/", revision)),
    )
}

/// Returns the error for a repository that has no such revision.
pub(super) fn no_revision(asked: &Asked) -> anyhow::Error {
    let Wanted { repo, revision, .. } = *asked.wanted;
    error_with_hint(
        format!("`{repo}` has no revision `{revision}`"),
        format!(
            "name a branch, a tag or a full commit hash; {} lists them",
            page(asked, "/tree/", "main")
        ),
    )
}

/// Returns the error for a file that is needed from the hub while requests are forbidden.
pub(super) fn offline(asked: &Asked) -> anyhow::Error {
    let Asked { settings, wanted } = *asked;
    let Wanted {
        holds,
        repo,
        revision,
        file,
    } = *wanted;
    let instead = holds.instead();
    error_with_hint(
        format!(
            "`{file}` of `{repo}` at revision `{revision}` is not in the cache `{}`, \
             and HF_HUB_OFFLINE forbids requests",
            settings.cache.display()
        ),
        format!("unset HF_HUB_OFFLINE to download it once, or {instead}"),
    )
}

fn explain_hub(error: &HFError, asked: &Asked) -> anyhow::Error {
    let Asked { settings, wanted } = *asked;
    let Wanted { repo, file, .. } = *wanted;
    let instead = wanted.holds.instead();
    let endpoint = settings.endpoint.trim_end_matches('/');
    match error {
        HFError::AuthRequired { context } | HFError::Forbidden { context } => {
            let code = context.error_code.as_deref();
            let said = said(context.server_message.as_deref());
            match (code, settings.token.is_some(), context.status.as_u16()) {
                (Some("GatedRepo"), has_token, _) => gated(asked, has_token),
                (_, false, 401) => no_repository(asked),
                (_, true, 401) => error_with_hint(
                    format!("`{endpoint}` rejected the token for `{repo}`{said}"),
                    "check HF_TOKEN, or unset it for public repositories",
                ),
                _ => error_with_hint(
                    format!("`{endpoint}` denied access to `{repo}`{said}"),
                    "set HF_TOKEN to a token that may read the repository",
                ),
            }
        }
        HFError::RepoNotFound { .. } => no_repository(asked),
        HFError::RateLimited {
            retry_after,
            context,
        } => error_with_hint(
            format!(
                "`{endpoint}` asks for fewer requests{}",
                said(context.server_message.as_deref())
            ),
            match retry_after {
                Some(pause) => format!("try again in {} s, or set HF_TOKEN", pause.as_secs()),
                None => "try again later, or set HF_TOKEN".to_owned(),
            },
        ),
        HFError::Http { context } => error_with_hint(
            format!(
                "`{endpoint}` answered {} for `{file}` of `{repo}`{}",
                context.status,
                said(context.server_message.as_deref())
            ),
            format!("try again later, or {instead}"),
        ),
        HFError::Request { source, .. } if source.is_connect() || source.is_timeout() => {
            error_with_hint(
                format!("cannot reach `{endpoint}`: {}", innermost(source)),
                format!("check the network and HF_ENDPOINT, or {instead}"),
            )
        }
        HFError::Request { source, .. } if source.is_builder() => bad_endpoint(settings),
        HFError::Request { source, .. } => broken_off(&innermost(source), asked),
        HFError::Xet { source, .. } => broken_off(&innermost(source.as_ref()), asked),
        HFError::Url(_) => bad_endpoint(settings),
        HFError::Io(error) => unwritable_cache(error, settings),
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
fn no_repository(asked: &Asked) -> anyhow::Error {
    let Wanted { holds, repo, .. } = *asked.wanted;
    let noun = holds.noun();
    let endpoint = asked.settings.endpoint.trim_end_matches('/');
    let hint = if asked.settings.token.is_some() {
        "check the name; if it is private, the token in HF_TOKEN must be allowed to read it"
    } else {
        "check the name; if it is private, set HF_TOKEN to a token that may read it"
    };
    error_with_hint(format!("`{endpoint}` has no {noun} `{repo}`"), hint)
}

fn gated(asked: &Asked, has_token: bool) -> anyhow::Error {
    let page = page(asked, "", "");
    let way_out = if has_token {
        format!("accept its conditions at {page} with the account of the token in HF_TOKEN")
    } else {
        format!("accept its conditions at {page} and set HF_TOKEN to a token of that account")
    };
    error_with_hint(format!("`{}` is gated", asked.wanted.repo), way_out)
}

fn bad_endpoint(settings: &Settings) -> anyhow::Error {
    error_with_hint(
        format!("HF_ENDPOINT is not a web address: `{}`", settings.endpoint),
        "unset it, or set it to an address such as `https://huggingface.co`",
    )
}

fn unwritable_cache(error: &io::Error, settings: &Settings) -> anyhow::Error {
    let hint = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space, or set HF_HUB_CACHE to a folder on another disk"
        }
        _ => "set HF_HUB_CACHE to a writable folder",
    };
    error_with_hint(
        format!(
            "cannot write the cache `{}`: {error}",
            settings.cache.display()
        ),
        hint,
    )
}

fn broken_off(why: &str, asked: &Asked) -> anyhow::Error {
    let Wanted { repo, file, .. } = *asked.wanted;
    error_with_hint(
        format!("the download of `{file}` of `{repo}` was interrupted repeatedly: {why}"),
        "run the command again; nothing incomplete was kept",
    )
}

/// Returns a page of the repository on the hub's site.
fn page(asked: &Asked, part: &str, revision: &str) -> String {
    let endpoint = asked.settings.endpoint.trim_end_matches('/');
    let Wanted { holds, repo, .. } = *asked.wanted;
    format!("{endpoint}/{}{repo}{part}{revision}", holds.address())
}

/// Returns the hub's own message, to append to ours.
fn said(message: Option<&str>) -> String {
    message.map_or_else(String::new, |message| format!(": {message}"))
}

/// Returns the innermost cause, which says what happened.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
