//! Provenance of a model's weights: which images trained them and which selected the epoch, so that metrics on the same
//! images can be marked.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::data::dataset::fingerprint::file_sizes;
use crate::data::dataset::folder::{part_of, read};
use crate::data::dataset::{DataSet, Split};
use crate::error::error_with_hint;
use crate::text::pluralize;

/// Key of a `config.json` under which [`RunNote`] is stored.
pub const KEY: &str = "resnet_run";

/// Name of a part that was held out of the training images, among the splits of [`RunNote::seen`].
pub const CARVED: &str = "carved";

/// Name of the images that remain in train beside such a part, among the splits of [`RunNote::seen`].
pub const TRAINED_ON: &str = "trained on";

/// Datasets with a short name; `name:DIR` means the same images.
const NAMED: [&str; 5] = ["sample", "cifar10", "cifar100", "mnist", "fashion-mnist"];

/// The images that trained a run's model, and those that selected it as the best.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunNote {
    /// Data of the run, as returned by [`canonical`].
    pub data: String,
    /// The part of the training images that was held out for validation, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carved: Option<Carved>,
    /// Selection of this model among the epochs of the run; `None` if it is simply the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Chosen>,
    /// Provenance of the model that the run started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Box<RunNote>>,
}

/// A part held out of the training images, described so that it can be reproduced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Carved {
    /// Fraction held out of each class.
    pub part: f64,
    /// Seed that selects the images.
    pub seed: u64,
    /// Number of images held out.
    pub images: usize,
    /// Fingerprint of the names and classes of both parts, by [`DataSet::fingerprint`]; other images would give another
    /// held-out part.
    #[serde(default)]
    pub fingerprint: String,
}

impl Carved {
    /// Describes the `part` that was held out of `data` with `seed`.
    pub fn of(data: &DataSet, part: f64, seed: u64) -> Self {
        Self {
            part,
            seed,
            images: data.val.as_ref().map_or(0, Split::len),
            fingerprint: data.fingerprint([&data.train, &data.val].into_iter().flatten()),
        }
    }
}

/// The selection of an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
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
pub enum Seen {
    /// None that is known.
    Never,
    /// The model was trained on them.
    Learnt,
    /// They selected the epoch of the model.
    Chose(Chosen),
    /// The model was trained on most of them, and the others, held out, selected its epoch.
    LearntAndChose(Chosen),
}

impl RunNote {
    /// Returns the role that the images of `split` of `data`, as given by the user, had for the model and for the one
    /// that it started from. `split` is `train`, `val`, `test`, [`CARVED`], [`TRAINED_ON`], or `all` for a whole folder of
    /// class folders.
    pub fn seen(&self, data: &str, split: &str) -> Seen {
        let in_run = self.seen_in_run(data, split);
        let Some(from) = &self.from else {
            return in_run;
        };
        // What was carved out of the training pictures here taught the earlier model, unless it was carved there, too.
        let split = match split {
            CARVED | TRAINED_ON if from.carved != self.carved => "train",
            split => split,
        };
        match (in_run, from.seen(data, split)) {
            (Seen::Never, before) => before,
            (Seen::Chose(by), Seen::Learnt | Seen::LearntAndChose(_)) => Seen::LearntAndChose(by),
            (in_run, _) => in_run,
        }
    }

    fn seen_in_run(&self, data: &str, split: &str) -> Seen {
        let data = canonical(data);
        let chosen = self.chosen.as_ref();
        let chosen_by = chosen.map_or("", |chosen| chosen.split.as_str());
        let chose = || chosen.cloned().map_or(Seen::Never, Seen::Chose);
        let learnt = || match chosen {
            Some(chosen) if split == "all" || chosen_by == "train" => {
                Seen::LearntAndChose(chosen.clone())
            }
            _ => Seen::Learnt,
        };
        if pictures_of(&data) == pictures_of(&self.data) {
            return match split {
                "all" | "train" => learnt(),
                TRAINED_ON => Seen::Learnt,
                CARVED if chosen_by == "train" => chose(),
                _ if split == chosen_by => chose(),
                _ => Seen::Never,
            };
        }
        match self.part_at(&data) {
            Some("train") => Seen::Learnt,
            Some(part) if part == chosen_by => chose(),
            _ => Seen::Never,
        }
    }

