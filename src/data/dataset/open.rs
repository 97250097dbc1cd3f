//! The DATA argument of the command line, and the dataset that it names: bundled, on the hub, original files or a folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

#[cfg(feature = "datasets")]
use super::parquet;
use super::suggest_path::suggest_path;
use super::{BuiltinDataset, Dataset, cifar, folder, idx, sample};
use crate::error::{error_with_hint, usage_error};
#[cfg(feature = "datasets")]
use crate::hub::Hub;
use crate::hub::Progress;

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
    /// anything else is a folder.
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
            Self::Folder(path) => {
                // `.` has a name too.
                let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
                let name = whole.file_name().unwrap_or_default().to_string_lossy();
                let safe = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
                let name = name.replace(|letter| !safe(letter), "-");
                let name = name.trim_matches(['.', '-']);
                if name.is_empty() { "folder" } else { name }.to_owned()
            }
        }
    }
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
            "pass a folder with one folder of images per class; `cifar10:DIR` reads the original files in DIR",
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
                None => "pass a folder of images, `sample`, `cifar10`, `cifar100`, `mnist`, `fashion-mnist` or `fake:N`".to_owned(),
            },
        ),
    }
}

/// Opens the dataset `name`, which the user wrote as `written`; downloads report to `progress`.
///
/// Random inputs need the size of a model: use [`fake()`](super::fake()).
///
/// # Errors
/// When the dataset cannot be downloaded, is missing, damaged or not a dataset, and for random inputs.
pub fn open(name: &DatasetName, written: &str, progress: &dyn Progress) -> Result<Dataset> {
    let mut data = match name {
        DatasetName::Sample => sample::read(),
        DatasetName::Named(known) => download(*known, progress),
        DatasetName::Original(known, folder) => match known {
            BuiltinDataset::Cifar10 | BuiltinDataset::Cifar100 => cifar::read(folder, *known),
            BuiltinDataset::Mnist | BuiltinDataset::FashionMnist => idx::read(folder, *known),
        },
        DatasetName::Folder(path) => folder::read(path, written),
        DatasetName::Fake { .. } => Err(usage_error(
            "random inputs are for training only",
            "pass a dataset of images",
        )),
    }
    .with_context(|| format!("cannot read dataset `{written}`"))?;
    written.clone_into(&mut data.name);
    Ok(data)
}

/// Returns the error of a dataset in a form that this build cannot read.
#[cfg(not(feature = "datasets"))]
fn download(known: BuiltinDataset, _progress: &dyn Progress) -> Result<Dataset> {
    Err(error_with_hint(
        "this build has no feature `datasets`",
        format!(
            "build with it, or pass the folder with the original files as `{}:DIR`",
            known.word()
        ),
    ))
}

/// Returns the dataset from the cache, or downloads it from the hub.
#[cfg(feature = "datasets")]
fn download(known: BuiltinDataset, progress: &dyn Progress) -> Result<Dataset> {
    let (repository, folder) = match known {
        BuiltinDataset::Cifar10 => ("uoft-cs/cifar10", "plain_text"),
        BuiltinDataset::Cifar100 => ("uoft-cs/cifar100", "cifar100"),
        BuiltinDataset::Mnist => ("ylecun/mnist", "mnist"),
        BuiltinDataset::FashionMnist => ("zalando-datasets/fashion_mnist", "fashion_mnist"),
    };
    let hub = Hub::from_env()?;
    let file = |part: &str| {
        let file = format!("{folder}/{part}-00000-of-00001.parquet");
        hub.data_file(repository, None, &file, progress)
    };
    let (train, test) = (file("train")?, file("test")?);
    parquet::read(&train, &test, known)
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
