//! Parsing of the MODEL argument: a path, a repository on the hub, or a short name.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::default_tags::{DEFAULT_TAGS, default_tag};
use super::folders::{WEIGHTS_EXTENSIONS, has_weights_extension, holds_model_or_run};
use super::similar::{describe_existing, suggest_folders};
use crate::{
    error::{Error, WithKind, command, error_with_hint, setting},
    message,
    model::{ModelConfig, config::canonical_name},
    weights::config::timm::timm_architecture,
};

/// Returns the short names of the hub's models, each with its repository and its network.
pub fn named_models() -> impl Iterator<Item = (&'static str, String, ModelConfig)> {
    DEFAULT_TAGS.into_iter().filter_map(|(name, tag)| {
        let config = timm_architecture(name)?;
        Some((name, format!("timm/{name}.{tag}"), config))
    })
}

/// The source of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// The model embedded in the binary.
    Sample,
    /// A file or a folder.
    Path(PathBuf),
    /// A repository on the hub.
    Hub {
        /// `org/name`.
        repository: String,
        /// A branch, tag or commit; `None` for the main branch.
        revision: Option<String>,
        /// One file of the repository.
        file: Option<String>,
    },
}

impl ModelSource {
    /// Parses `argument`; an existing path takes precedence over a name on the hub.
    ///
    /// # Errors
    /// If it is neither a path nor a possible name.
    pub fn parse(argument: &str) -> Result<Self> {
        let source = Self::parse_with(argument, Path::exists);
        let may_be_a_path = match &source {
            Ok(Self::Hub { revision, .. }) => revision.is_none() && argument.contains('/'),
            Ok(Self::Sample | Self::Path(_)) => false,
            Err(_) => true,
        };
        let source = match suggest_path(argument).filter(|_| may_be_a_path) {
            Some(error) => Err(error),
            None => source,
        };
        source.with_kind(Error::ModelNotFound)
    }

    /// Implements [`ModelSource::parse`], with `exists` for the file system.
    fn parse_with(argument: &str, exists: impl Fn(&Path) -> bool) -> Result<Self> {
        let path = Path::new(argument);
        if argument == "sample" {
            return Ok(Self::Sample);
        }
        if argument.is_empty() {
            bail!("the model's name is empty");
        }
        if exists(path) {
            return Ok(Self::Path(path.to_owned()));
        }
        if argument.contains("://") {
            return Err(error_with_hint(
                format!("`{argument}` is a URL, not a model"),
                "pass the hub repository as `org/name`, or download the file and pass its path",
            ));
        }
        let components = argument.split('/').count();
        let is_file = has_weights_extension(argument) || has_file_extension(argument);
        let cannot_be_a_name = argument.contains('\\')
            || path.is_absolute()
            || argument.starts_with(['.', '~'])
            || (is_file && components < 3 && !argument.contains('@'));
        if cannot_be_a_name {
            return Err(missing_path_error(argument));
        }
        match argument.split_once('/') {
            None => parse_short_name(argument),
            Some((organization, rest)) => parse_hub_name(argument, organization, rest),
        }
    }
}

/// Returns true if `file` has an extension of files that hold weights or are mistaken for them, in upper or lower case.
fn has_file_extension(file: &str) -> bool {
    let extension = Path::new(file)
        .extension()
        .and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| {
        WEIGHTS_EXTENSIONS
            .iter()
            .chain(&[
                "ckpt", "tar", "zip", "gz", "h5", "onnx", "gguf", "npz", "pkl", "json",
            ])
            .any(|known| known.eq_ignore_ascii_case(extension))
    })
}

fn missing_path_error(argument: &str) -> anyhow::Error {
    error_with_hint(
        format!("cannot load weights `{argument}`: no such file or folder"),
        "pass an existing file or folder, a name such as `resnet50`, or a hub repository as `org/name`",
    )
}