    /// Returns the part of the run's data whose own folder is `data`, to be evaluated whole.
    fn part_at(&self, data: &str) -> Option<&'static str> {
        let mut folders = fs::read_dir(&self.data).ok()?.flatten();
        folders.find_map(|entry| {
            let part = part_of(&entry.file_name().to_string_lossy())?;
            (canonical_path(&entry.path()) == data).then_some(part)
        })
    }

    /// Returns true if `data`, given by the user as `written`, is the run's data: by its name or path or, if a part was held out, as
    /// a copy of the run's folder.
    pub fn is_of(&self, data: &DataSet, written: &str) -> bool {
        canonical(written) == self.data || self.is_copied(data)
    }

    /// Returns true if `data` has the names and classes of the run's images and, if those are still in their place, files of
    /// the same sizes.
    fn is_copied(&self, data: &DataSet) -> bool {
        let Some(carved) = &self.carved else {
            return false;
        };
        let mut parts = data.clone();
        let has_the_names = !carved.fingerprint.is_empty()
            && parts.carve(carved.part, carved.seed).is_ok()
            && Carved::of(&parts, carved.part, carved.seed) == *carved;
        let original = Path::new(&self.data);
        let sizes = |data: &DataSet| file_sizes(&data.train);
        let has_the_sizes = |original: DataSet| sizes(&original) == sizes(data);
        has_the_names && (!original.is_dir() || read(original, &self.data).is_ok_and(has_the_sizes))
    }

    /// Holds out the validation part of the run from `data` again, as its validation split.
    ///
    /// # Errors
    /// If the data have changed since the run.
    pub fn carve(&self, data: &mut DataSet) -> Result<()> {
        let Some(carved) = &self.carved else {
            return Ok(());
        };
        data.carve(carved.part, carved.seed)?;
        if Carved::of(data, carved.part, carved.seed) == *carved {
            return Ok(());
        }
        Err(error_with_hint(
            format!(
                "the {} of `{}` held out for validation cannot be identified: its training images have changed since the run",
                pluralize(carved.images, "image"),
                data.name,
            ),
            "restore the images as they were during training, pass other images with -d, or pass --split all to evaluate all of these",
        ))
    }
}

/// Returns one text for data that are the same however they were given: a name without the folder of its files, or the
/// canonical path of a folder.
pub fn canonical(data: &str) -> String {
    let name = data.split_once(':').map_or(data, |(name, _)| name);
    if NAMED.contains(&name) {
        name.to_owned()
    } else {
        canonical_path(Path::new(data))
    }
}

