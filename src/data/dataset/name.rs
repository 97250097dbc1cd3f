//! The DATA argument of the command line: the name of a dataset that is bundled, on the hub, original files, a folder or shards.

use std::path::{Path, PathBuf};

use anyhow::Result;

#[cfg(feature = "datasets")]
use super::shards::HubDataset;
#[cfg(feature = "datasets")]
use super::shards::columns::ColumnNames;
use super::suggest_path::suggest_path;
use super::{BuiltinDataset, LabelsCsv};
use crate::error::{error_with_hint, setting, usage_error};
use crate::message;

/// Default number of classes of random inputs.
const FAKE_CLASSES: usize = 10;

/// The name of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatasetName {
    /// The sample bundled with the binary.
    Sample,
    /// A public dataset on the hub.
    Named(BuiltinDataset),
    /// The original files of a public dataset, in a folder.
    Original(BuiltinDataset, PathBuf),
    /// A folder of images.
    Folder(PathBuf),
    /// A folder of images whose classes a table names.
    Labeled(PathBuf, LabelsCsv),
    /// A dataset of the hub, in parquet files, with the columns that the user named.
    #[cfg(feature = "datasets")]
    Hub(HubDataset, ColumnNames),
    /// Parquet files, with the columns that the user named.
    #[cfg(feature = "datasets")]
    Parquet(String, ColumnNames),
    /// Tar shards.
    #[cfg(feature = "datasets")]
    WebDataset(String),
    /// Random inputs.
    Fake {
        /// Training inputs.
        count: usize,
        /// Classes.
        classes: usize,
    },
}

impl DatasetName {
    /// Parses a DATA argument. `sample`, the names of known datasets and their `name:DIR` are fixed words, which take
    /// precedence over folders of that name (`./cifar10` is the folder); `fake:N` and `fake:N:CLASSES` are random inputs;
    /// `hf:`, `parquet:` and `wds:` are shards; anything else is a folder.
    ///
    /// # Errors
    /// Wrong usage if it is malformed; a failure if there is no such dataset or folder, or the path is a file.
    pub fn parse(written: &str) -> Result<Self> {
        let path = Path::new(written);
        let (word, rest) = match written.split_once(':') {
            Some((word, rest)) => (word, Some(rest)),
            None => (written, None),
        };
        let known = BuiltinDataset::ALL
            .into_iter()
            .find(|known| known.word() == word);
        match (known, word, rest) {
            (_, "sample", None) => Ok(Self::Sample),
            (_, "sample", Some(_)) => Err(usage_error(
                format!("`{written}`: the sample is bundled with the binary and has no folder"),
                "write `sample`",
            )),
            (Some(known), _, None) => Ok(Self::Named(known)),
            (Some(known), _, Some(folder)) => original(known, folder),
            (_, "fake", rest) if rest.is_some() || !path.is_dir() => {
                noise(written, rest.unwrap_or_default())
            }
            (_, "hf" | "parquet" | "wds", Some(rest)) => sharded(word, rest),
            _ if path.is_dir() => Ok(Self::Folder(path.to_owned())),
            _ => Err(suggest(written)),
        }
    }

    /// Returns a name for files and folders, such as `sample`, `cifar10` or the folder's own: letters, digits, `-`, `_`, `.`.
    pub fn short_name(&self) -> String {
        match self {
            Self::Sample => "sample".to_owned(),
            Self::Named(known) | Self::Original(known, _) => known.word().to_owned(),
            Self::Fake { .. } => "fake".to_owned(),
            Self::Folder(path) | Self::Labeled(path, _) => {
                // `.` has a name too.
                let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
                let name = whole.file_name().unwrap_or_default().to_string_lossy();
                safe_name(&name, "folder")
            }
            #[cfg(feature = "datasets")]
            Self::Hub(dataset, _) => {
                let name = dataset.repo.rsplit('/').next().unwrap_or_default();
                safe_name(name, "hub")
            }
            #[cfg(feature = "datasets")]
            Self::Parquet(pattern, _) | Self::WebDataset(pattern) => {
                // What is before the first letter that is not one of a name.
                let name = Path::new(pattern)
                    .file_stem()
                    .unwrap_or_default()
                    .to_string_lossy();
                let name = name.split(['{', '*', '?', '[']).next().unwrap_or_default();
                safe_name(name, "shards")
            }
        }
    }

    /// Returns whether the images are those of a user: in folders or shards, of any size.
    pub fn is_of_images(&self) -> bool {
        match self {
            Self::Folder(_) | Self::Labeled(..) => true,
            #[cfg(feature = "datasets")]
            Self::Hub(..) | Self::Parquet(..) | Self::WebDataset(_) => true,
            _ => false,
        }
    }
}

