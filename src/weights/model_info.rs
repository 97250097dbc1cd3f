//! Description of a model without its weights: architecture, preprocessing, labels.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{
    config::{Configuration, checks, detect, labels, timm},
    format::{file::WeightsFile, metadata},
    locate::{
        fetch::Fetch,
        files::{Files, Part, Place},
    },
    provenance::RunNote,
    state_dict::{
        complete, infer_config, other_architectures,
        rename::{self, Tensors},
    },
};
use crate::{
    error::error_with_hint,
    model::{ModelConfig, Preprocess, StemKind},
};

/// Description of a model without its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// Display name of the model: its path, or its repository on the hub.
    pub name: String,
    /// Architecture.
    pub config: ModelConfig,
    /// Preprocessing of the input images; mean and std have one value per input channel.
    pub preprocess: Preprocess,
    /// One name per class, or empty if the model names none.
    pub labels: Vec<String>,
    /// The images that trained and selected the weights, if a run of `resnet` wrote them.
    pub run: Option<RunNote>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

impl Card {
    /// Describes the model given as MODEL.
    ///
    /// Weights on the hub are downloaded only if no configuration names the architecture. For a local file, the names
    /// and shapes of the tensors are read and compared with the configuration.
    ///
    /// # Errors
    /// If the model does not exist or is not supported.
    pub fn open(model: &str, hub: &dyn Fetch) -> Result<Self> {
        let place = Place::find(model, hub)?;
        let configuration = place.configuration();
        match configuration {
            Ok(Some(configuration)) if configuration.config.is_some() && place.is_hub() => {
                Self::new(place.name, Some(configuration), None, Vec::new())
            }
            other => Ok(Opened::new(place, other)?.card),
        }
    }

    /// Returns the model in the form of timm's `config.json`, with the key `resnet` for the whole architecture,
    /// `resnet_run` for the images that trained and selected the weights, and `resnet_exif` if EXIF orientation is
    /// ignored.
    pub fn to_json(&self) -> Value {
        timm::write(
            &self.config,
            &self.preprocess,
            &self.labels,
            self.run.as_ref(),
        )
    }

    /// Combines a configuration with what `tensors` show.
    fn new(
        name: String,
        configuration: Option<Configuration>,
        tensors: Option<&Tensors>,
        mut notes: Vec<String>,
    ) -> Result<Self> {
        let unknown = configuration.is_none();
        let given = configuration.unwrap_or_else(|| Configuration {
            source: "the configuration".to_owned(),
            config: None,
            known: serde_json::Map::new(),
            knows_in_channels: true,
            classes: None,
            labels: Vec::new(),
            preprocess: Preprocess::default(),
            run: None,
            notes: Vec::new(),
        });
        let config = match (given.config, tensors) {
            (Some(config), None) => config,
            (Some(mut config), Some(tensors)) => {
                let shown = infer_config::infer(tensors);
                if let (Ok(shown), false) = (&shown, given.knows_in_channels) {
                    config.in_channels = shown.in_channels;
                }
                if let Err(incomplete) = complete::complete(&config, tensors) {
                    if let Ok(shown) = shown {
                        complete::agree(&config, &shown, &given.source)?;
                    }
                    return Err(incomplete);
                }
                config
            }
            (None, Some(tensors)) => {
                let config = infer_config::complete(tensors, &given.known)?;
                complete::complete(&config, tensors)?;
                if let Some(classes) = given.classes.filter(|classes| *classes != config.classes) {
                    complete::agree(
                        &ModelConfig {
                            classes,
                            ..config.clone()
                        },
                        &config,
                        &given.source,
                    )?;
                }
                config
            }
            (None, None) => bail!("neither a configuration nor weights name the architecture"),
        };
        if !given.labels.is_empty() && given.labels.len() != config.classes {
            return Err(error_with_hint(
                format!(
                    "{} names {} classes, and the model has {}",
                    given.source,
                    given.labels.len(),
                    config.classes
                ),
                "correct the labels, or remove them",
            ));
        }
        let (preprocess, spread) = checks::spread(given.preprocess, config.in_channels)?;
        notes.extend(given.notes);
        notes.extend((unknown && config.stem == StemKind::Cifar).then(|| {
            "the model does not specify its preprocessing: ImageNet's is used, at 224x224; `--image-size 32 --crop-pct 1 --mean .. --std ..` change it".to_owned()
        }));
        notes.extend(spread);
        Ok(Self {
            name,
            labels: labels::or_imagenet(given.labels, config.classes),
            config,
            preprocess,
            run: given.run,
            notes,
        })
    }
}

