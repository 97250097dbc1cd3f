//! Description of a model without its weights: architecture, preprocessing, labels.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{
    config::{Configuration, checks, detect, labels, timm},
    format::{file::WeightsFile, metadata},
    locate::{
        fetch::Fetch,
        files::{ModelLocation, WeightsFiles, WeightsPart},
    },
    provenance::TrainingProvenance,
    state_dict::{
        complete, infer_config, other_architectures,
        rename::{self, NamedTensors},
    },
};
use crate::{
    error::{Error, Message, WithKind, error_with_hint, setting},
    message,
    model::{ModelConfig, OutputFunction, Preprocess, StemKind},
};

/// Description of a model without its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    /// Display name of the model: its path, or its repository on the hub.
    pub name: String,
    /// Architecture.
    pub config: ModelConfig,
    /// Preprocessing of the input images; mean and std have one value per input channel.
    pub preprocess: Preprocess,
    /// One name per class, or empty if the model names none.
    pub labels: Vec<String>,
    /// The names that `labels` describe, such as `WordNet` ids, by which folders of images are called; empty if they are the same.
    pub label_names: Vec<String>,
    /// Function that turns the logits into the answer.
    pub function: OutputFunction,
    /// The images that trained and selected the weights, if a run of `resnet` wrote them.
    pub provenance: Option<TrainingProvenance>,
    /// Notes for the user.
    pub notes: Vec<Message>,
}

impl ModelInfo {
    /// Describes the model given as MODEL.
    ///
    /// Weights on the hub are downloaded only if no configuration names the architecture. For a local file, the names
    /// and shapes of the tensors are read and compared with the configuration.
    ///
    /// # Errors
    /// If the model does not exist or is not supported.
    pub fn open(model: &str, hub: &dyn Fetch) -> Result<Self> {
        let location = ModelLocation::find(model, hub)?;
        let configuration = location.read_configuration();
        match configuration {
            Ok(Some(configuration)) if configuration.config.is_some() && location.is_hub() => {
                Self::new(location.name, Some(configuration), None, Vec::new())
            }
            other => Ok(OpenedModel::new(location, other)?.info),
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
            self.function,
            self.provenance.as_ref(),
        )
    }

    /// Combines a configuration with what `tensors` show.
    fn new(
        name: String,
        configuration: Option<Configuration>,
        tensors: Option<&NamedTensors>,
        mut notes: Vec<Message>,
    ) -> Result<Self> {
        let unknown = configuration.is_none();
        let given = configuration.unwrap_or_else(|| Configuration {
            source: "the configuration".to_owned(),
            config: None,
            known: serde_json::Map::new(),
            knows_in_channels: true,
            classes: None,
            labels: Vec::new(),
            label_names: Vec::new(),
            problem: None,
            preprocess: Preprocess::default(),
            provenance: None,
            notes: Vec::new(),
        });
        let config = match (given.config, tensors) {
            (Some(config), None) => config,
            (Some(mut config), Some(tensors)) => {
                let inferred = infer_config::infer(tensors);
                if let (Ok(inferred), false) = (&inferred, given.knows_in_channels) {
                    config.in_channels = inferred.in_channels;
                }
                if let Err(incomplete) = complete::ensure_complete(&config, tensors) {
                    if let Ok(inferred) = inferred {
                        complete::ensure_agreement(&config, &inferred, &given.source)?;
                    }
                    return Err(incomplete);
                }
                config
            }
            (None, Some(tensors)) => {
                let config = infer_config::infer_with_known(tensors, &given.known)?;
                complete::ensure_complete(&config, tensors)?;
                if let Some(classes) = given.classes.filter(|classes| *classes != config.classes) {
                    complete::ensure_agreement(
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
        let (preprocess, channel_note) =
            checks::match_channels(given.preprocess, config.in_channels)?;
        notes.extend(given.notes.into_iter().map(Message::from));
        notes.extend((unknown && config.stem == StemKind::Cifar).then(|| {
            message![
                "the model does not specify its preprocessing: ImageNet's is used, at 224x224; `",
                setting("image-size").to(32),
                " ",
                setting("crop-pct").to(1),
                " ",
                setting("mean").to(".."),
                " ",
                setting("std").to(".."),
                "` change it"
            ]
        }));
        notes.extend(channel_note.map(Message::from));
        Ok(Self {
            name,
            labels: labels::or_imagenet_labels(given.labels, config.classes),
            label_names: given.label_names,
            function: OutputFunction::new(given.problem, config.classes),
            config,
            preprocess,
            provenance: given.provenance,
            notes,
        })
    }
}

/// A model whose weights were opened and found complete; the tensor data is not read yet.
pub struct OpenedModel {
    /// Description of the model.
    pub info: ModelInfo,
    /// Tensors by torchvision's names.
    pub tensors: NamedTensors,
    /// Files that hold the tensors.
    pub files: Vec<WeightsFile>,
    /// Name of the files in error messages.
    pub display_name: String,
}

impl OpenedModel {
    /// Opens the weights at `location` under the configuration `beside` them; the file's own metadata takes precedence
    /// over it.
    ///
    /// Returns an error for an unusable configuration before anything is downloaded.
    pub fn new(location: ModelLocation, beside: Result<Option<Configuration>>) -> Result<Self> {
        let beside = if location.is_hub() {
            Ok(beside?)
        } else {
            beside
        };
        let WeightsFiles {
            parts,
            display_name,
        } = location.resolve_weights()?;
        let context = || format!("cannot load weights `{display_name}`");
        let (tensors, files, skipped) = open(&parts)
            .with_kind(Error::DamagedWeights)
            .with_context(context)?;
        let notes = files.iter().flat_map(|file| file.notes.clone());
        let mut notes: Vec<Message> = notes.map(Message::from).collect();
        notes.extend(skipped.into_iter().map(Message::from));
        let own = own_configuration(&files)
            .with_kind(Error::InvalidConfiguration)
            .with_context(context)?;
        let configuration = match (own, beside) {
            (None, beside) => beside?,
            (Some(mut own), Ok(Some(beside))) => {
                notes.extend((!own.means_the_same(&beside)).then(|| {
                    message!["the file's own metadata is used, not `config.json` beside it, which differs"]
                }));
                own.provenance = own.provenance.or(beside.provenance);
                Some(own)
            }
            (own, _) => own,
        };
        let info = ModelInfo::new(location.name, configuration, Some(&tensors), notes)
            .with_context(context)?;
        Ok(Self {
            info,
            tensors,
            files,
            display_name,
        })
    }
}

/// Opens the parts of a model's weights; returns all tensors, the files that hold them, and notes.
fn open(parts: &[WeightsPart]) -> Result<(NamedTensors, Vec<WeightsFile>, Vec<String>)> {
    let mut files = Vec::with_capacity(parts.len());
    for part in parts {
        let file = part.open();
        files.push(match (part, parts) {
            (WeightsPart::Path(path), [_, _, ..]) => {
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
    let (tensors, notes) = rename::to_torchvision_names(&infos)?;
    other_architectures::ensure_supported(&tensors).with_kind(Error::UnsupportedArchitecture)?;
    other_architectures::ensure_float_types(&tensors)?;
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
        Some(text) if detect::is_written_by_resnet(text) => detect::from_metadata(text).map(Some),
        _ => Ok(None),
    }
}
