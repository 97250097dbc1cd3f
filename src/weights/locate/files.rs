//! The files that belong to a model: its weights, and the configuration beside them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{
    fetch::Fetch,
    folders::{WEIGHTS, ensure_not_run_state, find_weights, resolve_run_folder},
    source::ModelSource,
};
use crate::error::{Error, WithKind, error_with_hint, hint_of, message_of};
use crate::message;
use crate::run_dir::MODEL_CONFIG;
use crate::weights::{
    config::{Configuration, detect},
    format::file::WeightsFile,
};

/// The model embedded in the binary: the last epoch of the run of `models/sample/recipe.toml`.
const SAMPLE: &[u8] = include_bytes!("../../../models/sample/model.safetensors");
const PREPROCESSOR: &str = "preprocessor_config.json";

/// The location of a model's files.
pub struct ModelLocation<'a> {
    /// Display name of the model.
    pub name: String,
    /// The argument, if it could also be a path and no file or folder of that name exists.
    possible_path: Option<String>,
    hub: &'a dyn Fetch,
    kind: LocationKind,
}

enum LocationKind {
    /// The model embedded in the binary.
    Sample,
    /// A folder, and one file in it if that was named.
    Local {
        folder: PathBuf,
        file: Option<PathBuf>,
    },
    /// A repository on the hub, and one file in it if that was named.
    Hub {
        repository: String,
        revision: Option<String>,
        file: Option<String>,
    },
}

/// A file of weights.
pub enum WeightsPart {
    /// On disk.
    Path(PathBuf),
    /// Embedded in the binary.
    Embedded(&'static [u8]),
}

impl WeightsPart {
    /// Opens the file.
    pub fn open(&self) -> Result<WeightsFile> {
        match self {
            Self::Path(path) => WeightsFile::open(path),
            Self::Embedded(bytes) => WeightsFile::open_embedded(bytes),
        }
    }
}

/// The weights of a model as files.
pub struct WeightsFiles {
    /// The files; more than one if the weights are sharded.
    pub parts: Vec<WeightsPart>,
    /// Name of the files in error messages.
    pub display_name: String,
}

impl<'a> ModelLocation<'a> {
    /// Finds the location of the model given as MODEL.
    pub fn find(argument: &str, hub: &'a dyn Fetch) -> Result<Self> {
        let name = |repository: &str, revision: &Option<String>, file: &Option<String>| {
            let revision = revision.iter().map(|revision| format!("@{revision}"));
            let file = file.iter().map(|file| format!("/{file}"));
            revision
                .chain(file)
                .fold(repository.to_owned(), |name, part| name + &part)
        };
        Ok(match ModelSource::parse(argument)? {
            ModelSource::Sample => Self {
                name: argument.to_owned(),
                possible_path: None,
                hub,
                kind: LocationKind::Sample,
            },
            ModelSource::Path(path) => Self {
                name: argument.to_owned(),
                possible_path: None,
                hub,
                kind: if path.is_dir() {
                    LocationKind::Local {
                        folder: resolve_run_folder(path),
                        file: None,
                    }
                } else {
                    ensure_not_run_state(&path)?;
                    LocationKind::Local {
                        folder: path.parent().unwrap_or(Path::new("")).to_owned(),
                        file: Some(path),
                    }
                },
            },
            ModelSource::Hub {
                repository,
                revision,
                file,
            } => Self {
                name: name(&repository, &revision, &file),
                possible_path: (argument.contains('/') && revision.is_none())
                    .then(|| argument.to_owned()),
                hub,
                kind: LocationKind::Hub {
                    repository,
                    revision,
                    file,
                },
            },
        })
    }

    /// Returns true if the model is a repository on the hub, whose weights may have to be downloaded.
    pub fn is_hub(&self) -> bool {
        matches!(self.kind, LocationKind::Hub { .. })
    }

    /// Reads the configuration beside the weights; `None` if absent.
    pub fn read_configuration(&self) -> Result<Option<Configuration>> {
        let config = self
            .find_beside(MODEL_CONFIG)
            .map_err(|error| self.explain_as_path(error))?;
        let Some(config) = config else {
            return Ok(None);
        };
        detect::read_config(&config, || self.find_beside(PREPROCESSOR))
    }

