//! The data of a run: the dataset with its validation set, and the defaults that suit it.

use crate::data::EvalTransform;
use crate::data::dataset::fingerprint::{HashedImage, Property, file_sizes, sampled_contents};
use crate::data::dataset::{self, DatasetName};
use crate::data::dataset::{Dataset, DatasetKind, Split};
use crate::data::loader::train::EpochBatches;
use crate::data::transform::augment::Policy;
use crate::distributed::Processes;
use crate::error::{self, WithKind, error_with_hint, setting};
use crate::eval::EvalOptions;
use crate::hub::Progress;
use crate::message;
use crate::model::{Frozen, ModelConfig, Preprocess};
use crate::text::pluralize;
use crate::train::config::complete::defaults;
use crate::train::config::defaults::Situation;
use crate::train::config::large_batch;
use crate::train::config::recipe::Recipe;
use crate::train::config::settings::{Settings, architecture};
use crate::train::config::validate::check_preprocessing;
use crate::train::config::values::StemRule;
use crate::train::context::ExecutionContext;
use crate::train::data::batching::{drops_last, smallest_batch};
use crate::train::data::validation::{EvalSet, Validation};
use crate::train::memory::ensure_fake;
use crate::train::observe::observer::Observer;
use crate::weights::TrainingProvenance;
use crate::weights::provenance::{HeldOutSplit, canonical};
use anyhow::{Context, Error, Result};
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::{self, Path};

/// The fraction of a folder's images that is held out for validation if it has no split for it.
const FOLDER_VAL_SPLIT: f64 = 0.1;
/// Training images of a class below which a warning names it.
const FEW_IMAGES: usize = 10;
/// Classes that such a warning names.
const MOST_NAMED: usize = 5;
/// Maximum number of images per validation batch.
const VALIDATED_TOGETHER: usize = 64;

/// The data of a run and its name.
pub(in crate::train) struct Data {
    pub set: Dataset,
    pub name: DatasetName,
    /// The fraction of the training images that is held out for validation.
    held_out: Option<f64>,
    fingerprints: OnceCell<Fingerprints>,
}

/// Hashes of all images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::train) struct Fingerprints {
    /// Of their names and classes.
    pub images: String,
    /// Of the sizes of their files, which detects most changed images.
    pub sizes: String,
    /// Of a sample of their contents.
    pub contents: String,
}

impl Data {
    pub fn open(
        name: &DatasetName,
        written: &str,
        overrides: &Recipe,
        base: Option<&Preprocess>,
        progress: &dyn Progress,
        processes: &Processes,
    ) -> Result<Self> {
        let seed = overrides.seed.unwrap_or(0);
        let name = &name.clone().with_options(overrides.table_options())?;
        let mut set = match name {
            DatasetName::Fake { count, classes } => {
                let default = Preprocess::default();
                let base = base.unwrap_or(&default);
                check_preprocessing(overrides, base)?;
                let [height, width] = overrides.image_size.map_or(base.size, |size| size.0);
                let channels = overrides.mean.as_ref().map_or(base.mean.len(), Vec::len);
                let input = [channels, height, width];
                dataset::ensure_same_form(name, written, processes)?;
                ensure_fake(*count, input, processes)?;
                let mut set = dataset::fake(*count, *classes, input, seed)?;
                let erases = overrides.random_erase.is_some_and(|part| part > 0.0);
                if erases
                    || overrides
                        .augment
                        .is_some_and(|policy| policy != Policy::None)
                {
                    set.notes.push(message![
                        "random inputs: ",
                        setting("augment"),
                        " and ",
                        setting("random-erase"),
                        " have no effect",
                    ]);
                }
                set
            }
            _ => dataset::open_shared(name, written, progress, processes)
                .with_kind(error::Error::Dataset)?,
        };
        if set.train.as_ref().is_none_or(Split::is_empty) {
            return Err(error_with_hint(
                format!("dataset `{written}` has no training images"),
                "put them into `train/`, one folder per class",
            ));
        }
        let is_of_images = name.is_of_images();
        if is_of_images
            && set.kind == DatasetKind::Small
            && base.is_none()
            && overrides.image_size.is_none()
        {
            let [height, width] = set.preprocess.size;
            set.notes.push(message![
                format!("images of about {height}x{width} px: trained at that size; `"),
                setting("image-size").to(224),
                "` for another",
            ]);
        }
        let alone = set.val.is_none() && set.test.is_none() && is_of_images;
        let held_out = overrides.val_split.or(alone.then_some(FOLDER_VAL_SPLIT));
        if let Some(fraction) = held_out {
            set.hold_out(fraction, seed)?;
        }
        Ok(Self {
            set,
            name: name.clone(),
            held_out,
            fingerprints: OnceCell::new(),
        })
    }

    /// Returns whether the dataset is a folder or shards of photographs.
    pub fn is_photographs(&self) -> bool {
        self.set.kind == DatasetKind::Photographs && self.name.is_of_images()
    }