/// Returns the error for a path that does not exist below a folder that holds models: it lists them, and how to name a
/// repository on the hub with the name of the folder.
fn suggest_path(argument: &str) -> Option<anyhow::Error> {
    let path = Path::new(argument);
    let around = path.ancestors().skip(1).find(|folder| folder.is_dir())?;
    let missing = path.strip_prefix(around).ok()?.iter().next()?;
    if around == Path::new("/") {
        return None;
    }
    let models = suggest_folders(around, missing, holds_model_or_run);
    if models.is_empty() {
        return None;
    }
    let message = format!(
        "cannot load weights `{argument}`: there is no `{}` in `{}`",
        missing.to_string_lossy(),
        around.display()
    );
    let hub = match argument.split('/').collect::<Vec<_>>()[..] {
        [_, _] if !path.is_absolute() => format!("; `{argument}@main` is the hub repository"),
        _ => String::new(),
    };
    Some(error_with_hint(
        message,
        format!("{}{hub}", describe_existing(&models)),
    ))
}

/// Parses `resnet50`, `resnet50.tag` and either with `@revision`.
fn parse_short_name(argument: &str) -> Result<ModelSource> {
    let (name, revision) = match argument.split_once('@') {
        Some((name, revision)) => (name, Some(revision)),
        None => (argument, None),
    };
    let (base, tag) = match name.split_once('.') {
        Some((base, tag)) => (base, Some(tag)),
        None => (name, None),
    };
    let today = canonical_name(base);
    let tag = today.and_then(|today| tag.or_else(|| default_tag(base, today)));
    let (Some(today), Some(tag)) = (today, tag) else {
        return Err(suggest_model(base));
    };
    let repository = format!("timm/{today}.{tag}");
    build_hub_source(argument, repository, revision.map(str::to_owned), None)
}

fn suggest_model(name: &str) -> anyhow::Error {
    let message = format!("there is no model `{name}`");
    if let Some(known) = canonical_name(name) {
        return error_with_hint(
            message,
            message![
                "there are no weights of this network on the hub: train one with `",
                command("train").with(setting("arch").to(known)),
                "`"
            ],
        );
    }
    let lower = name.to_lowercase();
    let known = DEFAULT_TAGS.map(|(name, _)| name).into_iter();
    let nearest = known
        .chain(["sample"])
        .map(|known| (strsim::levenshtein(&lower, known), known))
        .min();
    let hint = match nearest {
        Some((0..=3, known)) => format!("did you mean `{known}`?"),
        _ => "pass a path, a name such as `resnet50`, or a hub repository as `org/name`".to_owned(),
    };
    error_with_hint(message, hint)
}

/// Parses `name`, `name@revision`, `name/file` and `name@revision/file` in `organization`.
fn parse_hub_name(argument: &str, organization: &str, rest: &str) -> Result<ModelSource> {
    let (name, revision, file) = match rest.split_once('@') {
        None => match rest.split_once('/') {
            None => (rest, None, None),
            Some((name, file)) => (name, None, Some(file)),
        },
        Some((name, rest)) => {
            // A revision has no slash, but for the hub's `refs/pr/1` and `refs/convert/parquet`.
            let slash = if rest.starts_with("refs/") { 3 } else { 1 };
            match rest.match_indices('/').nth(slash - 1) {
                None => (name, Some(rest), None),
                Some((end, _)) => (name, Some(&rest[..end]), Some(&rest[end + 1..])),
            }
        }
    };
    if file.is_some_and(|file| !has_weights_extension(file)) {
        return Err(missing_path_error(argument));
    }
    build_hub_source(
        argument,
        format!("{organization}/{name}"),
        revision.map(str::to_owned),
        file.map(str::to_owned),
    )
}

