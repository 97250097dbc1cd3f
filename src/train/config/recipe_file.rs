//! Recipe files: reading and writing recipes, and merging them.

use crate::error::{error_with_hint, help, why_unreadable};
use crate::message;
use crate::train::config::recipe::Recipe;
use crate::train::learner::lr_schedule::Scheduler;
use crate::train::learner::optimizer::OptimizerKind;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::Path;

/// The hint for a file that is not a recipe.
const WHAT_A_RECIPE_IS: &str = "pass a file of `key = value` lines, such as a run's `config.toml` or the repository's `models/*/recipe.toml`";

/// Headings in `config.toml`, each with the key that it precedes.
const HEADINGS: [(&str, &str); 4] = [
    ("data", "Data"),
    ("model", "Architecture"),
    ("image-size", "Images"),
    ("epochs", "Optimization"),
];

impl Recipe {
    /// Returns the keys that are set.
    pub fn keys(&self) -> Vec<&'static str> {
        let set = self.values().filter(|(_, value)| value.is_some());
        set.map(|(key, _)| key.name).collect()
    }

    /// Merges this recipe with that of a file and overrides it. A model in this recipe replaces the architecture in the file,
    /// and an architecture in it the model in the file. Another optimizer or scheduler drops the options of the file's.
    #[must_use]
    pub fn over(self, mut file: Self) -> Self {
        if self.optimizer.is_some_and(|kind| !kind.has_momentum()) {
            (file.momentum, file.nesterov) = (None, None);
        }
        if self.optimizer.is_some_and(OptimizerKind::adapts_layers)
            && self.optimizer != file.optimizer
        {
            file.no_norm_decay = None;
        }
        if !matches!(self.scheduler, None | Some(Scheduler::Step)) {
            file.milestones = None;
        }
        if self.scheduler == Some(Scheduler::Onecycle) {
            file.warmup_epochs = None;
        }
        if self.model.is_some() {
            file = Self {
                arch: None,
                depth: None,
                stem: None,
                width: None,
                groups: None,
                width_per_group: None,
                plain: None,
                zero_init_residual: None,
                ..file
            };
        } else if self.depth.is_some() || self.arch.is_some() {
            file.model = None;
            if self.arch.is_some() {
                file.depth = None;
            } else {
                file.arch = None;
            }
        }
        self.or(file)
    }

    /// Returns the keys that differ from `other`, in alphabetical order: the key, this recipe's value and the other's.
    ///
    /// # Errors
    /// If a recipe cannot be written as TOML.
    pub fn differences(&self, other: &Self) -> Result<Vec<[String; 3]>> {
        let (own, others) = (toml::Table::try_from(self)?, toml::Table::try_from(other)?);
        let keys: BTreeSet<&String> = own.keys().chain(others.keys()).collect();
        let say = |table: &toml::Table, key: &str| {
            let value = table.get(key);
            value.map_or("unset".to_owned(), toml::Value::to_string)
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
    /// If the file cannot be read, is not TOML, or has an unknown key or an invalid value.
    pub fn read(path: &Path) -> Result<Self> {
        let context = || format!("cannot read recipe `{}`", path.display());
        // Opening a folder is a different error on each system.
        if path.is_dir() {
            let config = path.join("config.toml");
            let way_out = if config.is_file() {
                format!("pass the run's own recipe, `{}`", config.display())
            } else {
                WHAT_A_RECIPE_IS.to_owned()
            };
            return Err(error_with_hint("it is a folder", way_out)).with_context(context);
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| error_with_hint(why_unreadable(&error), WHAT_A_RECIPE_IS))
            .with_context(context)?;
        Self::parse(&text).with_context(context)
    }

    /// Parses a recipe from TOML.
    ///
    /// # Errors
    /// If the text is not TOML, or has an unknown key or an invalid value.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            let place = error.span().map_or(String::new(), |span| {
                let before = &text[..span.start];
                let line = before.matches('\n').count() + 1;
                let key = key_before(before, error.message()).map(|key| format!("`{key}`: "));
                format!("line {line}: {}", key.unwrap_or_default())
            });
            let message = error.message();
            let suggestion = suggest(message).map_or(String::new(), |key| format!("did you mean `{key}`? "));
            error_with_hint(
                format!("{place}{}", plain(message)),
                message![
                    suggestion,
                    "a recipe has `key = value` lines with the settings in ",
                    help("train"),
                    " as keys, except those of a single run: output, name, resume, recipe, dry-run, check, format, open, workers, threads, device, quiet, verbose and color",
                ],
            )
        })
    }

    /// Converts the recipe to TOML, which [`Recipe::parse`] reads back, with `about` as a comment at the top.
    ///
    /// # Errors
    /// If a number is out of TOML's range.
    pub fn to_toml(&self, about: &str) -> Result<String> {
        let plain = toml::to_string(self)?;
        // TOML comments cannot have control characters; file names can.
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

    /// Returns the heading that precedes `key`; that of the architecture precedes the model or, without a model, the depth.
    fn heading_at(&self, key: &str) -> Option<&'static str> {
        let key = match key {
            "arch" if self.model.is_none() => "model",
            "depth" if self.model.is_none() && self.arch.is_none() => "model",
            key => key,
        };
        HEADINGS
            .iter()
            .find_map(|(first, heading)| (*first == key).then_some(*heading))
    }
}

