//! A recipe: what may be said of a run, by the command line's names; everything may be left unsaid.
//!
//! Flags, a recipe file and the defaults are all recipes, and [`Recipe::or`] puts one before the other. The one that has
//! every answer is a run's `config.toml`.

use super::choices::{PictureSize, StemRule};
use super::optimiser::OptimiserKind;
use super::schedule::Scheduler;
use crate::data::augment::Policy;
use crate::error::{hinted, why_unreadable};
use crate::model::{CropMode, Frozen, Interpolation};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

macro_rules! recipe {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        /// What is said of a run. The names are the command line's flags.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub struct Recipe {
            $(
                $(#[$doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $name: Option<$type>,
            )*
        }

        impl Recipe {
            /// What this recipe says, and what `other` says where this one says nothing.
            #[must_use]
            pub fn or(self, other: Self) -> Self {
                Self { $($name: self.$name.or(other.$name),)* }
            }

            /// The keys that this recipe says something of, by the names of their flags.
            pub fn said(&self) -> Vec<String> {
                let keys = [$((stringify!($name), self.$name.is_some()),)*];
                keys.iter()
                    .filter(|(_, is_said)| *is_said)
                    .map(|(key, _)| format!("--{}", key.replace('_', "-")))
                    .collect()
            }
        }
    };
}

recipe! {
    /// The data set, as the command line's DATA.
    data: String,
    /// The part of the training pictures that is carved out to validate on.
    val_split: f64,
    /// A picture that cannot be read ends the run.
    strict: bool,
    /// Weights to start from, as the command line's MODEL.
    model: String,
    /// Layers.
    depth: usize,
    /// What stands before the first stage.
    stem: StemRule,
    /// Channels of the first stage.
    width: usize,
    /// Groups of the bottlenecks' 3x3 convolutions.
    groups: usize,
    /// Channels a group at 64 planes.
    width_per_group: usize,
    /// No shortcuts.
    plain: bool,
    /// Each block's last batch norm starts at 0.
    zero_init_residual: bool,
    /// The part of the net that stays as it is.
    freeze: Frozen,
    /// Height and width of the model's input.
    image_size: PictureSize,
    /// The part of the resized picture that the crop keeps.
    crop_pct: f64,
    /// How the picture's shape becomes the input's.
    crop_mode: CropMode,
    /// The filter of the resize.
    interpolation: Interpolation,
    /// Subtracted from each channel.
    mean: Vec<f32>,
    /// Divides each channel.
    std: Vec<f32>,
    /// Pictures stay as they are stored, whatever their EXIF orientation.
    no_exif: bool,
    /// How training pictures are varied.
    augment: Policy,
    /// Alpha of mixup, 0 for none.
    mixup: f64,
    /// Alpha of cutmix, 0 for none.
    cutmix: f64,
    /// Probability of random erasing.
    random_erase: f64,
    /// Pictures in the data set's order.
    no_shuffle: bool,
    /// What all random numbers start from.
    seed: u64,
    /// Passes over the training pictures.
    epochs: u64,
    /// Optimiser steps after which the run ends.
    max_steps: u64,
    /// Pictures a batch.
    batch_size: usize,
    /// The last batch of an epoch is left out where it is not full.
    drop_last: bool,
    /// Batches whose gradients are averaged for one step.
    grad_accumulation: usize,
    /// The optimiser.
    optimizer: OptimiserKind,
    /// The highest learning rate.
    lr: f64,
    /// SGD's momentum.
    momentum: f64,
    /// Nesterov's momentum.
    nesterov: bool,
    /// Weight decay.
    weight_decay: f64,
    /// No weight decay on batch norm and biases.
    no_norm_decay: bool,
    /// How the learning rate changes.
    scheduler: Scheduler,
    /// Epochs in which the learning rate rises.
    warmup_epochs: f64,
    /// Epochs at which `step` lowers the learning rate to a tenth.
    milestones: Vec<u64>,
    /// The share of the target that is spread over all classes.
    label_smoothing: f64,
    /// `auto`, or a file with a weight a class.
    class_weights: String,
    /// The largest norm of all gradients together.
    clip_grad: f64,
    /// Decay of the moving average of the weights.
    ema: f64,
    /// Epochs without a better one after which the run ends.
    patience: u64,
    /// The type of the numbers: f32 or f64.
    dtype: String,
    /// Steps after which the state is saved, beside the end of each epoch.
    checkpoint_every: u64,
}

/// The hint where a recipe's file is none.
const WHAT_A_RECIPE_IS: &str = "pass a file of `key = value` lines, such as a run's `config.toml` or the repository's `models/*/recipe.toml`";

/// What stands above a key in `config.toml`.
const HEADINGS: [(&str, &str); 4] = [
    ("data", "Data"),
    ("model", "Architecture"),
    ("image-size", "Pictures"),
    ("epochs", "Optimisation"),
];