/// Returns the source if its parts consist of characters that the hub allows and do not leave the repository.
fn build_hub_source(
    argument: &str,
    repository: String,
    revision: Option<String>,
    file: Option<String>,
) -> Result<ModelSource> {
    let parts = repository.split('/');
    let plain = parts
        .chain(revision.iter().flat_map(|revision| revision.split('/')))
        .chain(file.iter().flat_map(|file| file.split('/')))
        .all(|part| {
            !part.is_empty()
                && !part.starts_with('.')
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte))
        });
    if !plain {
        return Err(missing_path_error(argument));
    }
    Ok(ModelSource::Hub {
        repository,
        revision,
        file,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::hint_of;

    fn parse(argument: &str) -> Result<ModelSource> {
        ModelSource::parse_with(argument, |path| path == Path::new("runs/one"))
    }

    fn repository(repository: &str, revision: Option<&str>, file: Option<&str>) -> ModelSource {
        ModelSource::Hub {
            repository: repository.to_owned(),
            revision: revision.map(str::to_owned),
            file: file.map(str::to_owned),
        }
    }

    #[test]
    fn every_short_name_has_an_architecture() {
        assert_eq!(named_models().count(), DEFAULT_TAGS.len());
    }

    #[test]
    fn every_form_of_the_argument_is_parsed() {
        for (argument, source) in [
            ("sample", ModelSource::Sample),
            ("runs/one", ModelSource::Path("runs/one".into())),
            ("resnet18", repository("timm/resnet18.a1_in1k", None, None)),
            ("resnet26", repository("timm/resnet26.bt_in1k", None, None)),
            (
                "resnext101_32x16d",
                repository("timm/resnext101_32x16d.fb_wsl_ig1b_ft_in1k", None, None),
            ),
            (
                "resnet152",
                repository("timm/resnet152.a1h_in1k", None, None),
            ),
            (
                "resnet50.tv2_in1k",
                repository("timm/resnet50.tv2_in1k", None, None),
            ),
            (
                "resnet50@v1",
                repository("timm/resnet50.a1_in1k", Some("v1"), None),
            ),
            (
                "microsoft/resnet-50",
                repository("microsoft/resnet-50", None, None),
            ),
            ("a/b@main", repository("a/b", Some("main"), None)),
            ("a/b@refs/pr/1", repository("a/b", Some("refs/pr/1"), None)),
            (
                "a/b@refs/pr/1/x.pth",
                repository("a/b", Some("refs/pr/1"), Some("x.pth")),
            ),
            (
                "a/b@0f1e/deep/x.safetensors",
                repository("a/b", Some("0f1e"), Some("deep/x.safetensors")),
            ),
            (
                "lmz/candle-resnet/resnet18.safetensors",
                repository("lmz/candle-resnet", None, Some("resnet18.safetensors")),
            ),
        ] {
            assert_eq!(parse(argument).unwrap(), source, "{argument}");
        }
    }

    #[test]
    fn a_path_that_exists_wins_over_a_name() {
        let everything = |_: &Path| true;
        assert_eq!(
            ModelSource::parse_with("resnet50", everything).unwrap(),
            ModelSource::Path("resnet50".into())
        );
        assert_eq!(
            ModelSource::parse_with("sample", everything).unwrap(),
            ModelSource::Sample
        );
    }

    #[test]
    fn an_argument_that_can_only_be_a_path_must_exist() {
        for argument in [
            "x.pth",
            "folder/x.safetensors",
            "x.ckpt",
            "folder/x.pth.tar",
            "X.PTH",
            "folder/X.SafeTensors",
            "./resnet50",
            "../a/b",
            "/a/b",
            "~/a",
            "a\\b",
            "a/b/c",
            "a/b/../c.pth",
            "a/b@",
            "a/",
            "a b/c",
            "a/b/x.txt",
        ] {
            assert_eq!(
                parse(argument).unwrap_err().to_string(),
                format!("cannot load weights `{argument}`: no such file or folder")
            );
        }
        assert!(parse("").is_err());
        assert!(
            parse("https://huggingface.co/a/b")
                .unwrap_err()
                .to_string()
                .contains("is a URL")
        );
    }

    #[test]
    fn a_misspelled_name_gets_a_suggestion() {
        for (argument, hint) in [
            ("resnet5", "did you mean `resnet50`?"),
            ("ResNet50", "did you mean `resnet50`?"),
            ("resnet-101", "did you mean `resnet101`?"),
            ("smaple", "did you mean `sample`?"),
            ("SAMPLE", "did you mean `sample`?"),
            (
                "vgg16bn_in1k",
                "pass a path, a name such as `resnet50`, or a hub repository as `org/name`",
            ),
            (
                "resnet56",
                "there are no weights of this network on the hub: train one with `train with arch = resnet56`",
            ),
        ] {
            let error = parse(argument).unwrap_err();
            assert_eq!(error.to_string(), format!("there is no model `{argument}`"));
            assert_eq!(hint_of(&error).unwrap().to_string(), hint, "{argument}");
        }
    }
}
