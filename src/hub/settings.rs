//! The settings of the hub from the environment, with the variables that `huggingface_hub` documents
//! (<https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables>).

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::error::error_with_hint;

/// The variables that forbid requests; the first that is not empty counts.
const OFFLINE: [&str; 2] = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"];

/// The settings of the hub and its cache.
#[derive(Clone)]
pub struct HubSettings {
    /// The folder that holds `models--org--name` folders.
    pub cache: PathBuf,
    /// The address of the hub, with no path.
    pub endpoint: String,
    /// The access token. With `None`, `hf-hub` still looks for one in the environment.
    pub token: Option<String>,
    /// Forbids all requests.
    pub offline: bool,
    /// The variable that forbids them, for messages.
    pub offline_variable: &'static str,
    /// The time without a byte after which a download is given up.
    pub stall_timeout: Duration,
}

impl HubSettings {
    /// Returns the settings of the public hub with the given cache, no token and a stall timeout of 30 seconds.
    #[must_use]
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            cache: cache.into(),
            endpoint: "https://huggingface.co".to_owned(),
            token: None,
            offline: false,
            offline_variable: OFFLINE[0],
            stall_timeout: Duration::from_secs(30),
        }
    }

    /// Returns the settings of the environment: `HF_HUB_CACHE` or `HF_HOME` (else the user's
    /// cache folder), `HF_ENDPOINT`, `HF_TOKEN` (else the file of a login),
    /// `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE`. Paths may have variables, such as `$HOME/hub`.
    ///
    /// # Errors
    ///
    /// When no variable sets a folder for the cache and there is no home directory.
    pub fn from_env() -> Result<Self> {
        Self::from_variables(
            |name| std::env::var(name).ok(),
            std::env::home_dir().as_deref(),
        )
    }

    /// Returns the settings of a set of variables; an empty one counts as unset.
    fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
        user_home: Option<&Path>,
    ) -> Result<Self> {
        let variable = |name: &str| {
            let value = variable(name)?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        let folder = |name| variable(name).map(|value| expand(&value, user_home, variable));
        let hub_home = folder("HF_HOME")
            .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("huggingface")))
            .or_else(|| user_home.map(|home| home.join(".cache").join("huggingface")));
        let cache = folder("HF_HUB_CACHE")
            .or_else(|| folder("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| hub_home.as_ref().map(|home| home.join("hub")))
            .ok_or_else(no_cache_folder)?;

        let given = variable("HF_TOKEN").or_else(|| variable("HUGGING_FACE_HUB_TOKEN"));
        let token = given.or_else(|| {
            let stored = folder("HF_TOKEN_PATH").or_else(|| Some(hub_home?.join("token")))?;
            let token = std::fs::read_to_string(stored).ok()?.trim().to_owned();
            (!token.is_empty()).then_some(token)
        });
        let mut offline = OFFLINE
            .iter()
            .filter_map(|name| Some((*name, variable(name)?)));
        let (offline_variable, offline) = offline.next().unwrap_or_default();
        let offline = ["1", "on", "yes", "true"].contains(&offline.to_ascii_lowercase().as_str());
        let defaults = Self::new(cache);
        Ok(Self {
            endpoint: variable("HF_ENDPOINT").unwrap_or(defaults.endpoint),
            token,
            offline,
            offline_variable: if offline {
                offline_variable
            } else {
                OFFLINE[0]
            },
            ..defaults
        })
    }
}

/// Returns the folder in which programs keep what they derive from the hub's files, as `huggingface_hub` has it; `None` without a
/// home directory.
#[cfg(feature = "datasets")]
pub(crate) fn assets_folder() -> Option<PathBuf> {
    let user_home = std::env::home_dir();
    let folder = |name| {
        let value = std::env::var(name)
            .ok()
            .filter(|value| !value.trim().is_empty())?;
        let variable = |name: &str| std::env::var(name).ok();
        Some(expand(value.trim(), user_home.as_deref(), variable))
    };
    let hub_home = || {
        folder("HF_HOME")
            .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("huggingface")))
            .or_else(|| Some(user_home.as_ref()?.join(".cache").join("huggingface")))
    };
    folder("HF_ASSETS_CACHE").or_else(|| Some(hub_home()?.join("assets")))
}

/// Expands `~` at the start of a path to the home directory, and then variables, as in Python.
fn expand(
    path: &str,
    user_home: Option<&Path>,
    variable: impl Fn(&str) -> Option<String>,
) -> PathBuf {
    let rest = path.strip_prefix('~');
    let below_home = rest.filter(|rest| rest.is_empty() || rest.starts_with(['/', '\\']));
    match (below_home, user_home) {
        (Some(rest), Some(home)) => {
            let rest = expand_variables(rest, variable);
            home.join(rest.trim_start_matches(['/', '\\']))
        }
        _ => expand_variables(path, variable).into(),
    }
}

/// Replaces `$NAME` and `${NAME}` by the values of variables; unknown ones stay as they are written.
fn expand_variables(text: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        expanded.push_str(&rest[..start]);
        let behind = &rest[start + 1..];
        let braced = behind
            .strip_prefix('{')
            .and_then(|open| open.split_once('}'));
        let (name, length) = braced.map_or_else(
            || {
                let is_end = |letter: char| !letter.is_ascii_alphanumeric() && letter != '_';
                let length = behind.find(is_end).unwrap_or(behind.len());
                (&behind[..length], length)
            },
            |(name, _)| (name, name.len() + 2),
        );
        match variable(name).filter(|_| !name.is_empty()) {
            Some(value) => expanded.push_str(&value),
            None => expanded.push_str(&rest[start..=start + length]),
        }
        rest = &behind[length..];
    }
    expanded + rest
}