impl Recipe {
    /// What flags say, and what a recipe file says where they say nothing. A model that the flags name takes the place of the
    /// file's architecture, and an architecture that they name that of its model; with another optimiser or scheduler goes
    /// what only the file's has.
    #[must_use]
    pub fn over(self, mut file: Self) -> Self {
        if !matches!(self.optimizer, None | Some(OptimiserKind::Sgd)) {
            (file.momentum, file.nesterov) = (None, None);
        }
        if !matches!(self.scheduler, None | Some(Scheduler::Step)) {
            file.milestones = None;
        }
        if self.scheduler == Some(Scheduler::Onecycle) {
            file.warmup_epochs = None;
        }
        if self.model.is_some() {
            file = Self {
                depth: None,
                stem: None,
                width: None,
                groups: None,
                width_per_group: None,
                plain: None,
                zero_init_residual: None,
                ..file
            };
        } else if self.depth.is_some() {
            file.model = None;
        }
        self.or(file)
    }

    /// The keys of which `other` says something else, in the order of the alphabet: the key, what this recipe says and what
    /// the other says.
    ///
    /// # Errors
    /// A recipe that TOML cannot hold.
    pub fn differences(&self, other: &Self) -> Result<Vec<[String; 3]>> {
        let (own, others) = (toml::Table::try_from(self)?, toml::Table::try_from(other)?);
        let keys: BTreeSet<&String> = own.keys().chain(others.keys()).collect();
        let say = |table: &toml::Table, key: &str| {
            let value = table.get(key);
            value.map_or("nothing".to_owned(), toml::Value::to_string)
        };
        let differing = keys
            .into_iter()
            .filter(|&key| own.get(key) != others.get(key));
        Ok(differing
            .map(|key| [key.clone(), say(&own, key), say(&others, key)])
            .collect())
    }

    /// Reads a recipe file.
    ///
    /// # Errors
    /// A file that cannot be read, is no TOML, or has a key or a value that a recipe has not.
    pub fn read(path: &Path) -> Result<Self> {
        let context = || format!("cannot read recipe `{}`", path.display());
        // Opening a folder is an error of its own kind on some systems.
        if path.is_dir() {
            let config = path.join("config.toml");
            let way_out = if config.is_file() {
                format!("pass the run's own recipe, `{}`", config.display())
            } else {
                WHAT_A_RECIPE_IS.to_owned()
            };
            return Err(hinted("it is a folder", way_out)).with_context(context);
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| hinted(why_unreadable(&error), WHAT_A_RECIPE_IS))
            .with_context(context)?;
        Self::parse(&text).with_context(context)
    }

    /// Reads a recipe from TOML.
    ///
    /// # Errors
    /// Text that is no TOML, or has a key or a value that a recipe has not.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            let place = error.span().map_or(String::new(), |span| {
                let before = &text[..span.start];
                let line = before.matches('\n').count() + 1;
                let key = key_before(before, error.message()).map(|key| format!("`{key}`: "));
                format!("line {line}: {}", key.unwrap_or_default())
            });
            let message = error.message();
            let meant = meant(message).map_or(String::new(), |key| format!("did you mean `{key}`? "));
            hinted(
                format!("{place}{}", plain(message)),
                format!(
                    "{meant}a recipe has `key = value` lines whose keys are the flags of `resnet train --help`, but for those of a single run: output, resume, recipe, dry-run, format, workers, threads, device, quiet, verbose and color"
                ),
            )
        })
    }

    /// The recipe as TOML, which [`Recipe::parse`] reads back, with `about` as a comment above.
    ///
    /// # Errors
    /// Numbers beyond TOML's.
    pub fn to_toml(&self, about: &str) -> Result<String> {
        let plain = toml::to_string(self)?;
        // TOML's comments hold no control characters; a file's name may.
        let comment = |line: &str| format!("# {}\n", line.replace(char::is_control, "\u{fffd}"));
        let mut text: String = about.lines().map(comment).collect();
        let mut last = "";
        for line in plain.lines() {
            let key = line.split(' ').next().unwrap_or_default();
            if let Some(heading) = self.heading_at(key).filter(|heading| *heading != last) {
                text.extend(["\n# ", heading, "\n"]);
                last = heading;
            }
            text += line;
            text.push('\n');
        }
        Ok(text)
    }

    /// The heading that begins at `key`: the architecture's begins with the model or, where there is none, with the depth.
    fn heading_at(&self, key: &str) -> Option<&'static str> {
        let key = match key {
            "depth" if self.model.is_none() => "model",
            key => key,
        };
        HEADINGS
            .iter()
            .find_map(|(first, heading)| (*first == key).then_some(*heading))
    }
}