/// Returns the dataset that the images belong to: those of the sample are Fashion-MNIST's, split by split.
fn pictures_of(canonical: &str) -> &str {
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
mod tests {
    use super::*;

    fn note(data: &str, split: &str) -> RunNote {
        RunNote {
            data: canonical(data),
            carved: None,
            chosen: Some(chosen(split)),
            from: None,
        }
    }

    fn chosen(split: &str) -> Chosen {
        Chosen {
            split: split.to_owned(),
            images: 10,
            epoch: 3,
            val_top1: 50.0,
        }
    }

    #[test]
    fn what_the_earlier_model_has_seen_is_remembered() {
        let earlier = RunNote {
            chosen: None,
            ..note("fashion-mnist", "test")
        };
        let own = RunNote {
            carved: Some(Carved {
                part: 0.1,
                seed: 0,
                images: 600,
                fingerprint: String::new(),
            }),
            from: Some(Box::new(earlier)),
            ..note("sample", "train")
        };
        assert_eq!(
            own.seen("sample", CARVED),
            Seen::LearntAndChose(chosen("train"))
        );
        assert_eq!(own.seen("sample", "test"), Seen::Never);
        let other = RunNote {
            from: own.from.clone(),
            ..note("mnist", "test")
        };
        assert_eq!(other.seen("fashion-mnist", "train"), Seen::Learnt);
        assert_eq!(other.seen("mnist", "test"), Seen::Chose(chosen("test")));
    }

    #[test]
    fn a_named_data_set_is_the_same_wherever_its_files_are() {
        let note = note("cifar10:some/folder", "test");
        assert_eq!(note.seen("cifar10", "test"), Seen::Chose(chosen("test")));
        assert_eq!(note.seen("cifar10:elsewhere", "train"), Seen::Learnt);
        assert_eq!(note.seen("cifar10", "val"), Seen::Never);
        assert_eq!(note.seen("cifar100", "test"), Seen::Never);
        assert_eq!(note.seen("fake:10", "train"), Seen::Never);
    }

    #[test]
    fn the_sample_is_a_part_of_fashion_mnist() {
        let whole = note("fashion-mnist", "test");
        assert_eq!(whole.seen("sample", "test"), Seen::Chose(chosen("test")));
        assert_eq!(whole.seen("sample", "train"), Seen::Learnt);
        let part = note("sample", "train");
        assert_eq!(
            part.seen("fashion-mnist:x", "train"),
            Seen::LearntAndChose(chosen("train"))
        );
        assert_eq!(part.seen("fashion-mnist", "test"), Seen::Never);
        assert_eq!(part.seen("mnist", "train"), Seen::Never);
    }

    #[test]
    fn folders_are_the_same_by_their_true_paths() {
        let folder = tempfile::tempdir().unwrap();
        for split in ["train", "validation", "test"] {
            fs::create_dir(folder.path().join(split)).unwrap();
        }
        let written = |rest: &str| folder.path().join(rest).display().to_string();
        let note = note(&written(""), "val");
        assert_eq!(
            note.seen(&written("train/.."), "val"),
            Seen::Chose(chosen("val"))
        );
        assert_eq!(
            note.seen(&written("."), "all"),
            Seen::LearntAndChose(chosen("val"))
        );
        assert_eq!(note.seen(&written("."), "test"), Seen::Never);
        assert_eq!(
            note.seen(&written("validation"), "all"),
            Seen::Chose(chosen("val"))
        );
        assert_eq!(note.seen(&written("train"), "all"), Seen::Learnt);
        assert_eq!(note.seen(&written("test"), "all"), Seen::Never);
    }

    #[test]
    fn a_parts_own_folder_is_known_by_every_name_of_it() {
        for (train, test) in [("train", "test"), ("Training", "testing")] {
            let folder = tempfile::tempdir().unwrap();
            let written = |rest: &str| folder.path().join(rest).display().to_string();
            for part in [train, test] {
                fs::create_dir(written(part)).unwrap();
            }
            let note = note(&written(""), "test");
            assert_eq!(note.seen(&written(train), "all"), Seen::Learnt);
            let seen = note.seen(&written(test), "all");
            assert_eq!(seen, Seen::Chose(chosen("test")));
        }
    }

    #[test]
    fn a_part_carved_out_of_train_is_in_train() {
        assert_eq!(
            note("sample", "train").seen("sample", "train"),
            Seen::LearntAndChose(chosen("train"))
        );
        assert_eq!(note("sample", "train").seen("sample", "test"), Seen::Never);
    }

    #[test]
    fn the_last_model_learnt_from_train_and_nothing_chose_it() {
        let last = RunNote {
            chosen: None,
            ..note("sample", "train")
        };
        assert_eq!(last.seen("sample", "train"), Seen::Learnt);
        assert_eq!(last.seen("sample", "all"), Seen::Learnt);
        assert_eq!(last.seen("sample", CARVED), Seen::Never);
        assert_eq!(last.seen("sample", TRAINED_ON), Seen::Learnt);
        let best = note("sample", "train");
        assert_eq!(best.seen("sample", CARVED), Seen::Chose(chosen("train")));
        assert_eq!(best.seen("sample", "val"), Seen::Never);
    }
}