/// Returns `name` with letters that are safe in the names of files; `otherwise` if none is left.
fn safe_name(name: &str, otherwise: &str) -> String {
    let safe = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
    let name = name.replace(|letter| !safe(letter), "-");
    let name = name.trim_matches(['.', '-']);
    if name.is_empty() { otherwise } else { name }.to_owned()
}

/// Parses what follows `hf:`, `parquet:` or `wds:`.
fn sharded(word: &str, rest: &str) -> Result<DatasetName> {
    if rest.is_empty() {
        return Err(usage_error(
            format!("`{word}:` lacks the dataset"),
            "write `hf:ORG/NAME`, `parquet:PATTERN` or `wds:PATTERN`, such as `wds:train-{0000..0127}.tar`",
        ));
    }
    #[cfg(feature = "datasets")]
    return Ok(match word {
        "hf" => DatasetName::Hub(HubDataset::parse(rest)?, ColumnNames::default()),
        "parquet" => DatasetName::Parquet(rest.to_owned(), ColumnNames::default()),
        _ => DatasetName::WebDataset(rest.to_owned()),
    });
    #[cfg(not(feature = "datasets"))]
    Err(error_with_hint(
        "this build has no feature `datasets`",
        "build with it, or pass a folder of images",
    ))
}

/// Parses `cifar10:DIR`.
fn original(known: BuiltinDataset, folder: &str) -> Result<DatasetName> {
    let word = known.word();
    if folder.is_empty() {
        return Err(usage_error(
            format!("`{word}:` lacks the folder"),
            format!("write `{word}:DIR` for the original files in DIR, or `{word}` to download it"),
        ));
    }
    let path = PathBuf::from(folder);
    if !path.is_dir() {
        return Err(error_with_hint(
            format!("cannot read dataset `{word}:{folder}`: no such folder"),
            format!("pass the folder with the original files, or write `{word}` to download it"),
        ));
    }
    Ok(DatasetName::Original(known, path))
}

/// Parses `fake:N[:CLASSES]`.
fn noise(written: &str, rest: &str) -> Result<DatasetName> {
    let numbers: Option<Vec<usize>> = rest
        .split(':')
        .map(|number| number.parse().ok().filter(|&number| number > 0))
        .collect();
    match numbers.as_deref() {
        Some(&[count]) => Ok(DatasetName::Fake {
            count,
            classes: FAKE_CLASSES,
        }),
        Some(&[count, classes]) => Ok(DatasetName::Fake { count, classes }),
        _ => Err(usage_error(
            format!("`{written}` lacks the number of random inputs"),
            "write `fake:N` or `fake:N:CLASSES`, both at least 1, such as `fake:1000:10`",
        )),
    }
}

