//! The splits of shards by the names of their files, as the hub reads them: `train-00000-of-00005.parquet`, `test/0.tar`.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::data::dataset::part_names::part_of;
use crate::error::error_with_hint;

/// The files of train, val and test.
pub type SplitFiles = [Vec<PathBuf>; 3];

/// The splits, in their order.
pub const PARTS: [&str; 3] = ["train", "val", "test"];

/// Divides files by the splits that their names tell. Without any, all are for training.
///
/// A remark is added to `notes` if some files are of no split.
///
/// # Errors
/// When files are of splits, but none is for training, validation or testing.
pub fn by_name(files: Vec<PathBuf>, notes: &mut Vec<String>) -> Result<SplitFiles> {
    let mut splits = SplitFiles::default();
    let mut others = Vec::new();
    for file in files {
        match split_of(&file) {
            Some(part) => splits[part].push(file),
            None => others.push(file),
        }
    }
    if splits.iter().all(Vec::is_empty) {
        splits[0] = others;
    } else if let Some(first) = others.first() {
        if splits[0].is_empty() {
            return Err(error_with_hint(
                format!("`{}` names no split, but other files do", first.display()),
                "name all files or none by their splits, such as `train-0000.tar`",
            ));
        }
        notes.push(format!(
            "ignored beside the splits: {} files, such as `{}`",
            others.len(),
            first.display()
        ));
    }
    Ok(splits)
}

/// Returns the number of the split that the name of a file tells, or else the name of its folder.
pub fn split_of(file: &Path) -> Option<usize> {
    let stem = file.file_name()?.to_string_lossy().into_owned();
    let mut words = stem.split(|letter: char| !letter.is_alphabetic());
    let folder = file
        .parent()
        .and_then(Path::file_name)
        .unwrap_or_default()
        .to_string_lossy();
    words.find_map(number).or_else(|| number(&folder))
}

/// Returns the number of the split that a word names.
pub fn number(word: &str) -> Option<usize> {
    let part = match word.to_lowercase().as_str() {
        "eval" | "evaluation" => "test",
        _ => part_of(word)?,
    };
    PARTS.iter().position(|known| *known == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_tell_splits() {
        for (file, part) in [
            ("data/train-00000-of-00005.parquet", Some(0)),
            ("x/imagenet-train-{0}.tar", Some(0)),
            ("pets_validation_3.tar", Some(1)),
            ("val.tar", Some(1)),
            ("dev-0.parquet", Some(1)),
            ("x/test/0000.parquet", Some(2)),
            ("test/train-0.tar", Some(0)),
            ("trainer-0.tar", None),
            ("0000.tar", None),
        ] {
            assert_eq!(split_of(Path::new(file)), part, "{file}");
        }
    }

    #[test]
    fn files_without_a_split_are_for_training_or_named() {
        let files = |names: &[&str]| names.iter().map(PathBuf::from).collect();
        let mut notes = Vec::new();
        let splits = by_name(files(&["0.tar", "1.tar"]), &mut notes).unwrap();
        assert_eq!(splits.map(|split| split.len()), [2, 0, 0]);
        assert!(notes.is_empty());
        let splits = by_name(files(&["train-0.tar", "x.tar", "test.tar"]), &mut notes).unwrap();
        assert_eq!(splits.map(|split| split.len()), [1, 0, 1]);
        assert_eq!(
            notes,
            ["ignored beside the splits: 1 files, such as `x.tar`"]
        );
        assert!(by_name(files(&["x.tar", "test.tar"]), &mut notes).is_err());
    }
}