    /// Returns the weights; those on the hub are downloaded.
    pub fn resolve_weights(&self) -> Result<WeightsFiles> {
        match &self.kind {
            LocationKind::Sample => Ok(WeightsFiles {
                display_name: self.name.clone(),
                parts: vec![WeightsPart::Embedded(SAMPLE)],
            }),
            LocationKind::Local {
                file: Some(file), ..
            } => Ok(WeightsFiles {
                display_name: file.display().to_string(),
                parts: vec![WeightsPart::Path(file.clone())],
            }),
            LocationKind::Local { folder, file: None } => {
                let chosen = find_weights(folder)?;
                let display_name = folder.join(&chosen).display().to_string();
                self.resolve_parts(&chosen, display_name)
            }
            LocationKind::Hub {
                repository,
                revision,
                file,
            } => {
                let display_name = self.name.clone();
                if let Some(file) = file {
                    let path = self.hub.file(repository, revision.as_deref(), file)?;
                    return Ok(WeightsFiles {
                        parts: vec![WeightsPart::Path(path)],
                        display_name,
                    });
                }
                for name in WEIGHTS {
                    let path = self
                        .hub
                        .optional_file(repository, revision.as_deref(), name)?;
                    if path.is_some() {
                        return self.resolve_parts(name, display_name);
                    }
                }
                if self.hub.is_offline() {
                    // The error that says so.
                    self.hub
                        .file(repository, revision.as_deref(), WEIGHTS[0])
                        .map_err(|error| self.explain_as_path(error))?;
                }
                Err(error_with_hint(
                    format!(
                        "repository `{display_name}` has no weights: neither `model.safetensors` nor `pytorch_model.bin`"
                    ),
                    format!("name one of its files, as in `{repository}/FILE.safetensors`"),
                ))
            }
        }
    }

    /// Puts what may have been meant as a path before the hub's `error`.
    fn explain_as_path(&self, error: anyhow::Error) -> anyhow::Error {
        let Some(argument) = &self.possible_path else {
            return error;
        };
        let message = message![
            format!("there is no file or folder `{argument}`, and as a hub repository: "),
            message_of(&error)
        ];
        let hint = "if it is a path, correct it";
        let hint = hint_of(&error).map_or_else(
            || message![hint],
            |other| message![hint, "; if it is a hub repository, ", other],
        );
        error_with_hint(message, hint).with_kind(Error::ModelNotFound)
    }

    /// Returns the file `name` beside the weights, if present.
    fn find_beside(&self, name: &str) -> Result<Option<PathBuf>> {
        match &self.kind {
            LocationKind::Sample => Ok(None),
            LocationKind::Local { folder, .. } => {
                let path = folder.join(name);
                Ok(path.is_file().then_some(path))
            }
            LocationKind::Hub {
                repository,
                revision,
                file,
            } => {
                let folder = file.as_ref().and_then(|file| file.rsplit_once('/'));
                let name = match folder {
                    Some((folder, _)) => format!("{folder}/{name}"),
                    None => name.to_owned(),
                };
                self.hub
                    .optional_file(repository, revision.as_deref(), &name)
            }
        }
    }

    /// Returns the weights in the file `name`, or the parts that it indexes.
    fn resolve_parts(&self, name: &str, display_name: String) -> Result<WeightsFiles> {
        let path = |name: &str| match &self.kind {
            LocationKind::Sample => bail!("the bundled model has one part"),
            LocationKind::Local { folder, .. } => Ok(folder.join(name)),
            LocationKind::Hub {
                repository,
                revision,
                ..
            } => self.hub.file(repository, revision.as_deref(), name),
        };
        let first = path(name)?;
        if !name.ends_with(".index.json") {
            return Ok(WeightsFiles {
                parts: vec![WeightsPart::Path(first)],
                display_name,
            });
        }
        let read = || -> Result<BTreeSet<String>> {
            let index = detect::read_json(&first)?;
            let map = index["weight_map"]
                .as_object()
                .context("`weight_map` is missing")?;
            let parts: BTreeSet<String> = map
                .values()
                .map(|part| part.as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .context("`weight_map` holds a value that is not a file name")?;
            if let Some(part) = parts
                .iter()
                .find(|part| part.contains(['/', '\\', ':']) || part.starts_with('.'))
            {
                bail!("`weight_map` names `{part}`, which is not beside it");
            }
            Ok(parts)
        };
        let parts = read().map_err(|error| match hint_of(&error) {
            Some(_) => error,
            None => error_with_hint(
                format!("cannot read `{}`: {error:#}", first.display()),
                "download the index and its parts again, from the same revision",
            ),
        })?;
        let mut paths = Vec::with_capacity(parts.len());
        for part in parts {
            let path = path(&part)?;
            if !path.is_file() {
                return Err(error_with_hint(
                    format!("cannot load weights `{display_name}`: its part `{part}` is missing"),
                    format!("put it beside `{name}`"),
                ));
            }
            paths.push(WeightsPart::Path(path));
        }
        Ok(WeightsFiles {
            parts: paths,
            display_name,
        })
    }
}
