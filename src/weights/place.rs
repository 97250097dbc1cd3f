//! The files that belong to a model: its weights, and the configuration beside them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{
    Fetch,
    configuration::{self, Configuration},
    file::WeightsFile,
    source::{Source, has_weights_extension},
};
use crate::error::{hint_of, hinted, one_line};
use crate::words::shell_word;

/// Names of weights in a folder or repository, in the order of preference; an index names the parts of weights in parts.
const WEIGHTS: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];
/// The model inside the binary: the last epoch of the run of `models/sample/recipe.toml`.
const SAMPLE: &[u8] = include_bytes!("../../models/sample/model.safetensors");
const CONFIG: &str = "config.json";
/// All that a training run resumes from.
const STATE: &str = "state.safetensors";
const PREPROCESSOR: &str = "preprocessor_config.json";

/// Where a model's files are.
pub struct Place<'a> {
    /// The model's name, to be shown.
    pub name: String,
    /// What was written, where it reads as a path too: it was no file or folder.
    no_path: Option<String>,
    hub: &'a dyn Fetch,
    kind: Kind,
}

enum Kind {
    /// The model inside the binary.
    Sample,
    /// A folder, and one file in it where that was named.
    Local {
        folder: PathBuf,
        file: Option<PathBuf>,
    },
    /// A repository of the hub, and one file in it where that was named.
    Hub {
        repository: String,
        revision: Option<String>,
        file: Option<String>,
    },
}

/// A file of weights.
pub enum Part {
    /// On the disk.
    Path(PathBuf),
    /// In the binary.
    Inside(&'static [u8]),
}

impl Part {
    /// Opens it.
    pub fn open(&self) -> Result<WeightsFile> {
        match self {
            Self::Path(path) => WeightsFile::open(path),
            Self::Inside(bytes) => WeightsFile::inside(bytes),
        }
    }
}

/// A model's weights as files.
pub struct Files {
    /// The files, more than one where the weights are in parts.
    pub parts: Vec<Part>,
    /// What to call them in an error.
    pub shown: String,
}

impl<'a> Place<'a> {
    /// The place of what a user wrote as MODEL.
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

    /// Whether the model is a repository of the hub, whose weights may have to be downloaded.
    pub fn is_hub(&self) -> bool {
        matches!(self.kind, Kind::Hub { .. })
    }

    /// What the configuration beside the weights says; nothing where there is none.
    pub fn configuration(&self) -> Result<Option<Configuration>> {
        let config = self
            .beside(CONFIG)
            .map_err(|error| self.after_no_path(error))?;
        let Some(config) = config else {
            return Ok(None);
        };
        configuration::read(&config, || self.beside(PREPROCESSOR))
    }

    /// The weights; of the hub's they are downloaded.
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
                Err(hinted(
                    format!(
                        "repository `{shown}` has no weights: neither `model.safetensors` nor `pytorch_model.bin`"
                    ),
                    format!("name a file of it, as `{repository}/FILE.safetensors`"),
                ))
            }
        }
    }

    /// The hub's `error`, after that of what may have been meant for a path.
    fn after_no_path(&self, error: anyhow::Error) -> anyhow::Error {
        let Some(written) = &self.no_path else {
            return error;
        };
        let other = hint_of(&error).map_or(String::new(), |hint| {
            format!("; if it is the hub's, {hint}")
        });
        hinted(
            format!(
                "there is no file or folder `{written}`, and as a name of the hub: {}",
                one_line(&error)
            ),
            format!("if it is a path, correct it{other}"),
        )
    }

    /// The file `name` beside the weights, where there is one.
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

    /// The weights in the file `name`, or the parts of which it is the index.
    fn parts(&self, name: &str, shown: String) -> Result<Files> {
        let path = |name: &str| match &self.kind {
            Kind::Sample => bail!("the model inside the binary has one part"),
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
            let index = configuration::json(&first)?;
            let map = index["weight_map"]
                .as_object()
                .context("`weight_map` is missing")?;
            let parts: BTreeSet<String> = map
                .values()
                .map(|part| part.as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .context("`weight_map` holds something that is no file name")?;
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
            None => hinted(
                format!("cannot read `{}`: {error:#}", first.display()),
                "download the index and its parts again, from one revision",
            ),
        })?;
        let mut paths = Vec::with_capacity(parts.len());
        for part in parts {
            let path = path(&part)?;
            if !path.is_file() {
                return Err(hinted(
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

/// Whether `folder` is a training run's or a model's.
pub fn holds_model_or_run(folder: &Path) -> bool {
    holds_model(folder) || folder.join(STATE).is_file() || folder.join("best").is_dir()
}

fn holds_model(folder: &Path) -> bool {
    [CONFIG]
        .iter()
        .chain(&WEIGHTS)
        .any(|name| folder.join(name).is_file())
}

/// Refuses the state of a training run, which is more than a model.
///
/// # Errors
/// A file of that name in a run's folder.
fn refuse_state(file: &Path) -> Result<()> {
    let run = file.parent().unwrap_or(Path::new(""));
    let is_runs = run.join("config.toml").is_file() || run.join("last").is_dir();
    if file.file_name() != Some(STATE.as_ref()) || !is_runs {
        return Ok(());
    }
    Err(hinted(
        format!(
            "cannot load weights `{}`: it is the state of a training run, not a model",
            file.display()
        ),
        format!(
            "pass `{}`, its best model, or `{}`",
            run.join("best").display(),
            run.join("last").display()
        ),
    ))
}

/// The folder of the weights: of a training run its best model, or its last where nothing was evaluated yet.
fn run_folder(folder: PathBuf) -> PathBuf {
    if holds_model(&folder) {
        return folder;
    }
    ["best", "last"]
        .iter()
        .map(|name| folder.join(name))
        .find(|inner| holds_model(inner))
        .unwrap_or(folder)
}

/// The name of the weights in `folder`: one of the usual names, or the only file of weights.
fn in_folder(folder: &Path) -> Result<String> {
    if let Some(name) = WEIGHTS.iter().find(|name| folder.join(name).is_file()) {
        return Ok((*name).to_owned());
    }
    let shown = folder.display();
    let read =
        std::fs::read_dir(folder).with_context(|| format!("cannot read folder `{shown}`"))?;
    let mut found = BTreeSet::new();
    for entry in read {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // A run's whole state is more than a model's weights.
        if has_weights_extension(&name) && name != STATE {
            found.insert(name);
        }
    }
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(name), None) => Ok(name),
        (Some(first), Some(second)) => Err(hinted(
            format!(
                "folder `{shown}` holds several files of weights: `{first}`, `{second}`{}",
                if found.len() > 0 { " and more" } else { "" }
            ),
            "pass the path of the one that you mean",
        )),
        (None, _) if folder.join(STATE).is_file() => Err(hinted(
            format!("run folder `{shown}` holds no model: it has neither `best/` nor `last/`"),
            format!(
                "`resnet train --resume {}` goes on with it, and writes them at an epoch's end",
                shell_word(&shown.to_string())
            ),
        )),
        (None, _) => Err(hinted(
            format!("folder `{shown}` holds no weights"),
            "a model's folder has `model.safetensors` or `pytorch_model.bin`, a run's folder `best/`",
        )),
    }
}
