//! Provenance of a model's weights: which images trained them and which selected the epoch, so that metrics on the same
//! images can be marked.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::data::dataset::fingerprint::file_sizes;
use crate::data::dataset::folder::read;
use crate::data::dataset::part_names::part_of;
use crate::data::dataset::{Dataset, Split};
use crate::error::{error_with_hint, setting};
use crate::message;
use crate::text::pluralize;

/// Key of a `config.json` under which [`TrainingProvenance`] is stored.
pub const KEY: &str = "resnet_run";

/// Name of a part that was held out of the training images, among the splits of [`TrainingProvenance::exposure`].
pub const HELD_OUT: &str = "held out";

/// Name of the images that remain in train beside such a part, among the splits of [`TrainingProvenance::exposure`].
pub const TRAINED_ON: &str = "trained on";

/// Datasets with a short name; `name:DIR` means the same images.
const NAMED: [&str; 5] = ["sample", "cifar10", "cifar100", "mnist", "fashion-mnist"];

/// The images that trained a run's model, and those that selected it as the best.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingProvenance {
    /// Data of the run, as returned by [`canonical`].
    pub data: String,
    /// The part of the training images that was held out for validation, if any.
    #[serde(default, rename = "carved", skip_serializing_if = "Option::is_none")]
    pub held_out: Option<HeldOutSplit>,
    /// Selection of this model among the epochs of the run; `None` if it is simply the last.
    #[serde(default, rename = "chosen", skip_serializing_if = "Option::is_none")]
    pub selection: Option<Selection>,
    /// Provenance of the model that the run started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Box<TrainingProvenance>>,
}

/// A part held out of the training images, described so that it can be reproduced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldOutSplit {
    /// Fraction held out of each class.
    #[serde(rename = "part")]
    pub fraction: f64,
    /// Seed that selects the images.
    pub seed: u64,
    /// Number of images held out.
    pub images: usize,
    /// Fingerprint of the names and classes of both parts, by [`Dataset::fingerprint`]; other images would give another
    /// held-out part.
    #[serde(default)]
    pub fingerprint: String,
}

impl HeldOutSplit {
    /// Describes the `part` that was held out of `data` with `seed`.
    pub fn of(data: &Dataset, fraction: f64, seed: u64) -> Self {
        Self {
            fraction,
            seed,
            images: data.val.as_ref().map_or(0, Split::len),
            fingerprint: data.fingerprint([&data.train, &data.val].into_iter().flatten()),
        }
    }
}

/// The selection of an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// Validation split: `val`, `test`, or `train` for a part that was held out of it.
    pub split: String,
    /// Number of validation images.
    pub images: usize,
    /// Selected epoch, from 1.
    pub epoch: usize,
    /// Top-1 of that epoch on the validation images, in percent.
    pub val_top1: f64,
}

/// The role that images had for a model before they measure it.
#[derive(Debug, Clone, PartialEq)]
pub enum Exposure {
    /// None that is known.
    Never,
    /// The model was trained on them.
    Trained,
    /// They selected the epoch of the model.
    Selected(Selection),
    /// The model was trained on most of them, and the others, held out, selected its epoch.
    TrainedAndSelected(Selection),
}

impl TrainingProvenance {
    /// Returns the role that the images of `split` of `data`, as given by the user, had for the model and for the one
    /// that it started from. `split` is `train`, `val`, `test`, [`HELD_OUT`], [`TRAINED_ON`], or `all` for a whole folder of
    /// class folders.
    pub fn exposure(&self, data: &str, split: &str) -> Exposure {
        let in_run = self.exposure_in_run(data, split);
        let Some(from) = &self.from else {
            return in_run;
        };
        // The earlier model was trained on the part held out here, unless it held out the same.
        let split = match split {
            HELD_OUT | TRAINED_ON if from.held_out != self.held_out => "train",
            split => split,
        };
        match (in_run, from.exposure(data, split)) {
            (Exposure::Never, before) => before,
            (Exposure::Selected(by), Exposure::Trained | Exposure::TrainedAndSelected(_)) => {
                Exposure::TrainedAndSelected(by)
            }
            (in_run, _) => in_run,
        }
    }

