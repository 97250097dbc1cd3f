//! The data of a run: opened, with the part that validates, and the recipe that suits them.

use super::choices::StemRule;
use super::defaults::{Situation, defaults, usual_epochs};
use super::memory::ensure_fake;
use super::ranges::check_pictures;
use super::recipe::Recipe;
use super::rules::{drops_last, fewest_pictures};
use super::settings::{Settings, architecture};
use super::validation::{Measured, Validation};
use super::watch::Watch;
use crate::data::Transform;
use crate::data::augment::Policy;
use crate::data::batches::Batches;
use crate::data::sets::fingerprint::{file_sizes, sampled_contents};
use crate::data::sets::{DataSet, Kind, Split};
use crate::datasets::{self, DataName};
use crate::error::hinted;
use crate::eval::EvalOptions;
use crate::hub::Progress;
use crate::model::{ModelConfig, Preprocess};
use crate::weights::RunNote;
use crate::weights::run::{Carved, canonical};
use crate::words::counted;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::{self, Path};

/// The part of a folder's pictures that validates where none are put aside for it.
const FOLDER_VAL_SPLIT: f64 = 0.1;
/// The most pictures that are validated together.
const VALIDATED_TOGETHER: usize = 64;

/// The data that a run learns from, and what it is called.
pub(super) struct Data {
    pub set: DataSet,
    pub name: DataName,
    /// The part of the training pictures that was carved out to validate on.
    carved: Option<f64>,
}

impl Data {
    pub fn open(
        name: &DataName,
        written: &str,
        said: &Recipe,
        base: Option<&Preprocess>,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let seed = said.seed.unwrap_or(0);
        let mut set = match name {
            DataName::Fake { count, classes } => {
                let default = Preprocess::default();
                let base = base.unwrap_or(&default);
                check_pictures(said, base)?;
                let [height, width] = said.image_size.map_or(base.size, |size| size.0);
                let channels = said.mean.as_ref().map_or(base.mean.len(), Vec::len);
                let input = [channels, height, width];
                ensure_fake(*count, input)?;
                let mut set = datasets::fake(*count, *classes, input, seed)?;
                let erases = said.random_erase.is_some_and(|part| part > 0.0);
                if erases || said.augment.is_some_and(|policy| policy != Policy::None) {
                    set.notes.push(
                        "random numbers are no pictures: --augment and --random-erase change nothing".to_owned(),
                    );
                }
                set
            }
            _ => datasets::open(name, written, progress)?,
        };
        if set.train.as_ref().is_none_or(Split::is_empty) {
            return Err(hinted(
                format!("data set `{written}` has no training pictures"),
                "put them into `train/`, one folder a class",
            ));
        }
        let is_folder = matches!(name, DataName::Folder(_));
        if is_folder && set.kind == Kind::Small && base.is_none() && said.image_size.is_none() {
            let [height, width] = set.preprocess.size;
            set.notes.push(format!(
                "pictures of about {height}x{width}: trained at that size; --image-size 224 for another"
            ));
        }
        let alone = set.val.is_none() && set.test.is_none() && is_folder;
        let carved = said.val_split.or(alone.then_some(FOLDER_VAL_SPLIT));
        if let Some(fraction) = carved {
            set.carve(fraction, seed)?;
        }
        Ok(Self {
            set,
            name: name.clone(),
            carved,
        })
    }

    /// The data set as it can be written wherever one works.
    pub fn place(&self) -> String {
        let absolute = |path: &Path| {
            let found = path::absolute(path);
            found.as_deref().unwrap_or(path).display().to_string()
        };
        match &self.name {
            DataName::Folder(path) => absolute(path),
            DataName::Original(known, path) => format!("{}:{}", known.word(), absolute(path)),
            DataName::Sample | DataName::Named(_) | DataName::Fake { .. } => self.set.name.clone(),
        }
    }