/// Returns the error of an argument that is neither a fixed word nor a folder.
fn suggest(written: &str) -> anyhow::Error {
    if Path::new(written).exists() {
        return error_with_hint(
            format!("`{written}` is a file, but a dataset is a folder"),
            if written.to_lowercase().contains(".tar") {
                format!("pass shards as `wds:{written}`")
            } else if written.ends_with(".parquet") {
                format!("pass it as `parquet:{written}`")
            } else if written.to_lowercase().ends_with(".csv") {
                return error_with_hint(
                    format!("`{written}` is a file, but a dataset is a folder"),
                    message![
                        "pass the folder of its images as ",
                        setting("data"),
                        ", and the file as ",
                        setting("labels-csv")
                    ],
                );
            } else {
                "pass a folder with one folder of images per class; `cifar10:DIR` reads the original files in DIR".to_owned()
            },
        );
    }
    let (word, rest) = match written.split_once(':') {
        Some((word, rest)) => (word, format!(":{rest}")),
        None => (written, String::new()),
    };
    let lower = word.to_lowercase();
    let known = BuiltinDataset::ALL
        .map(BuiltinDataset::word)
        .into_iter()
        .chain(["sample", "fake"]);
    let nearest = known
        .map(|known| (strsim::levenshtein(&lower, known), known))
        .min();
    let is_path = word.contains(['/', '\\', '.']) || Path::new(written).is_absolute();
    match nearest {
        // Half the letters of a short word make any other word.
        Some((distance, known)) if !is_path && distance <= 3.min(known.len() / 2 - 1) => error_with_hint(
            format!("there is no dataset or folder `{written}`"),
            format!("did you mean `{known}{rest}`?"),
        ),
        _ => error_with_hint(
            format!("cannot read dataset `{written}`: no such folder"),
            match suggest_path(Path::new(written), Path::is_dir) {
                Some(folder) => format!("did you mean `{}`?", folder.display()),
                None => "pass a folder of images, `sample`, `cifar10`, `cifar100`, `mnist`, `fashion-mnist`, `hf:ORG/NAME`, `parquet:PATTERN`, `wds:PATTERN` or `fake:N`".to_owned(),
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{hint_of, is_usage_error};

    #[test]
    fn every_form_of_the_table_is_understood() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().to_str().unwrap();
        for (written, name) in [
            ("sample".to_owned(), DatasetName::Sample),
            (
                "cifar10".to_owned(),
                DatasetName::Named(BuiltinDataset::Cifar10),
            ),
            (
                "cifar100".to_owned(),
                DatasetName::Named(BuiltinDataset::Cifar100),
            ),
            (
                "mnist".to_owned(),
                DatasetName::Named(BuiltinDataset::Mnist),
            ),
            (
                "fashion-mnist".to_owned(),
                DatasetName::Named(BuiltinDataset::FashionMnist),
            ),
            (
                format!("cifar100:{here}"),
                DatasetName::Original(BuiltinDataset::Cifar100, here.into()),
            ),
            (
                format!("fashion-mnist:{here}"),
                DatasetName::Original(BuiltinDataset::FashionMnist, here.into()),
            ),
            (here.to_owned(), DatasetName::Folder(here.into())),
            ("./src".to_owned(), DatasetName::Folder("./src".into())),
            (
                "fake:64".to_owned(),
                DatasetName::Fake {
                    count: 64,
                    classes: 10,
                },
            ),
            (
                "fake:1:1000".to_owned(),
                DatasetName::Fake {
                    count: 1,
                    classes: 1000,
                },
            ),
        ] {
            assert_eq!(DatasetName::parse(&written).unwrap(), name, "{written}");
        }
    }

    #[test]
    fn only_the_four_names_take_a_folder_after_a_colon() {
        for written in ["C:\\images", "D:/images", "sample:src", "pets:src"] {
            let error = DatasetName::parse(written).unwrap_err();
            assert!(error.to_string().contains(written), "{error}");
        }
        #[cfg(unix)]
        {
            let folder = tempfile::tempdir().unwrap();
            let odd = folder.path().join("C:images");
            std::fs::create_dir(&odd).unwrap();
            let parsed = DatasetName::parse(odd.to_str().unwrap()).unwrap();
            assert_eq!(parsed, DatasetName::Folder(odd));
        }
    }

    #[test]
    fn wrong_usage_and_missing_datasets_have_a_hint() {
        for (written, hint) in [
            ("cifar11", "did you mean `cifar10`?"),
            ("CIFAR-10", "did you mean `cifar10`?"),
            ("CIFAR100", "did you mean `cifar100`?"),
            ("fashion_mnist", "did you mean `fashion-mnist`?"),
            ("MNIST", "did you mean `mnist`?"),
            ("smaple", "did you mean `sample`?"),
            ("cifar-10:/data", "did you mean `cifar10:/data`?"),
            ("fake", "write `fake:N`"),
            ("fake:", "write `fake:N`"),
            ("fake:0", "write `fake:N`"),
            ("fake:8:0", "write `fake:N`"),
            ("fake:8:2:1", "write `fake:N`"),
            ("fake:-3", "write `fake:N`"),
            ("fake:99999999999999999999", "write `fake:N`"),
            ("mnist:", "write `mnist:DIR`"),
            ("Cargo.toml", "pass a folder"),
            ("wds:", "write `hf:ORG/NAME`"),
            ("hf:", "write `hf:ORG/NAME`"),
            ("hf:org/name:", "write `hf:ORG/NAME`"),
        ] {
            let error = DatasetName::parse(written).unwrap_err();
            // A dataset that is not there is no wrong usage, however near its name is.
            let is_missing = hint.starts_with("did you mean") || written == "Cargo.toml";
            assert_eq!(is_usage_error(&error), !is_missing, "{written}");
            let text = hint_of(&error).unwrap().to_string();
            assert!(text.starts_with(hint), "{written}: {text}");
        }
        for written in [
            "no/such/folder",
            "pets",
            "",
            "mnist:no/such/folder",
            "./cifar10",
        ] {
            let error = DatasetName::parse(written).unwrap_err();
            assert!(
                !is_usage_error(&error) && hint_of(&error).is_some(),
                "{written}"
            );
            assert_eq!(
                error.to_string(),
                format!("cannot read dataset `{written}`: no such folder")
            );
        }
    }

    #[test]
    fn short_names_are_safe_for_files() {
        let folder = tempfile::tempdir().unwrap();
        for (name, short) in [
            ("my pets (2024)", "my-pets--2024"),
            ("katzen_ü.v2", "katzen_ü.v2"),
            ("...", "folder"),
            ("..a", "a"),
        ] {
            let path = folder.path().join(name);
            let named = DatasetName::Folder(path);
            assert_eq!(named.short_name(), short);
        }
        let here = DatasetName::Folder(".".into()).short_name();
        assert!(!here.is_empty() && here != "folder");
        let files = DatasetName::Original(BuiltinDataset::Cifar10, "x".into());
        assert_eq!(files.short_name(), "cifar10");
    }
}
