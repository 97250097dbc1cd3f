//! Datasets of the hub: `ORG/NAME[@REVISION][:CONFIG]`, through their parquet files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result};

use super::card::{Config, DatasetCard};
use super::columns::ColumnNames;
use super::index::IndexPlace;
use super::open::of_tables;
use super::splits::{SplitFiles, by_name, number};
use crate::data::dataset::Dataset;
use crate::distributed::Processes;
use crate::error::{error_with_hint, usage_error};
use crate::hub::{Hub, Progress};

/// The branch on which the hub itself keeps the parquet form of datasets that have another one.
const CONVERTED: &str = "refs/convert/parquet";

/// The name of a dataset of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubDataset {
    /// `org/name`.
    pub repo: String,
    /// A branch, a tag or a commit.
    pub revision: Option<String>,
    /// A choice of its files.
    pub config: Option<String>,
}

impl HubDataset {
    /// Parses `ORG/NAME[@REVISION][:CONFIG]`.
    ///
    /// # Errors
    /// Wrong usage if a part is empty.
    pub fn parse(written: &str) -> Result<Self> {
        let (name, config) = match written.split_once(':') {
            Some((name, config)) => (name, Some(config)),
            None => (written, None),
        };
        let (repo, revision) = match name.split_once('@') {
            Some((repo, revision)) => (repo, Some(revision)),
            None => (name, None),
        };
        if repo.is_empty() || config == Some("") || revision == Some("") {
            return Err(usage_error(
                format!("`hf:{written}` lacks a name"),
                "write `hf:ORG/NAME`, `hf:ORG/NAME@REVISION` or `hf:ORG/NAME:CONFIG`",
            ));
        }
        Ok(Self {
            repo: repo.to_owned(),
            revision: revision.map(str::to_owned),
            config: config.map(str::to_owned),
        })
    }
}

/// Reads a dataset from the cache, or downloads it from the hub first; the processes share its index.
///
/// # Errors
/// When it cannot be fetched, has no parquet files or several configurations, and those of tables.
pub fn hub(
    dataset: &HubDataset,
    named: &ColumnNames,
    name: &str,
    progress: &dyn Progress,
    processes: &Processes,
) -> Result<Dataset> {
    let HubDataset {
        repo,
        revision,
        config,
    } = dataset;
    let hub = Hub::from_env()?;
    let fetch = |file: &str| hub.data_file(repo, revision.as_deref(), file, progress);
    let listing = hub.data_files(repo, revision.as_deref(), progress)?;
    let card = match listing.files.iter().find(|file| *file == "README.md") {
        Some(file) => DatasetCard::of(
            &fs::read_to_string(fetch(file)?).with_context(|| format!("`{file}` of `{repo}`"))?,
        ),
        None => DatasetCard::default(),
    };
    let tables: Vec<&str> = listing
        .files
        .iter()
        .map(String::as_str)
        .filter(|file| file.ends_with(".parquet"))
        .collect();
    if tables.is_empty() {
        let written = config
            .as_ref()
            .map_or(String::new(), |config| format!(":{config}"));
        return Err(error_with_hint(
            format!("`{repo}` has no parquet files"),
            match revision.as_deref() {
                Some(CONVERTED) => "download its files and pass their folder".to_owned(),
                _ => format!(
                    "`hf:{repo}@{CONVERTED}{written}` is the hub's own conversion, if there is one"
                ),
            },
        ));
    }
    let configs = if card.configs.is_empty() {
        by_folder(&tables)
    } else {
        by_card(&card.configs, &tables)
    };
    let (chosen, splits) = choose(repo, config.as_deref(), &card.configs, configs)?;
    if listing.is_from_cache {
        refuse_incomplete(repo, &splits)?;
    }
    let mut notes = Vec::new();
    let splits = fetched(splits, &fetch, &mut notes)?;
    of_tables(
        &splits,
        IndexPlace::Cache,
        named,
        &card.features(&chosen),
        name,
        processes,
        notes,
    )
}

/// The files of a configuration, by the name of their split; without one, their names tell it.
type ConfigFiles = Vec<(Option<String>, Vec<String>)>;

/// Returns the configurations that a card describes, with the files that match.
fn by_card(configs: &[Config], tables: &[&str]) -> BTreeMap<String, ConfigFiles> {
    let files = |pattern: &String| {
        let pattern = glob::Pattern::new(pattern).ok();
        let matching = tables.iter().filter(move |file| {
            pattern
                .as_ref()
                .is_some_and(|pattern| pattern.matches(file))
        });
        matching.map(|file| (*file).to_owned())
    };
    let config = |config: &Config| {
        let splits = config.files.iter().map(|(split, patterns)| {
            let files: BTreeSet<String> = patterns.iter().flat_map(files).collect();
            (Some(split.clone()), files.into_iter().collect())
        });
        (config.name.clone(), splits.collect())
    };
    configs.iter().map(config).collect()
}

/// Returns the configurations by the first folder of the files, if that names neither a split nor `data`.
fn by_folder(tables: &[&str]) -> BTreeMap<String, ConfigFiles> {
    let mut configs: BTreeMap<String, ConfigFiles> = BTreeMap::new();
    for file in tables {
        let config = match file.split_once('/') {
            Some((folder, _)) if folder != "data" && number(folder).is_none() => folder,
            _ => "default",
        };
        let files = configs
            .entry(config.to_owned())
            .or_insert_with(|| vec![(None, Vec::new())]);
        files[0].1.push((*file).to_owned());
    }
    configs
}

