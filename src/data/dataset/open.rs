//! Opens the dataset of a name: bundled, on the hub, original files, a folder or shards.

use anyhow::{Context, Result};

use super::{
    BuiltinDataset, Dataset, DatasetName, cifar, clipped_gray, folder, idx, labels_csv, sample,
};
#[cfg(feature = "datasets")]
use super::{parquet, shards};
use crate::distributed::Processes;
use crate::error::{error_with_hint, setting, usage_error};
#[cfg(feature = "datasets")]
use crate::hub::Hub;
use crate::hub::Progress;
use crate::message;

/// Opens the dataset `name`, which the user wrote as `written`; downloads report to `progress`.
///
/// Random inputs need the size of a model: use [`fake()`](super::fake()).
///
/// # Errors
/// When the dataset cannot be downloaded, is missing, damaged or not a dataset, and for random inputs.
pub fn open(name: &DatasetName, written: &str, progress: &dyn Progress) -> Result<Dataset> {
    open_shared(name, written, progress, &Processes::alone())
}

/// Opens the dataset `name` in several processes, as [`open()`]; those that see the same shards share their index.
///
/// # Errors
/// Those of [`open()`]; when another process opens another form of data, or is gone.
pub fn open_shared(
    name: &DatasetName,
    written: &str,
    progress: &dyn Progress,
    processes: &Processes,
) -> Result<Dataset> {
    ensure_same_form(name, written, processes)?;
    let mut data = match name {
        DatasetName::Sample => sample::read(),
        DatasetName::Named(known) => download(*known, progress),
        DatasetName::Original(known, folder) => match known {
            BuiltinDataset::Cifar10 | BuiltinDataset::Cifar100 => cifar::read(folder, *known),
            BuiltinDataset::Mnist | BuiltinDataset::FashionMnist => idx::read(folder, *known),
        },
        DatasetName::Folder(path) => folder::read(path, written),
        DatasetName::Labeled(path, csv) => labels_csv::read(path, csv, written),
        #[cfg(feature = "datasets")]
        DatasetName::Hub(dataset, columns) => {
            shards::hub(dataset, columns, written, progress, processes)
        }
        #[cfg(feature = "datasets")]
        DatasetName::Parquet(pattern, columns) => {
            shards::tables(pattern, columns, written, processes)
        }
        #[cfg(feature = "datasets")]
        DatasetName::WebDataset(pattern) => shards::tars(pattern, written, processes),
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

/// Rejects data of another form than that of process 0, before the processes exchange what they have of it. They compare its images
/// themselves.
///
/// # Errors
/// When another process opens another form of data, or is gone.
pub(crate) fn ensure_same_form(
    name: &DatasetName,
    written: &str,
    processes: &Processes,
) -> Result<()> {
    let all = processes.gather_values(&(form(name).to_owned(), written.to_owned()))?;
    let Some(rank) = all.iter().position(|(form, _)| *form != all[0].0) else {
        return Ok(());
    };
    let [first, other] = [&all[0], &all[rank]].map(|(_, written)| setting("data").to(written));
    Err(error_with_hint(
        message![
            format!("process {rank} has "),
            other,
            ", process 0 has ",
            first
        ],
        "give every process the same options",
    ))
}

/// Returns a word for the form of the data.
fn form(name: &DatasetName) -> &'static str {
    match name {
        DatasetName::Sample => "sample",
        DatasetName::Named(_) => "name",
        DatasetName::Original(..) => "original",
        DatasetName::Folder(_) => "folder",
        DatasetName::Labeled(..) => "labels",
        #[cfg(feature = "datasets")]
        DatasetName::Hub(..) => "hub",
        #[cfg(feature = "datasets")]
        DatasetName::Parquet(..) => "parquet",
        #[cfg(feature = "datasets")]
        DatasetName::WebDataset(_) => "tar",
        DatasetName::Fake { .. } => "fake",
    }
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
    use crate::distributed::threads::in_processes;
    use crate::error::hint_of;
    use crate::hub::Silent;

    #[test]
    fn processes_that_open_data_of_other_forms_are_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().display().to_string();
        let errors = in_processes(3, |processes| {
            let written = match processes.rank() {
                2 => folder.as_str(),
                _ => "sample",
            };
            let name = DatasetName::parse(written).unwrap();
            let error = open_shared(&name, written, &Silent, processes).unwrap_err();
            assert!(hint_of(&error).is_some());
            error.to_string()
        });
        let expected = format!("process 2 has data = {folder}, process 0 has data = sample");
        assert_eq!(errors.unwrap(), [expected.as_str(); 3]);
    }
}
