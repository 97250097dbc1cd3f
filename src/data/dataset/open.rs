//! Opens the dataset of a name: bundled, on the hub, original files, a folder or shards.

use anyhow::{Context, Result};

use super::{BuiltinDataset, Dataset, DatasetName, cifar, clipped_gray, folder, idx, sample};
#[cfg(feature = "datasets")]
use super::{parquet, shards};
#[cfg(not(feature = "datasets"))]
use crate::error::error_with_hint;
use crate::error::usage_error;
#[cfg(feature = "datasets")]
use crate::hub::Hub;
use crate::hub::Progress;

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
        #[cfg(feature = "datasets")]
        DatasetName::Hub(dataset, columns) => shards::hub(dataset, columns, written, progress),
        #[cfg(feature = "datasets")]
        DatasetName::Parquet(pattern, columns) => shards::tables(pattern, columns, written),
        #[cfg(feature = "datasets")]
        DatasetName::WebDataset(pattern) => shards::tars(pattern, written),
        DatasetName::Fake { .. } => Err(usage_error(
            "random inputs are for training only",
            "pass a dataset of images",
        )),
    }
    .with_context(|| format!("cannot read dataset `{written}`"))?;
    written.clone_into(&mut data.name);
    let splits = [&data.train, &data.val, &data.test];
    let note = clipped_gray::note(splits.into_iter().flatten());
    data.notes.extend(note);
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