/// The key that was meant, where a message says that one is unknown and names all that there are.
fn meant(message: &str) -> Option<&str> {
    let mut names = message
        .strip_prefix("unknown field ")?
        .split('`')
        .skip(1)
        .step_by(2);
    let written = names.next()?.to_lowercase().replace('_', "-");
    let (distance, key) = names
        .map(|key| (strsim::levenshtein(&written, key), key))
        .min()?;
    // Half the letters of a short word make any other.
    (distance <= 3.min(key.len() / 2)).then_some(key)
}

/// The key of the value that a message is about: in the last line of `before`, or above it where the value is a list.
fn key_before<'a>(before: &'a str, message: &str) -> Option<&'a str> {
    let lines_above = if message.starts_with("invalid ") {
        usize::MAX
    } else {
        1
    };
    let mut lines = before.split('\n').rev().take(lines_above);
    lines.find_map(|line| {
        let key = line.split_once('=')?.0.trim();
        let is_key = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (!key.is_empty() && key.chars().all(is_key)).then_some(key)
    })
}

/// What a reader of TOML says, with plain names of what it expected.
fn plain(message: &str) -> String {
    let mut message = message.to_owned();
    for (name, plain) in [
        ("expected u64", "expected a whole number of 0 or more"),
        ("expected usize", "expected a whole number of 0 or more"),
        ("expected f64", "expected a number"),
        ("expected f32", "expected a number"),
        ("expected a boolean", "expected true or false"),
        ("expected a string", "expected text in quotes"),
        ("expected a sequence", "expected a list in brackets"),
    ] {
        message = message.replace(name, plain);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::hint_of;

    #[test]
    fn a_recipe_is_read_back_as_it_was_written() {
        let recipe = Recipe {
            data: Some("C:\\pictures \"x\"".into()),
            depth: Some(20),
            image_size: Some(PictureSize([24, 32])),
            mean: Some(vec![0.485, 0.456, 0.406]),
            lr: Some(0.1),
            seed: Some(u64::MAX),
            ..Recipe::default()
        };
        assert!(recipe.said().contains(&"--image-size".to_owned()));
        let text = recipe.to_toml("made by a test\ntw\x07ice").unwrap();
        assert_eq!(Recipe::parse(&text).unwrap(), recipe);
        assert!(text.starts_with("# made by a test\n# tw\u{fffd}ice\n\n# Data\ndata = "));
        assert!(text.contains("\n# Architecture\ndepth = 20\n"), "{text}");
        assert!(text.contains("mean = [0.485, 0.456, 0.406]"), "{text}");
    }

    #[test]
    fn what_is_said_first_wins() {
        let said = Recipe {
            lr: Some(0.5),
            ..Recipe::default()
        };
        let other = Recipe {
            lr: Some(0.1),
            epochs: Some(3),
            ..Recipe::default()
        };
        let both = said.or(other);
        assert_eq!((both.lr, both.epochs), (Some(0.5), Some(3)));
        assert_eq!(both.said(), ["--epochs", "--lr"]);
    }

    #[test]
    fn a_model_and_an_architecture_never_meet() {
        let file = Recipe {
            depth: Some(20),
            plain: Some(true),
            lr: Some(0.1),
            ..Recipe::default()
        };
        let flags = Recipe {
            model: Some("x".into()),
            ..Recipe::default()
        };
        let both = flags.clone().over(file.clone());
        assert_eq!((both.depth, both.plain, both.lr), (None, None, Some(0.1)));
        let both = file.over(flags);
        assert_eq!((both.model, both.depth), (None, Some(20)));
    }

    #[test]
    fn another_optimiser_or_scheduler_brings_nothing_of_the_files_along() {
        let file = Recipe::parse(
            "optimizer = 'sgd'\nmomentum = 0.9\nnesterov = true\nscheduler = 'step'\nmilestones = [3]\nwarmup-epochs = 1",
        )
        .unwrap();
        let over = |flags: &str| Recipe::parse(flags).unwrap().over(file.clone());
        let adam = over("optimizer = 'adam'");
        assert_eq!((adam.momentum, adam.nesterov), (None, None));
        let cosine = over("scheduler = 'cosine'");
        assert_eq!((cosine.milestones, cosine.warmup_epochs), (None, Some(1.0)));
        assert_eq!(over("scheduler = 'onecycle'").warmup_epochs, None);
        assert_eq!(over("lr = 0.1").momentum, Some(0.9));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = Recipe::parse("lr = 0.1\nlearning-rate = 0.1\n").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("line 2: unknown field `learning-rate`"),
            "{error}"
        );
        for (key, meant) in [
            ("weight_decay", Some("did you mean `weight-decay`? ")),
            ("epoch", Some("did you mean `epochs`? ")),
            ("learning-rate", None),
            ("output", None),
        ] {
            let error = Recipe::parse(&format!("{key} = 1")).unwrap_err();
            let hint = hint_of(&error).unwrap();
            let start = meant.unwrap_or("a recipe has ");
            assert!(hint.starts_with(start), "{key}: {hint}");
            assert!(hint.contains("but for those of a single run: output, resume"));
        }
    }
}
