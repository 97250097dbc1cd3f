//! The network that a run starts from: new, or pretrained.

use crate::error::{error_with_hint, message_of, setting, usage_error};
use crate::eval::note_of_outputs;
use crate::message;
use crate::model::ModelConfig;
use crate::text::pluralize;
use crate::train::config::recipe::Recipe;
use crate::train::config::settings::{Settings, architecture};
use crate::train::observe::observer::Observer;
use crate::weights::imagenet::{are_imagenet_labels, are_wordnet_ids};
use crate::weights::{Checkpoint, Fetch};
use anyhow::Result;
use candle_core::{Device, Shape, Tensor};
use std::collections::HashMap;

/// The model that a run on photographs fine-tunes if the recipe names neither a model nor an architecture.
pub(in crate::train) const DEFAULT_MODEL: &str = "resnet50";

/// Returns the first key of a recipe that describes a new architecture.
pub(in crate::train) fn architecture_key(overrides: &Recipe) -> Option<&'static str> {
    let given = [
        ("arch", overrides.arch.is_some()),
        ("depth", overrides.depth.is_some()),
        ("stem", overrides.stem.is_some()),
        ("width", overrides.width.is_some()),
        ("groups", overrides.groups.is_some()),
        ("width-per-group", overrides.width_per_group.is_some()),
        ("plain", overrides.plain == Some(true)),
        (
            "zero-init-residual",
            overrides.zero_init_residual == Some(true),
        ),
    ];
    let mut given = given.into_iter();
    given.find_map(|(key, is_given)| is_given.then_some(key))
}

/// Rejects a recipe with both a model and an architecture.
///
/// # Errors
/// If the recipe has both.
pub(in crate::train) fn reject_two_architectures(overrides: &Recipe) -> Result<()> {
    match (&overrides.model, architecture_key(overrides)) {
        (Some(model), Some(key)) => Err(usage_error(
            message![
                "cannot train with ",
                setting(key),
                ": `",
                setting("model").to(model),
                "` sets the architecture",
            ],
            "leave one of them out",
        )),
        _ => Ok(()),
    }
}

/// Opens the model that a run on photographs fine-tunes by default.
///
/// # Errors
/// If it is neither cached nor reachable, or cannot be loaded; the hint has both ways out.
pub(in crate::train) fn open_default(hub: &dyn Fetch) -> Result<Checkpoint> {
    Checkpoint::open(DEFAULT_MODEL, hub).map_err(|error| {
        error_with_hint(
            message![
                format!(
                    "cannot load `{DEFAULT_MODEL}`, which is fine-tuned on photographs by default: "
                ),
                message_of(&error),
            ],
            message![
                "pass a cached or local model with `",
                setting("model").to("MODEL"),
                "`, or `",
                setting("depth").to(50),
                "` to train from scratch",
            ],
        )
    })
}

/// A network and its initial weights.
pub(in crate::train) struct Start {
    pub config: ModelConfig,
    pub tensors: HashMap<String, Tensor>,
}

impl Start {
    /// Creates a new network with random weights.
    pub fn new(recipe: &Recipe, settings: &Settings, classes: usize) -> Result<Self> {
        let mut config = architecture(recipe, settings.preprocess.size)?.config()?;
        config.classes = classes;
        config.in_channels = settings.preprocess.mean.len();
        Ok(Self {
            config,
            tensors: HashMap::new(),
        })
    }

    /// Prepares a pretrained model, with a new last layer of zeros if the dataset has other classes.
    ///
    /// # Errors
    /// If the model reads images with another number of channels, or its weights cannot be read.
    pub fn of(
        checkpoint: &Checkpoint,
        labels: &[String],
        settings: &Settings,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let info = &checkpoint.info;
        let mut config = info.config.clone();
        let channels = settings.preprocess.mean.len();
        if channels != config.in_channels {
            return Err(usage_error(
                message![
                    "cannot train with ",
                    setting("mean"),
                    " and ",
                    setting("std"),
                    format!(
                        " of {}: model `{}` takes {}",
                        pluralize(channels, "channel"),
                        info.name,
                        config.in_channels
                    ),
                ],
                "pass one number per channel, or leave them out",
            ));
        }
        let mut tensors = checkpoint.tensors(settings.dtype, &Device::Cpu)?;
        if let Some(note) = checkpoint.note() {
            observer.note(&message![note]);
        }
        let same_names = info.labels.is_empty()
            || info.labels == labels
            || info.label_names == labels
            || are_imagenet_labels(&info.labels) && are_wordnet_ids(labels);
        if let Some(note) = note_of_outputs(info.function, config.classes) {
            observer.note(&message![
                note,
                "; it is trained here with one class per image, by softmax"
            ]);
        }
        if config.classes != labels.len() || !same_names {
            tensors.retain(|name, _| !name.starts_with("fc."));
            observer.note(&message![format!(
                "the last layer is new: the dataset has {}, the model {}",
                pluralize(labels.len(), "class"),
                if config.classes == labels.len() {
                    "as many others".to_owned()
                } else {
                    config.classes.to_string()
                }
            )]);
            config.classes = labels.len();
            // Not the random numbers of a seed: the model's own layer may have started from the same ones, and the rows would
            // point at the old classes in their order.
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
        Ok(Self { config, tensors })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::is_usage_error;

    #[test]
    fn a_model_and_an_architecture_are_refused_together() {
        for (key, value) in [
            ("depth", "20"),
            ("stem", "'cifar'"),
            ("width", "4"),
            ("groups", "1"),
            ("width-per-group", "64"),
            ("plain", "true"),
            ("zero-init-residual", "true"),
        ] {
            let both = Recipe::parse(&format!("model = 'run'\n{key} = {value}")).unwrap();
            let error = reject_two_architectures(&both).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("cannot train with "), "{text}");
            assert!(text.contains(key), "{text}");
            assert!(
                text.ends_with(": `model = run` sets the architecture"),
                "{text}"
            );
            assert!(is_usage_error(&error), "{text}");
        }
        for alone in ["model = 'run'\nplain = false", "depth = 20\nplain = true"] {
            reject_two_architectures(&Recipe::parse(alone).unwrap()).unwrap();
        }
    }
}
