//! The net that a run starts from: new, or a model's.

use super::recipe::Recipe;
use super::settings::{Settings, architecture};
use super::watch::Watch;
use crate::error::misuse;
use crate::model::ModelConfig;
use crate::weights::Checkpoint;
use crate::words::counted;
use anyhow::Result;
use candle_core::{Device, Shape, Tensor};
use std::collections::HashMap;
use std::path::Path;

/// Refuses a recipe that names both a model and what comes with a model.
///
/// # Errors
/// Such a recipe.
pub(super) fn refuse_two_architectures(said: &Recipe) -> Result<()> {
    let Some(model) = &said.model else {
        return Ok(());
    };
    let given = [
        ("depth", said.depth.is_some()),
        ("stem", said.stem.is_some()),
        ("width", said.width.is_some()),
        ("groups", said.groups.is_some()),
        ("width-per-group", said.width_per_group.is_some()),
        ("plain", said.plain == Some(true)),
        ("zero-init-residual", said.zero_init_residual == Some(true)),
    ];
    match given.into_iter().find(|(_, said)| *said) {
        Some((flag, _)) => Err(misuse(
            format!("cannot train with --{flag}: the net is that of `-m {model}`"),
            "leave one of them out",
        )),
        None => Ok(()),
    }
}

/// What a net starts from.
pub(super) struct Start {
    /// The short name of the model that it starts from.
    pub name: Option<String>,
    pub config: ModelConfig,
    pub tensors: HashMap<String, Tensor>,
}

impl Start {
    /// A new net.
    pub fn new(recipe: &Recipe, settings: &Settings, classes: usize) -> Result<Self> {
        let mut config = architecture(recipe, settings.preprocess.size)?.config()?;
        config.classes = classes;
        config.in_channels = settings.preprocess.mean.len();
        Ok(Self {
            name: None,
            config,
            tensors: HashMap::new(),
        })
    }

    /// A model's weights, with a new last layer, of zeros, where the data has other classes.
    ///
    /// # Errors
    /// Pictures of other channels than the model's, and weights that cannot be read.
    pub fn of(
        checkpoint: &Checkpoint,
        labels: &[String],
        settings: &Settings,
        watch: &mut dyn Watch,
    ) -> Result<Self> {
        let card = &checkpoint.card;
        let mut config = card.config.clone();
        let channels = settings.preprocess.mean.len();
        if channels != config.in_channels {
            return Err(misuse(
                format!(
                    "cannot train with --mean and --std of {channels} channels: model `{}` reads {}",
                    card.name, config.in_channels
                ),
                "pass one number a channel, or leave them out",
            ));
        }
        let mut tensors = checkpoint.tensors(settings.dtype, &Device::Cpu)?;
        if let Some(note) = checkpoint.note() {
            watch.note(&note);
        }
        let same_names = card.labels.is_empty() || card.labels == labels;
        if config.classes != labels.len() || !same_names {
            tensors.retain(|name, _| !name.starts_with("fc."));
            watch.note(&format!(
                "the last layer is new: the data has {}, the model {}",
                counted(labels.len(), "class"),
                if config.classes == labels.len() {
                    "others of that number".to_owned()
                } else {
                    config.classes.to_string()
                }
            ));
            config.classes = labels.len();
            // Not the random numbers of a seed, which the model's own layer may have begun with: its rows would point at the
            // old classes by their places.
            for (name, shape) in [
                (
                    "fc.weight",
                    Shape::from((config.classes, config.features())),
                ),
                ("fc.bias", Shape::from(config.classes)),
            ] {
                let zeros = Tensor::zeros(shape, settings.dtype, &Device::Cpu)?;
                tensors.insert(name.to_owned(), zeros);
            }
        }
        let name = Path::new(&card.name).file_stem();
        let name = name.map(|name| name.to_string_lossy().into_owned());
        Ok(Self {
            name,
            config,
            tensors,
        })
    }
}