    /// Returns a warning that names the classes of a folder with fewer than ten training images.
    pub fn warning_of_small_classes(&self) -> Option<Error> {
        let train = self
            .set
            .train
            .as_ref()
            .filter(|split| split.is_of_files())?;
        let mut counts = vec![0; self.set.labels.len()];
        for &class in train.classes() {
            counts[class as usize] += 1;
        }
        small_classes(&self.set.labels, &counts)
    }

    /// Returns the dataset as DATA that is valid in every working folder.
    pub fn location(&self) -> String {
        let absolute = |path: &Path| {
            let found = path::absolute(path);
            found.as_deref().unwrap_or(path).display().to_string()
        };
        match &self.name {
            DatasetName::Folder(path) | DatasetName::Labeled(path, _) => absolute(path),
            DatasetName::Original(known, path) => format!("{}:{}", known.word(), absolute(path)),
            #[cfg(feature = "datasets")]
            DatasetName::Parquet(pattern, _) => format!("parquet:{}", absolute(Path::new(pattern))),
            #[cfg(feature = "datasets")]
            DatasetName::WebDataset(pattern) => format!("wds:{}", absolute(Path::new(pattern))),
            _ => self.set.name.clone(),
        }
    }

    /// Completes the recipe with defaults; notes to `observer` if the number of steps decides that of the epochs, and if the
    /// batch is large.
    pub fn fill(
        &self,
        mut overrides: Recipe,
        model: Option<&ModelConfig>,
        base: &Preprocess,
        observer: &mut dyn Observer,
    ) -> Result<Recipe> {
        let from_model = model.is_some();
        check_preprocessing(&overrides, base)?;
        overrides.data = Some(self.set.name.clone());
        // Valid in every working folder, as the images are found again by their own path.
        if let DatasetName::Labeled(_, csv) = &self.name {
            let absolute = path::absolute(&csv.path);
            let absolute = absolute.as_ref().unwrap_or(&csv.path);
            overrides.labels_csv = Some(absolute.display().to_string());
        }
        overrides.val_split = self.held_out;
        let situation = Situation {
            kind: self.set.kind,
            from_model,
            is_probe: overrides.freeze == Some(Frozen::Backbone),
            images: self.set.train.as_ref().map_or(0, Split::len),
        };
        let size = overrides.image_size.map_or(base.size, |size| size.0);
        let config = match model {
            Some(config) => config.clone(),
            None => architecture(&overrides, size)?.config()?,
        };
        let steps_an_epoch = |batch_size| {
            let overrides = Recipe {
                batch_size: Some(batch_size),
                ..overrides.clone()
            };
            self.steps_an_epoch(&overrides, &config, size)
        };
        let defaults = defaults(&situation, &overrides, base, steps_an_epoch);
        if let (None, Some(steps), Some(epochs)) =
            (overrides.epochs, overrides.max_steps, defaults.epochs)
        {
            let batch_size = overrides.batch_size.or(defaults.batch_size).unwrap_or(1);
            let usual = situation.epochs(steps_an_epoch(batch_size));
            if usual != epochs {
                observer.note(&message![
                    setting("max-steps").to(steps),
                    " shortens the schedule to ",
                    pluralize(epochs, "epoch"),
                    "; add `",
                    setting("epochs").to(usual),
                    "` to keep the default one",
                ]);
            }
        }
        let mut recipe = overrides.or(defaults);
        if let Some(note) = large_batch::note(&situation, &recipe) {
            observer.note(&note);
        }
        if !from_model {
            let size = recipe
                .image_size
                .context("the defaults have an image size")?;
            let architecture = architecture(&recipe, size.0)?;
            if recipe.arch.is_none() {
                recipe.depth = Some(architecture.depth);
            }
            recipe.stem = architecture.stem.map(StemRule::from);
        }
        Ok(recipe)
    }

    /// Returns the optimizer steps per epoch of a network with inputs of `size`.
    pub fn steps_an_epoch(&self, recipe: &Recipe, config: &ModelConfig, size: [usize; 2]) -> u64 {
        let images = self.set.train.as_ref().map_or(0, Split::len);
        let batch_size = recipe.batch_size.unwrap_or(1).clamp(1, images.max(1));
        let frozen = recipe.freeze.unwrap_or_default();
        // A network that cannot be built fails with its own error later.
        let fewest = smallest_batch(config, size, frozen).unwrap_or(1);
        let drop_last = recipe.drop_last.unwrap_or(false);
        let drop_last = drops_last(images, batch_size, drop_last, fewest);
        let batches = EpochBatches::count(images, batch_size, drop_last);
        batches.div_ceil(recipe.grad_accumulation.unwrap_or(1).max(1)) as u64
    }

