//! The files that belong to a model: its weights, and the configuration beside them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{
    fetch::Fetch,
    folders::{WEIGHTS, in_folder, refuse_state, run_folder},
    source::Source,
};
use crate::error::{error_with_hint, hint_of, one_line};
use crate::run_dir::MODEL_CONFIG;
use crate::weights::{
    config::{Configuration, detect},
    format::file::WeightsFile,
};

/// The model embedded in the binary: the last epoch of the run of `models/sample/recipe.toml`.
const SAMPLE: &[u8] = include_bytes!("../../../models/sample/model.safetensors");
const PREPROCESSOR: &str = "preprocessor_config.json";

/// The location of a model's files.
pub struct Place<'a> {
    /// Display name of the model.
    pub name: String,
    /// The argument, if it could also be a path and no file or folder of that name exists.
    no_path: Option<String>,
    hub: &'a dyn Fetch,
    kind: Kind,
}

enum Kind {
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
pub enum Part {
    /// On disk.
    Path(PathBuf),
    /// Embedded in the binary.
    Inside(&'static [u8]),
}

impl Part {
    /// Opens the file.
    pub fn open(&self) -> Result<WeightsFile> {
        match self {
            Self::Path(path) => WeightsFile::open(path),
            Self::Inside(bytes) => WeightsFile::inside(bytes),
        }
    }
}

/// The weights of a model as files.
pub struct Files {
    /// The files; more than one if the weights are sharded.
    pub parts: Vec<Part>,
    /// Name of the files in error messages.
    pub shown: String,
}

impl<'a> Place<'a> {
    /// Finds the location of the model given as MODEL.
    pub fn find(written: &str, hub: &'a dyn Fetch) -> Result<Self> {
        let name = |repository: &str, revision: &Option<String>, file: &Option<String>| {
            let revision = revision.iter().map(|revision| format!("@{revision}"));
            let file = file.iter().map(|file| format!("/{file}"));
            revision
                .chain(file)
                .fold(repository.to_owned(), |name, part| name + &part)
        };
        Ok(match Source::parse(written)? {
            Source::Sample => Self {
                name: written.to_owned(),
                no_path: None,
                hub,
                kind: Kind::Sample,
            },
            Source::Path(path) => Self {
                name: written.to_owned(),
                no_path: None,
                hub,
                kind: if path.is_dir() {
                    Kind::Local {
                        folder: run_folder(path),
                        file: None,
                    }
                } else {
                    refuse_state(&path)?;
                    Kind::Local {
                        folder: path.parent().unwrap_or(Path::new("")).to_owned(),
                        file: Some(path),
                    }
                },
            },
            Source::Hub {
                repository,
                revision,
                file,
            } => Self {
                name: name(&repository, &revision, &file),
                no_path: (written.contains('/') && revision.is_none()).then(|| written.to_owned()),
                hub,
                kind: Kind::Hub {
                    repository,
                    revision,
                    file,
                },
            },
        })
    }

    /// Returns true if the model is a repository on the hub, whose weights may have to be downloaded.
    pub fn is_hub(&self) -> bool {
        matches!(self.kind, Kind::Hub { .. })
    }

    /// Reads the configuration beside the weights; `None` if absent.
    pub fn configuration(&self) -> Result<Option<Configuration>> {
        let config = self
            .beside(MODEL_CONFIG)
            .map_err(|error| self.after_no_path(error))?;
        let Some(config) = config else {
            return Ok(None);
        };
        detect::read(&config, || self.beside(PREPROCESSOR))
    }

    /// Returns the weights; those on the hub are downloaded.
    pub fn weights(&self) -> Result<Files> {
        match &self.kind {
            Kind::Sample => Ok(Files {
                shown: self.name.clone(),
                parts: vec![Part::Inside(SAMPLE)],
            }),
            Kind::Local {
                file: Some(file), ..
            } => Ok(Files {
                shown: file.display().to_string(),
                parts: vec![Part::Path(file.clone())],
            }),
            Kind::Local { folder, file: None } => {
                let chosen = in_folder(folder)?;
                let shown = folder.join(&chosen).display().to_string();
                self.parts(&chosen, shown)
            }
            Kind::Hub {
                repository,
                revision,
                file,
            } => {
                let shown = self.name.clone();
                if let Some(file) = file {
                    let path = self.hub.file(repository, revision.as_deref(), file)?;
                    return Ok(Files {
                        parts: vec![Part::Path(path)],
                        shown,
                    });
                }
                for name in WEIGHTS {
                    let path = self
                        .hub
                        .optional_file(repository, revision.as_deref(), name)?;
                    if path.is_some() {
                        return self.parts(name, shown);
                    }
                }
                if self.hub.is_offline() {
                    // The error that says so.
                    self.hub
                        .file(repository, revision.as_deref(), WEIGHTS[0])
                        .map_err(|error| self.after_no_path(error))?;
                }
                Err(error_with_hint(
                    format!(
                        "repository `{shown}` has no weights: neither `model.safetensors` nor `pytorch_model.bin`"
                    ),
                    format!("name one of its files, as in `{repository}/FILE.safetensors`"),
                ))
            }
        }
    }

    /// Puts what may have been meant as a path before the hub's `error`.
    fn after_no_path(&self, error: anyhow::Error) -> anyhow::Error {
        let Some(written) = &self.no_path else {
            return error;
        };
        let other = hint_of(&error).map_or(String::new(), |hint| {
            format!("; if it is a hub repository, {hint}")
        });
        error_with_hint(
            format!(
                "there is no file or folder `{written}`, and as a hub repository: {}",
                one_line(&error)
            ),
            format!("if it is a path, correct it{other}"),
        )
    }

    /// Returns the file `name` beside the weights, if present.
    fn beside(&self, name: &str) -> Result<Option<PathBuf>> {
        match &self.kind {
            Kind::Sample => Ok(None),
            Kind::Local { folder, .. } => {
                let path = folder.join(name);
                Ok(path.is_file().then_some(path))
            }
            Kind::Hub {
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
    fn parts(&self, name: &str, shown: String) -> Result<Files> {
        let path = |name: &str| match &self.kind {
            Kind::Sample => bail!("the bundled model has one part"),
            Kind::Local { folder, .. } => Ok(folder.join(name)),
            Kind::Hub {
                repository,
                revision,
                ..
            } => self.hub.file(repository, revision.as_deref(), name),
        };
        let first = path(name)?;
        if !name.ends_with(".index.json") {
            return Ok(Files {
                parts: vec![Part::Path(first)],
                shown,
            });
        }
        let read = || -> Result<BTreeSet<String>> {
            let index = detect::json(&first)?;
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
                    format!("cannot load weights `{shown}`: its part `{part}` is missing"),
                    format!("put it beside `{name}`"),
                ));
            }
            paths.push(Part::Path(path));
        }
        Ok(Files {
            parts: paths,
            shown,
        })
    }
}