/// Returns the configuration of this name; without a name, the only one or the default one.
fn choose(
    repo: &str,
    wanted: Option<&str>,
    described: &[Config],
    mut configs: BTreeMap<String, ConfigFiles>,
) -> Result<(String, ConfigFiles)> {
    let names: Vec<String> = configs.keys().cloned().collect();
    let default = described.iter().find(|config| config.is_default);
    let name = match (wanted, names.as_slice()) {
        (Some(name), _) => name.to_owned(),
        (None, [only]) => only.clone(),
        (None, _) => default.map_or("default", |config| &config.name).to_owned(),
    };
    let listed: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let listed = listed.join(", ");
    let example = names.first().map_or("CONFIG", String::as_str);
    match configs.remove(&name) {
        Some(files) if files.iter().any(|(_, files)| !files.is_empty()) => Ok((name, files)),
        Some(_) => Err(error_with_hint(
            format!("configuration `{name}` of `{repo}` has no parquet files"),
            format!("the configurations are {listed}"),
        )),
        None if wanted.is_none() => Err(error_with_hint(
            format!("`{repo}` has several configurations: {listed}"),
            format!("name one, such as `hf:{repo}:{example}`"),
        )),
        None => Err(error_with_hint(
            format!("`{repo}` has no configuration `{name}`"),
            format!("the configurations are {listed}"),
        )),
    }
}

/// Rejects files of which the cache holds only some, as names such as `train-00000-of-00005.parquet` tell.
fn refuse_incomplete(repo: &str, splits: &ConfigFiles) -> Result<()> {
    let mut counts: BTreeMap<(String, usize), usize> = BTreeMap::new();
    for file in splits.iter().flat_map(|(_, files)| files) {
        let stem = file.strip_suffix(".parquet").unwrap_or(file);
        if let Some((before, count)) = stem.rsplit_once("-of-")
            && let (Some((set, _)), Ok(count)) = (before.rsplit_once('-'), count.parse())
        {
            *counts.entry((set.to_owned(), count)).or_default() += 1;
        }
    }
    match counts.iter().find(|((_, whole), count)| *whole != **count) {
        Some(((set, whole), count)) => Err(error_with_hint(
            format!("the cache has {count} of the {whole} files `{set}-..` of `{repo}`"),
            "download the others with a network, and without HF_HUB_OFFLINE",
        )),
        None => Ok(()),
    }
}

/// Fetches the files and divides them by split.
fn fetched(
    splits: ConfigFiles,
    fetch: &dyn Fn(&str) -> Result<std::path::PathBuf>,
    notes: &mut Vec<String>,
) -> Result<SplitFiles> {
    let mut found = SplitFiles::default();
    for (split, mut files) in splits {
        files.sort();
        let part = split.as_deref().map(number);
        if part == Some(None) {
            notes.push(format!("split `{}` is not used", split.unwrap_or_default()));
            continue;
        }
        let paths = files.iter().map(|file| fetch(file));
        let paths = paths.collect::<Result<Vec<_>>>()?;
        match part.flatten() {
            Some(part) => found[part].extend(paths),
            None => {
                for (all, some) in found.iter_mut().zip(by_name(paths, notes)?) {
                    all.extend(some);
                }
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::hint_of;

    #[test]
    fn names_have_a_revision_and_a_configuration() {
        let parts = |written: &str| {
            let HubDataset {
                repo,
                revision,
                config,
            } = HubDataset::parse(written).unwrap();
            [Some(repo), revision, config].map(Option::unwrap_or_default)
        };
        assert_eq!(parts("org/name"), ["org/name", "", ""]);
        assert_eq!(
            parts("org/name@refs/pr/1:big"),
            ["org/name", "refs/pr/1", "big"]
        );
        for written in ["", "@main", "org/name@", "org/name:"] {
            assert!(HubDataset::parse(written).is_err(), "{written}");
        }
    }

    #[test]
    fn configurations_are_folders_without_a_card() {
        let chosen = |wanted: Option<&str>, tables: &[&str]| {
            choose("org/name", wanted, &[], by_folder(tables)).map(|(name, _)| name)
        };
        assert_eq!(
            chosen(None, &["data/train-0.parquet", "test/0.parquet"]).unwrap(),
            "default"
        );
        assert_eq!(
            chosen(None, &["plain_text/train-0.parquet"]).unwrap(),
            "plain_text"
        );
        let two = ["big/train/0.parquet", "small/train/0.parquet"];
        assert_eq!(chosen(Some("small"), &two).unwrap(), "small");
        let error = chosen(None, &two).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`org/name` has several configurations: `big`, `small`"
        );
        assert!(
            hint_of(&error)
                .unwrap()
                .to_string()
                .contains("`hf:org/name:big`")
        );
        assert!(chosen(Some("x"), &two).is_err());
    }

    #[test]
    fn a_part_of_the_files_is_refused() {
        let files =
            |names: &[&str]| vec![(None, names.iter().map(|name| (*name).to_owned()).collect())];
        assert!(
            refuse_incomplete(
                "o/n",
                &files(&["train-00000-of-00001.parquet", "x.parquet"])
            )
            .is_ok()
        );
        let error =
            refuse_incomplete("o/n", &files(&["a/train-00000-of-00002.parquet"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the cache has 1 of the 2 files `a/train-..` of `o/n`"
        );
    }
}