/// Returns the most similar key for a message about an unknown one, which lists all keys.
fn suggest(message: &str) -> Option<&str> {
    let mut names = message
        .strip_prefix("unknown field ")?
        .split('`')
        .skip(1)
        .step_by(2);
    let written = names.next()?.to_lowercase().replace('_', "-");
    let (distance, key) = names
        .map(|key| (strsim::levenshtein(&written, key), key))
        .min()?;
    // Half the letters of a short word can turn into any other word.
    (distance <= 3.min(key.len() / 2)).then_some(key)
}

/// Returns the key of the value that a message is about: in the last line of `before`, or above it if the value is a list.
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

/// Rewrites a TOML parser's message with plain names of types.
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
    use crate::train::config::values::ImageSize;

    #[test]
    fn a_recipe_is_read_back_as_it_was_written() {
        let recipe = Recipe {
            data: Some("C:\\images \"x\"".into()),
            depth: Some(20),
            image_size: Some(ImageSize([24, 32])),
            mean: Some(vec![0.485, 0.456, 0.406]),
            lr: Some(0.1),
            seed: Some(u64::MAX),
            ..Recipe::default()
        };
        assert!(recipe.keys().contains(&"image-size"));
        let text = recipe.to_toml("made by a test\ntw\x07ice").unwrap();
        assert_eq!(Recipe::parse(&text).unwrap(), recipe);
        assert!(text.starts_with("# made by a test\n# tw\u{fffd}ice\n\n# Data\ndata = "));
        assert!(text.contains("\n# Architecture\ndepth = 20\n"), "{text}");
        assert!(text.contains("mean = [0.485, 0.456, 0.406]"), "{text}");
    }

    #[test]
    fn words_are_read_in_any_case_and_written_in_lower_case() {
        let text = "stem = 'CIFAR'\nfreeze = 'Layer1'\ncrop-mode = 'Center'\ninterpolation = 'BICUBIC'\naugment = 'Crop-Flip'\noptimizer = 'AdamW'\nscheduler = 'OneCycle'\nbest-by = 'Macro-F1'\ndtype = 'F32'\n";
        let recipe = Recipe::parse(text).unwrap();
        assert_eq!(recipe, Recipe::parse(&text.to_lowercase()).unwrap());
        assert_eq!(recipe.optimizer, Some(OptimizerKind::Adamw));
        let written = recipe.to_toml("").unwrap();
        assert!(written.contains("\noptimizer = \"adamw\"\n"), "{written}");
    }

    #[test]
    fn the_recipe_that_is_merged_into_another_overrides_it() {
        let overrides = Recipe {
            lr: Some(0.5),
            ..Recipe::default()
        };
        let other = Recipe {
            lr: Some(0.1),
            epochs: Some(3),
            ..Recipe::default()
        };
        let both = overrides.or(other);
        assert_eq!((both.lr, both.epochs), (Some(0.5), Some(3)));
        assert_eq!(both.keys(), ["epochs", "lr"]);
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
    fn another_optimizer_or_scheduler_drops_the_options_of_the_files() {
        let file = Recipe::parse(
            "optimizer = 'sgd'\nmomentum = 0.9\nnesterov = true\nno-norm-decay = false\nscheduler = 'step'\nmilestones = [3]\nwarmup-epochs = 1",
        )
        .unwrap();
        let over = |flags: &str| Recipe::parse(flags).unwrap().over(file.clone());
        let adam = over("optimizer = 'adam'");
        assert_eq!((adam.momentum, adam.nesterov), (None, None));
        let lars = over("optimizer = 'lars'");
        assert_eq!((lars.momentum, lars.no_norm_decay), (Some(0.9), None));
        assert_eq!(adam.no_norm_decay, Some(false));
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
        for (key, suggestion) in [
            ("weight_decay", Some("did you mean `weight-decay`? ")),
            ("epoch", Some("did you mean `epochs`? ")),
            ("learning-rate", None),
            ("output", None),
        ] {
            let error = Recipe::parse(&format!("{key} = 1")).unwrap_err();
            let hint = hint_of(&error).unwrap().to_string();
            let start = suggestion.unwrap_or("a recipe has ");
            assert!(hint.starts_with(start), "{key}: {hint}");
            assert!(hint.contains("except those of a single run: output, name, resume"));
        }
    }
}