/// Returns the error of settings without a folder for the cache.
fn no_cache_folder() -> anyhow::Error {
    error_with_hint(
        "no folder for downloads: there is no home directory",
        "set HF_HOME or HF_HUB_CACHE to a folder",
    )
}

/// The token stays out of logs and panics.
impl std::fmt::Debug for HubSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("HubSettings")
            .field("cache", &self.cache)
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| ".."))
            .field("offline", &self.offline)
            .field("offline_variable", &self.offline_variable)
            .field("stall_timeout", &self.stall_timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> HubSettings {
        HubSettings::from_variables(
            |name| {
                let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
                Some((*value).to_owned())
            },
            Some(Path::new("/home/ada")),
        )
        .unwrap()
    }

    #[test]
    fn the_cache_is_where_python_keeps_it() {
        for (variables, cache) in [
            (&[][..], "/home/ada/.cache/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/c")], "/c/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/c"), ("HF_HOME", "/h")], "/h/hub"),
            (&[("HF_HOME", "~/h")], "/home/ada/h/hub"),
            (
                &[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/elsewhere")],
                "/elsewhere",
            ),
            (&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "")], "/h/hub"),
            // Variables are expanded once; unknown ones and a lone sign stay.
            (&[("HF_HUB_CACHE", "$MYC"), ("MYC", "/m")], "/m"),
            (
                &[("HF_HUB_CACHE", "${MYC}x/$MYC/y"), ("MYC", "/m")],
                "/mx//m/y",
            ),
            (
                &[("HF_HOME", "~/$USER/h"), ("USER", "ada")],
                "/home/ada/ada/h/hub",
            ),
            (
                &[("XDG_CACHE_HOME", "$A"), ("A", "/$B"), ("B", "b")],
                "/$B/huggingface/hub",
            ),
            (
                &[("HF_HUB_CACHE", "/$NONE/${NONE}/${x/$/$$")],
                "/$NONE/${NONE}/${x/$/$$",
            ),
        ] {
            assert_eq!(settings(variables).cache, Path::new(cache), "{variables:?}");
        }
    }

    #[test]
    fn without_any_folder_the_error_names_the_variables() {
        let error = HubSettings::from_variables(|_| None, None).unwrap_err();
        assert!(
            crate::error::hint_of(&error)
                .unwrap()
                .to_string()
                .contains("HF_HUB_CACHE")
        );
    }

    #[test]
    fn offline_mode_has_four_spellings_in_any_case() {
        for value in ["1", "on", "ON", "yes", "Yes", "true", "TRUE", " 1 "] {
            assert!(settings(&[("HF_HUB_OFFLINE", value)]).offline, "{value}");
        }
        for value in ["", "0", "off", "no", "false", "2"] {
            assert!(!settings(&[("HF_HUB_OFFLINE", value)]).offline, "{value}");
        }
        assert!(!settings(&[]).offline);
    }

    #[test]
    fn the_variable_of_transformers_forbids_requests_where_the_hubs_is_not_set() {
        for (hub, transformers, expected) in [
            ("", "1", Some("TRANSFORMERS_OFFLINE")),
            ("1", "", Some("HF_HUB_OFFLINE")),
            ("1", "0", Some("HF_HUB_OFFLINE")),
            // As in Python, where any text is true.
            ("0", "1", None),
            ("", "0", None),
        ] {
            let variables = [
                ("HF_HUB_OFFLINE", hub),
                ("TRANSFORMERS_OFFLINE", transformers),
            ];
            let settings = settings(&variables);
            let by = settings.offline.then_some(settings.offline_variable);
            assert_eq!(by, expected, "{variables:?}");
        }
    }

    #[test]
    fn the_token_comes_from_its_variable_or_from_the_file_of_a_login() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("token"), "hf_stored\n").unwrap();
        let stored = ("HF_HOME", home.path().to_str().unwrap());
        assert_eq!(settings(&[stored]).token.as_deref(), Some("hf_stored"));
        let given = ("HF_TOKEN", "hf_given\n");
        assert_eq!(
            settings(&[stored, given]).token.as_deref(),
            Some("hf_given")
        );
        let older = ("HUGGING_FACE_HUB_TOKEN", "hf_older");
        assert_eq!(
            settings(&[stored, older]).token.as_deref(),
            Some("hf_older")
        );
        assert_eq!(settings(&[older, given]).token.as_deref(), Some("hf_given"));
        assert_eq!(settings(&[("HF_HOME", "/nowhere")]).token, None);
    }

    #[test]
    fn the_endpoint_is_the_public_hub_unless_another_is_named() {
        assert_eq!(settings(&[]).endpoint, "https://huggingface.co");
        let mirror = [("HF_ENDPOINT", "http://127.0.0.1:8080/")];
        assert_eq!(settings(&mirror).endpoint, "http://127.0.0.1:8080/");
    }

    #[test]
    fn the_token_is_not_printed() {
        let shown = format!("{:?}", settings(&[("HF_TOKEN", "hf_secret")]));
        assert!(!shown.contains("hf_secret"), "{shown}");
    }
}