    fn exposure_in_run(&self, data: &str, split: &str) -> Exposure {
        let data = canonical(data);
        let selection = self.selection.as_ref();
        let selected_by = selection.map_or("", |selection| selection.split.as_str());
        let selected = || {
            selection
                .cloned()
                .map_or(Exposure::Never, Exposure::Selected)
        };
        let trained = || match selection {
            Some(selection) if split == "all" || selected_by == "train" => {
                Exposure::TrainedAndSelected(selection.clone())
            }
            _ => Exposure::Trained,
        };
        if parent_dataset(&data) == parent_dataset(&self.data) {
            return match split {
                "all" | "train" => trained(),
                TRAINED_ON => Exposure::Trained,
                HELD_OUT if selected_by == "train" => selected(),
                _ if split == selected_by => selected(),
                _ => Exposure::Never,
            };
        }
        match self.split_at(&data) {
            Some("train") => Exposure::Trained,
            Some(part) if part == selected_by => selected(),
            _ => Exposure::Never,
        }
    }

    /// Returns the part of the run's data whose own folder is `data`, to be evaluated whole.
    fn split_at(&self, data: &str) -> Option<&'static str> {
        let mut folders = fs::read_dir(&self.data).ok()?.flatten();
        folders.find_map(|entry| {
            let part = part_of(&entry.file_name().to_string_lossy())?;
            (canonical_path(&entry.path()) == data).then_some(part)
        })
    }

    /// Returns true if `data`, given by the user as `argument`, is the run's data: by its name or path or, if a part was held out, as
    /// a copy of the run's folder.
    pub fn is_of(&self, data: &Dataset, argument: &str) -> bool {
        canonical(argument) == self.data || self.is_copy(data)
    }

    /// Returns true if `data` has the names and classes of the run's images and, if those are still in their place, files of
    /// the same sizes.
    fn is_copy(&self, data: &Dataset) -> bool {
        let Some(held_out) = &self.held_out else {
            return false;
        };
        let mut parts = data.clone();
        let has_the_names = !held_out.fingerprint.is_empty()
            && parts.hold_out(held_out.fraction, held_out.seed).is_ok()
            && HeldOutSplit::of(&parts, held_out.fraction, held_out.seed) == *held_out;
        let original = Path::new(&self.data);
        let sizes = |data: &Dataset| file_sizes(&data.train);
        let has_the_sizes = |original: Dataset| sizes(&original) == sizes(data);
        has_the_names && (!original.is_dir() || read(original, &self.data).is_ok_and(has_the_sizes))
    }

    /// Holds out the validation part of the run from `data` again, as its validation split.
    ///
    /// # Errors
    /// If the data have changed since the run.
    pub fn hold_out(&self, data: &mut Dataset) -> Result<()> {
        let Some(held_out) = &self.held_out else {
            return Ok(());
        };
        data.hold_out(held_out.fraction, held_out.seed)?;
        if HeldOutSplit::of(data, held_out.fraction, held_out.seed) == *held_out {
            return Ok(());
        }
        Err(error_with_hint(
            format!(
                "the {} of `{}` held out for validation cannot be identified: its training images have changed since the run",
                pluralize(held_out.images, "image"),
                data.name,
            ),
            message![
                "restore the images as they were during training, pass other images with ",
                setting("data"),
                ", or pass ",
                setting("split").to("all"),
                " to evaluate all of these"
            ],
        ))
    }
}

/// Returns one text for data that are the same however they were given: a name without the folder of its files, or the
/// canonical path of a folder, or the absolute pattern of shards.
pub fn canonical(data: &str) -> String {
    match data.split_once(':') {
        _ if NAMED.contains(&data) => data.to_owned(),
        Some((name, _)) if NAMED.contains(&name) => name.to_owned(),
        // A pattern is no path, but it is below a folder.
        Some((name @ ("parquet" | "wds"), pattern)) => {
            let absolute = std::path::absolute(pattern);
            let absolute = absolute.as_deref().unwrap_or(Path::new(pattern));
            format!("{name}:{}", absolute.display())
        }
        Some(("hf", _)) => data.to_owned(),
        _ => canonical_path(Path::new(data)),
    }
}

/// Returns the dataset that the images belong to: those of the sample are Fashion-MNIST's, split by split.
fn parent_dataset(canonical: &str) -> &str {
    match canonical {
        "sample" => "fashion-mnist",
        other => other,
    }
}

/// Returns the canonical path, or the path unchanged if it does not exist.
fn canonical_path(path: &Path) -> String {
    let found = path.canonicalize();
    found.as_deref().unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests;