    /// The recipe with every answer; `watch` is told where a number of steps decides that of the epochs.
    pub fn fill(
        &self,
        mut said: Recipe,
        model: Option<&ModelConfig>,
        base: &Preprocess,
        watch: &mut dyn Watch,
    ) -> Result<Recipe> {
        let from_model = model.is_some();
        check_pictures(&said, base)?;
        said.data = Some(self.set.name.clone());
        said.val_split = self.carved;
        let situation = Situation {
            kind: self.set.kind,
            from_model,
            pictures: self.set.train.as_ref().map_or(0, Split::len),
        };
        let size = said.image_size.map_or(base.size, |size| size.0);
        let config = match model {
            Some(config) => config.clone(),
            None => architecture(&said, size)?.config()?,
        };
        let steps_an_epoch = |batch_size| {
            let said = Recipe {
                batch_size: Some(batch_size),
                ..said.clone()
            };
            self.steps_an_epoch(&said, &config, size)
        };
        let defaults = defaults(situation, &said, base, steps_an_epoch);
        if let (None, Some(steps), Some(epochs)) = (said.epochs, said.max_steps, defaults.epochs) {
            let batch_size = said.batch_size.or(defaults.batch_size).unwrap_or(1);
            let usual = usual_epochs(situation, &said, steps_an_epoch(batch_size));
            if usual != epochs {
                watch.note(&format!(
                    "--max-steps {steps} shortens the schedule to {}; add --epochs {usual} to keep the usual one",
                    counted(epochs, "epoch")
                ));
            }
        }
        let mut recipe = said.or(defaults);
        if !from_model {
            let size = recipe.image_size.context("the defaults name a size")?;
            let architecture = architecture(&recipe, size.0)?;
            recipe.depth = Some(architecture.depth);
            recipe.stem = architecture.stem.map(StemRule::from);
        }
        Ok(recipe)
    }

    /// Optimiser steps of an epoch of a net with inputs of `size`.
    pub fn steps_an_epoch(&self, recipe: &Recipe, config: &ModelConfig, size: [usize; 2]) -> u64 {
        let pictures = self.set.train.as_ref().map_or(0, Split::len);
        let batch_size = recipe.batch_size.unwrap_or(1).clamp(1, pictures.max(1));
        let frozen = recipe.freeze.unwrap_or_default();
        // A net that cannot be built has its own error, later.
        let fewest = fewest_pictures(config, size, frozen).unwrap_or(1);
        let drop_last = recipe.drop_last.unwrap_or(false);
        let drop_last = drops_last(pictures, batch_size, drop_last, fewest);
        let batches = Batches::count(pictures, batch_size, drop_last);
        batches.div_ceil(recipe.grad_accumulation.unwrap_or(1).max(1)) as u64
    }

    /// The pictures that choose the best epoch, and those that are left to measure on at the end.
    pub fn validation(
        &self,
        settings: &Settings,
        workers: usize,
    ) -> Result<(Option<Validation>, Option<Validation>)> {
        let make = |split: &Split, name: &str, text: String| -> Result<Validation> {
            Ok(Validation {
                split: name.to_owned(),
                text,
                pictures: Measured {
                    split: split.clone(),
                    transform: Transform::new(&settings.preprocess)?,
                    options: EvalOptions {
                        batch: settings.batch_size.min(VALIDATED_TOGETHER),
                        workers,
                        decoding: settings.decoding,
                        strict: settings.strict,
                    },
                },
                features: None,
                labels: self.set.labels.clone(),
                left_out: BTreeSet::new(),
            })
        };
        let test = match self.set.test.as_ref().filter(|test| !test.is_empty()) {
            Some(test) => Some(make(test, "test", counted(test.len(), "test picture"))?),
            None => None,
        };
        Ok(match (&self.set.val, self.carved) {
            (Some(val), Some(part)) => {
                let text = format!(
                    "{} carved out of train ({} %, of every class, seed {})",
                    counted(val.len(), "picture"),
                    100.0 * part,
                    settings.seed
                );
                (Some(make(val, "train", text)?), test)
            }
            (Some(val), None) => {
                let text = format!("{} of val", counted(val.len(), "picture"));
                (Some(make(val, "val", text)?), test)
            }
            (None, _) => (test, None),
        })
    }

    /// What the model's note says of the pictures that teach it; noise is not worth one.
    /// `from` is that of the model that the run began with.
    pub fn note(&self, seed: u64, from: Option<RunNote>) -> Option<RunNote> {
        let carved = self.carved.map(|part| Carved::of(&self.set, part, seed));
        (self.set.kind != Kind::Noise).then(|| RunNote {
            data: canonical(&self.set.name),
            carved,
            chosen: None,
            from: from.map(Box::new),
        })
    }

    /// What the names and classes of the pictures add up to: other pictures have another.
    pub fn fingerprint(&self) -> String {
        self.set.fingerprint(self.splits())
    }

    /// What the sizes of the pictures' files add up to: pictures that were changed most often have another.
    pub fn sizes(&self) -> String {
        file_sizes(self.splits())
    }

    /// What a sample of the pictures' contents adds up to.
    pub fn contents(&self) -> String {
        sampled_contents(self.splits())
    }

    fn splits(&self) -> impl Iterator<Item = &Split> {
        let all = [&self.set.train, &self.set.val, &self.set.test];
        all.into_iter().flatten()
    }
}