/// A model whose weights were opened and found complete; the tensor data is not read yet.
pub struct Opened {
    /// Description of the model.
    pub card: Card,
    /// Tensors by torchvision's names.
    pub tensors: Tensors,
    /// Files that hold the tensors.
    pub files: Vec<WeightsFile>,
    /// Name of the files in error messages.
    pub shown: String,
}

impl Opened {
    /// Opens the weights at `place` under the configuration `beside` them; the file's own metadata takes precedence
    /// over it.
    ///
    /// Returns an error for an unusable configuration before anything is downloaded.
    pub fn new(place: Place, beside: Result<Option<Configuration>>) -> Result<Self> {
        let beside = if place.is_hub() { Ok(beside?) } else { beside };
        let Files { parts, shown } = place.weights()?;
        let context = || format!("cannot load weights `{shown}`");
        let (tensors, files, left_aside) = open(&parts).with_context(context)?;
        let mut notes: Vec<String> = files.iter().flat_map(|file| file.notes.clone()).collect();
        notes.extend(left_aside);
        let own = own_configuration(&files).with_context(context)?;
        let configuration = match (own, beside) {
            (None, beside) => beside?,
            (Some(mut own), Ok(Some(beside))) => {
                notes.extend((!own.means_the_same(&beside)).then(|| {
                    "the file's own metadata is used, not `config.json` beside it, which differs".to_owned()
                }));
                own.run = own.run.or(beside.run);
                Some(own)
            }
            (own, _) => own,
        };
        let card =
            Card::new(place.name, configuration, Some(&tensors), notes).with_context(context)?;
        Ok(Self {
            card,
            tensors,
            files,
            shown,
        })
    }
}

/// Opens the parts of a model's weights; returns all tensors, the files that hold them, and notes.
fn open(parts: &[Part]) -> Result<(Tensors, Vec<WeightsFile>, Vec<String>)> {
    let mut files = Vec::with_capacity(parts.len());
    for part in parts {
        let file = part.open();
        files.push(match (part, parts) {
            (Part::Path(path), [_, _, ..]) => {
                file.with_context(|| format!("part `{}`", path.display()))?
            }
            _ => file?,
        });
    }
    if files
        .iter()
        .any(|file| file.metadata.contains_key(metadata::STATE))
    {
        return Err(error_with_hint(
            "it is the state of a training run, not a model",
            "pass the run's `best/` or `last/`",
        ));
    }
    let mut infos = BTreeMap::new();
    for (name, info) in files.iter().flat_map(|file| &file.infos) {
        if infos.insert(name.clone(), info.clone()).is_some() {
            return Err(error_with_hint(
                format!("tensor `{name}` is in two parts of the weights"),
                "download all parts and their index again, from the same revision",
            ));
        }
    }
    let (tensors, notes) = rename::canonical(&infos)?;
    other_architectures::refuse(&tensors)?;
    other_architectures::refuse_types(&tensors)?;
    Ok((tensors, files, notes))
}

/// Returns the configuration that `resnet` wrote into the metadata of the files: under a key of its own, or under
/// `config`, which other programs use as well.
fn own_configuration(files: &[WeightsFile]) -> Result<Option<Configuration>> {
    let text = |key| {
        files
            .iter()
            .find_map(|file| file.metadata.get(key)?.as_str())
    };
    if let Some(text) = text(metadata::CONFIG) {
        return detect::from_metadata(text).map(Some);
    }
    match text("config") {
        Some(text) if detect::is_own(text) => detect::from_metadata(text).map(Some),
        _ => Ok(None),
    }
}