    /// Returns the validation set, and the test set if the validation set is another one.
    pub fn validation(
        &self,
        settings: &Settings,
        context: &ExecutionContext,
    ) -> Result<(Option<Validation>, Option<Validation>)> {
        let make = |split: &Split, name: &str, text: String| -> Result<Validation> {
            Ok(Validation {
                split: name.to_owned(),
                text,
                images: EvalSet {
                    split: split.clone(),
                    transform: EvalTransform::new(&settings.preprocess)?,
                    options: EvalOptions {
                        batch: settings.batch_size.min(VALIDATED_TOGETHER),
                        workers: context.workers,
                        decoding: settings.decoding,
                        strict: settings.strict,
                        processes: context.processes.clone(),
                    },
                },
                features: None,
                labels: self.set.labels.clone(),
                unreadable_images: BTreeSet::new(),
            })
        };
        let test = match self.set.test.as_ref().filter(|test| !test.is_empty()) {
            Some(test) => Some(make(test, "test", pluralize(test.len(), "test image"))?),
            None => None,
        };
        Ok(match (&self.set.val, self.held_out) {
            (Some(val), Some(part)) => {
                let text = format!(
                    "{} held out of train ({} % of each class, seed {})",
                    pluralize(val.len(), "image"),
                    100.0 * part,
                    settings.seed
                );
                (Some(make(val, "train", text)?), test)
            }
            (Some(val), None) => {
                let text = pluralize(val.len(), "validation image");
                (Some(make(val, "val", text)?), test)
            }
            (None, _) => (test, None),
        })
    }

    /// Returns the provenance that the saved models carry; `None` for random inputs. `from` is that of the pretrained model.
    pub fn note(&self, seed: u64, from: Option<TrainingProvenance>) -> Option<TrainingProvenance> {
        let held_out = self
            .held_out
            .map(|part| HeldOutSplit::of(&self.set, part, seed));
        (self.set.kind != DatasetKind::Noise).then(|| TrainingProvenance {
            data: canonical(&self.identity()),
            held_out,
            selection: None,
            from: from.map(Box::new),
        })
    }

    /// Returns what tells the data from other data.
    pub fn identity(&self) -> String {
        self.name.identity(&self.set.name)
    }

    /// Returns the hashes of all images, which are computed once.
    pub fn fingerprints(&self) -> &Fingerprints {
        self.fingerprints.get_or_init(|| Fingerprints {
            images: self.set.fingerprint(self.splits()),
            sizes: file_sizes(self.splits()),
            contents: sampled_contents(self.splits()),
        })
    }

    /// Returns the images that a fingerprint of `property` is of, each with the hash up to it.
    pub fn hashed_images(&self, property: Property) -> Vec<HashedImage<'_>> {
        self.set.hashed_images(self.splits(), property)
    }

    /// Returns the number of images in all splits.
    pub fn images(&self) -> usize {
        self.splits().map(Split::len).sum()
    }

    fn splits(&self) -> impl Iterator<Item = &Split> {
        let all = [&self.set.train, &self.set.val, &self.set.test];
        all.into_iter().flatten()
    }
}

/// Returns the warning that names the classes with fewer than [`FEW_IMAGES`] training images; `None` if there are none.
fn small_classes(labels: &[String], counts: &[usize]) -> Option<Error> {
    let classes = labels.iter().zip(counts);
    let small: Vec<_> = classes.filter(|(_, count)| **count < FEW_IMAGES).collect();
    let message = match small.as_slice() {
        [] => return None,
        [(label, count)] => format!(
            "class `{label}` has {}, fewer than {FEW_IMAGES}",
            pluralize(**count, "training image")
        ),
        several => {
            let named = several.iter().take(MOST_NAMED);
            let named: Vec<String> = named
                .map(|(label, count)| format!("`{label}` ({count})"))
                .collect();
            let rest = match several.len().saturating_sub(MOST_NAMED) {
                0 => String::new(),
                rest => format!(" and {rest} more"),
            };
            format!(
                "{} have fewer than {FEW_IMAGES} training images: {}{rest}",
                pluralize(several.len(), "class"),
                named.join(", ")
            )
        }
    };
    Some(error_with_hint(
        message,
        "add images: a model cannot be expected to tell such a class apart",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_with_fewer_than_ten_images_are_named_with_their_counts() {
        let labels: Vec<String> = ('a'..='h').map(String::from).collect();
        let warning = |counts: &[usize]| small_classes(&labels, counts).map(|e| e.to_string());
        assert_eq!(warning(&[10; 8]), None);
        let one = warning(&[10, 9, 10, 10, 10, 10, 10, 10]);
        let expected = "class `b` has 9 training images, fewer than 10";
        assert_eq!(one.as_deref(), Some(expected));
        let two = warning(&[10, 1, 10, 10, 10, 10, 10, 0]);
        let expected = "2 classes have fewer than 10 training images: `b` (1), `h` (0)";
        assert_eq!(two.as_deref(), Some(expected));
        let many = warning(&[3; 8]).unwrap();
        assert!(many.ends_with("`d` (3), `e` (3) and 3 more"), "{many}");
    }
}
