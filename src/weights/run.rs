//! Which pictures chose a model's weights among the epochs of its run, so that a figure on the same ones is marked.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// The key of a `config.json` under which [`RunNote`] stands.
pub const KEY: &str = "resnet_run";

/// The data sets that are called by a name; `name:DIR` means the same pictures.
const NAMED: [&str; 5] = ["sample", "cifar10", "cifar100", "mnist", "fashion-mnist"];

/// What a run's best model knows of the pictures that made it the best.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunNote {
    /// The run's data, by [`canonical`].
    pub data: String,
    /// The split that validated: `val`, `test`, or `train` for a part that was carved out of it.
    pub split: String,
    /// Pictures that validated.
    pub images: usize,
    /// The epoch chosen, from 1.
    pub epoch: usize,
    /// Its top-1 on those pictures, in percent.
    pub val_top1: f64,
}

/// What pictures had to do with a model before they measure it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Nothing that is known.
    Never,
    /// The model learnt from them.
    Learnt,
    /// They chose the model among the epochs of its run.
    Chose,
    /// It learnt from most of them, and the others, carved out of them, chose it.
    LearntAndChose,
}

impl RunNote {
    /// What the pictures of `split` (`train`, `val`, `test`, or `all` for a whole folder of class folders) of the data that a
    /// user wrote as `data` had to do with the model.
    pub fn seen(&self, data: &str, split: &str) -> Seen {
        let data = canonical(data);
        if pictures_of(&data) == pictures_of(&self.data) {
            return match split {
                "all" => Seen::LearntAndChose,
                "train" if self.split == "train" => Seen::LearntAndChose,
                _ if split == self.split => Seen::Chose,
                "train" => Seen::Learnt,
                _ => Seen::Never,
            };
        }
        // A split's own folder, evaluated whole.
        let inside = |folder: &str| canonical_path(&Path::new(&self.data).join(folder)) == data;
        let names: &[&str] = match self.split.as_str() {
            "val" => &["val", "valid", "validation"],
            "test" => &["test"],
            _ => &[],
        };
        if names.iter().any(|name| inside(name)) {
            Seen::Chose
        } else if inside("train") {
            Seen::Learnt
        } else {
            Seen::Never
        }
    }
}

/// One text for data that are the same however a user wrote them: a name without the folder of its files, or a folder's
/// true path.
pub fn canonical(data: &str) -> String {
    let name = data.split_once(':').map_or(data, |(name, _)| name);
    if NAMED.contains(&name) {
        name.to_owned()
    } else {
        canonical_path(Path::new(data))
    }
}

/// The data set whose pictures these are: the sample's are Fashion-MNIST's, split by split.
fn pictures_of(canonical: &str) -> &str {
    match canonical {
        "sample" => "fashion-mnist",
        other => other,
    }
}

/// The true path, or the path as it is where there is nothing.
fn canonical_path(path: &Path) -> String {
    let found = path.canonicalize();
    found.as_deref().unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn note(data: &str, split: &str) -> RunNote {
        RunNote {
            data: canonical(data),
            split: split.to_owned(),
            images: 10,
            epoch: 3,
            val_top1: 50.0,
        }
    }

    #[test]
    fn a_named_data_set_is_the_same_wherever_its_files_are() {
        let note = note("cifar10:some/folder", "test");
        assert_eq!(note.seen("cifar10", "test"), Seen::Chose);
        assert_eq!(note.seen("cifar10:elsewhere", "train"), Seen::Learnt);
        assert_eq!(note.seen("cifar10", "val"), Seen::Never);
        assert_eq!(note.seen("cifar100", "test"), Seen::Never);
        assert_eq!(note.seen("fake:10", "train"), Seen::Never);
    }

    #[test]
    fn the_sample_is_a_part_of_fashion_mnist() {
        let whole = note("fashion-mnist", "test");
        assert_eq!(whole.seen("sample", "test"), Seen::Chose);
        assert_eq!(whole.seen("sample", "train"), Seen::Learnt);
        let part = note("sample", "train");
        assert_eq!(part.seen("fashion-mnist:x", "train"), Seen::LearntAndChose);
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
        assert_eq!(note.seen(&written("train/.."), "val"), Seen::Chose);
        assert_eq!(note.seen(&written("."), "all"), Seen::LearntAndChose);
        assert_eq!(note.seen(&written("."), "test"), Seen::Never);
        assert_eq!(note.seen(&written("validation"), "all"), Seen::Chose);
        assert_eq!(note.seen(&written("train"), "all"), Seen::Learnt);
        assert_eq!(note.seen(&written("test"), "all"), Seen::Never);
    }

    #[test]
    fn a_part_carved_out_of_train_is_in_train() {
        assert_eq!(
            note("sample", "train").seen("sample", "train"),
            Seen::LearntAndChose
        );
        assert_eq!(note("sample", "train").seen("sample", "test"), Seen::Never);
    }
}
