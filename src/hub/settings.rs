//! The settings of the hub from the environment, with the variables that `huggingface_hub` documents
//! (<https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables>).

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::error::error_with_hint;

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
            stall_timeout: Duration::from_secs(30),
        }
    }

    /// Returns the settings of the environment: `HF_HUB_CACHE` or `HF_HOME` (else the user's
    /// cache folder), `HF_ENDPOINT`, `HF_TOKEN` (else the file of a login),
    /// `HF_HUB_OFFLINE`.
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
        let variable = |name| {
            let value = variable(name)?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        let folder = |name| variable(name).map(|value| below_home(&value, user_home));
        let hub_home = folder("HF_HOME")
            .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("huggingface")))
            .or_else(|| user_home.map(|home| home.join(".cache").join("huggingface")));
        let cache = folder("HF_HUB_CACHE")
            .or_else(|| folder("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| hub_home.as_ref().map(|home| home.join("hub")))
            .ok_or_else(no_cache_folder)?;

        let token = variable("HF_TOKEN").or_else(|| {
            let stored = folder("HF_TOKEN_PATH").or_else(|| Some(hub_home?.join("token")))?;
            let token = std::fs::read_to_string(stored).ok()?.trim().to_owned();
            (!token.is_empty()).then_some(token)
        });
        let offline = variable("HF_HUB_OFFLINE").is_some_and(|value| {
            ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str())
        });
        let defaults = Self::new(cache);
        Ok(Self {
            endpoint: variable("HF_ENDPOINT").unwrap_or(defaults.endpoint),
            token,
            offline,
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
        Some(below_home(value.trim(), user_home.as_deref()))
    };
    let hub_home = || {
        folder("HF_HOME")
            .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("huggingface")))
            .or_else(|| Some(user_home.as_ref()?.join(".cache").join("huggingface")))
    };
    folder("HF_ASSETS_CACHE").or_else(|| Some(hub_home()?.join("assets")))
}

/// Expands `~` at the start of a path to the home directory, as in Python.
fn below_home(path: &str, user_home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix('~'), user_home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with(['/', '\\']) => {
            home.join(rest.trim_start_matches(['/', '\\']))
        }
        _ => PathBuf::from(path),
    }
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
