//! The names in a request, which are checked before they become paths or addresses.

use anyhow::Result;

use crate::error::error_with_hint;

/// The kind of a repository, with its own names, addresses and cache folders on the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RepoKind {
    Model,
    Dataset,
}

impl RepoKind {
    /// Returns the prefix of its folder in the cache.
    pub fn cache_prefix(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
        }
    }

    /// Returns the prefix of its name in an address.
    pub fn url_prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
        }
    }

    /// Returns its name in messages.
    #[cfg(feature = "hub")]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Model => "repository",
            Self::Dataset => "dataset",
        }
    }

    /// Returns the hint for work without the hub.
    pub fn offline_hint(self) -> &'static str {
        match self {
            Self::Model => "pass a local file",
            Self::Dataset => {
                "download the files by other means and pass their folder as `cifar10:DIR` or `parquet:DIR`, or use `sample`"
            }
        }
    }
}

/// The caller's need of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Optional,
}

/// A file of a revision of a repository, with names that are safe in paths.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileRequest<'a> {
    /// The kind of the repository.
    pub kind: RepoKind,
    /// `org/name`, or `name` for the few repositories without an owner.
    pub repo: &'a str,
    /// A branch, a tag or a commit hash.
    pub revision: &'a str,
    /// The path in the repository, with `/`.
    pub file: &'a str,
}

impl<'a> FileRequest<'a> {
    /// Checks the names; the default revision is `main`.
    pub fn new(
        kind: RepoKind,
        repo: &'a str,
        revision: Option<&'a str>,
        file: &'a str,
    ) -> Result<Self> {
        if !is_repository(repo) {
            return Err(error_with_hint(
                format!("`{repo}` is not the name of a repository"),
                "a hub name is `org/name`, of letters, digits, `-`, `_` and `.`",
            ));
        }
        let revision = revision.unwrap_or("main");
        if !is_relative_path(revision) {
            return Err(error_with_hint(
                format!("`{revision}` is not the name of a revision of `{repo}`"),
                "a revision is a branch, a tag or a commit hash",
            ));
        }
        if !is_relative_path(file) {
            return Err(error_with_hint(
                format!("`{file}` is not the name of a file in `{repo}`"),
                "name a file as the repository's page lists it, such as `model.safetensors`",
            ));
        }
        Ok(Self {
            kind,
            repo,
            revision,
            file,
        })
    }

    /// Returns the owner, or an empty string, and the name.
    #[cfg(feature = "hub")]
    pub fn owner_and_name(&self) -> (&'a str, &'a str) {
        self.repo.split_once('/').unwrap_or(("", self.repo))
    }
}

/// Returns true if the name follows the hub's rules for repositories.
fn is_repository(repo: &str) -> bool {
    let parts: Vec<&str> = repo.split('/').collect();
    parts.len() <= 2
        && parts.iter().all(|part| is_repository_part(part))
        && !repo.contains("--")
        && !repo.contains("..")
        && repo.strip_suffix(".git").is_none()
}

fn is_repository_part(part: &str) -> bool {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    (1..=96).contains(&part.len())
        && part
            .chars()
            .all(|letter| is_word(letter) || letter == '-' || letter == '.')
        && part.starts_with(is_word)
        && part.ends_with(is_word)
}

/// Returns true if the path, joined to a folder, stays in that folder on every system.
fn is_relative_path(path: &str) -> bool {
    path.split('/')
        .all(|part| !part.is_empty() && part != "." && part != "..")
        && !path
            .chars()
            .any(|letter| letter.is_control() || r#"\:*?"<>|"#.contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(
        repo: &'a str,
        revision: Option<&'a str>,
        file: &'a str,
    ) -> Result<FileRequest<'a>> {
        FileRequest::new(RepoKind::Model, repo, revision, file)
    }

    #[test]
    fn valid_hub_names_are_accepted() {
        for repo in [
            "timm/resnet50.a1_in1k",
            "microsoft/resnet-50",
            "gpt2",
            "_a/b_",
        ] {
            assert!(request(repo, None, "config.json").is_ok(), "{repo}");
        }
        for revision in ["main", "refs/pr/1", "v1.0", "feature/x"] {
            assert!(request("org/name", Some(revision), "a/b.safetensors").is_ok());
        }
    }

    #[test]
    fn invalid_names_and_paths_outside_the_cache_are_rejected() {
        let long = "n".repeat(97);
        for repo in [
            "",
            "/",
            "org/",
            "/name",
            "../name",
            "org/..",
            "org/a..b",
            "a/b/c",
            "org/na me",
            "org/na\\me",
            "org/-name",
            "org/name-",
            "org/.name",
            "org/a--b",
            "org/name.git",
            "örg/name",
            "org/name\n",
            "org/na%2Fme",
            &long,
        ] {
            let error = request(repo, None, "config.json").unwrap_err();
            assert!(error.to_string().contains("repository"), "{repo}: {error}");
        }
        for path in [
            "", "/etc", "..", "a/../b", "a//b", "./a", "a/", r"a\b", "c:a", "a\0",
        ] {
            assert!(request("org/name", Some(path), "a").is_err(), "{path}");
            assert!(request("org/name", None, path).is_err(), "{path}");
        }
    }
}
