//! Datasets from shards on this machine.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::columns::{ColumnNames, Features};
use super::index::{IndexPlace, index};
use super::info::Info;
use super::labels::Classes;
use super::pattern::files;
use super::shard::{Shard, Stamp};
use super::splits::{PARTS, SplitFiles, by_name};
use super::store::ShardStore;
use super::table::{self, columns};
use super::tables::Tables;
use super::tar;
use crate::data::dataset::folder::finish;
use crate::data::dataset::quoted::quoted_list;
use crate::data::dataset::{Dataset, ImageStore, Split};
use crate::distributed::Processes;
use crate::error::error_with_hint;
use crate::text::pluralize;

/// Reads the dataset in the tar shards that `pattern` names; the processes share their index.
///
/// # Errors
/// When shards are missing, torn or compressed, or a sample is not one image with one label; when another process is gone.
pub fn tars(pattern: &str, name: &str, processes: &Processes) -> Result<Dataset> {
    let mut notes = Vec::new();
    let info = Info::find(Path::new(pattern), &mut notes)?;
    let splits = match &info {
        Some(info) => info.splits.clone(),
        None => by_name(files(pattern, "tar")?, &mut notes)?,
    };
    let form = Form {
        kind: "tar",
        place: IndexPlace::Beside,
        scan: &tar::scan,
        info,
        names: None,
        column: None,
    };
    form.dataset(&splits, name, processes, notes)
}

/// Reads the dataset in the parquet files that `pattern` names; the processes share their index.
///
/// # Errors
/// When files are missing, torn or no tables, or do not have one column of images and one of labels; when another process is gone.
pub fn tables(
    pattern: &str,
    named: &ColumnNames,
    name: &str,
    processes: &Processes,
) -> Result<Dataset> {
    let mut notes = Vec::new();
    let splits = by_name(files(pattern, "parquet")?, &mut notes)?;
    of_tables(
        &splits,
        IndexPlace::Beside,
        named,
        &Features::default(),
        name,
        processes,
        notes,
    )
}

/// Reads the dataset in tables; `told` describes their columns if they do not do it themselves.
pub(super) fn of_tables(
    splits: &SplitFiles,
    place: IndexPlace,
    named: &ColumnNames,
    told: &Features,
    name: &str,
    processes: &Processes,
    notes: Vec<String>,
) -> Result<Dataset> {
    let first = splits.iter().flatten().next();
    let first = first.map_or(Path::new(name), PathBuf::as_path);
    let (columns, features) = columns(first, named, told)?;
    let form = Form {
        kind: &format!("parquet {} {}", columns.image_path, columns.label_path),
        place,
        scan: &|path, stamp| table::scan(path, stamp, &columns),
        info: None,
        names: features
            .names(&columns.label_path)
            .or_else(|| told.names(&columns.label_path)),
        column: Some(&columns.image_path),
    };
    form.dataset(splits, name, processes, notes)
}

/// The form of shards.
struct Form<'a> {
    /// The content of the index.
    kind: &'a str,
    place: IndexPlace,
    scan: &'a (dyn Fn(&Path, Stamp) -> Result<Shard> + Sync),
    info: Option<Info>,
    /// The names of classes that are numbers.
    names: Option<Vec<String>>,
    /// The column of the images of tables.
    column: Option<&'a str>,
}

impl Form<'_> {
    fn dataset(
        self,
        splits: &SplitFiles,
        name: &str,
        processes: &Processes,
        mut notes: Vec<String>,
    ) -> Result<Dataset> {
        let files: Vec<PathBuf> = splits.concat();
        let (kind, place) = (self.kind, self.place);
        let mut shards = index(&files, kind, place, self.scan, processes, &mut notes)?;
        if let Some(info) = &self.info {
            info.check(&shards)?;
        }
        note_ignored(&shards, &mut notes);
        // The classes are those of the training images, if there are some.
        let labeled = if splits[0].is_empty() {
            shards.len()
        } else {
            splits[0].len()
        };
        let classes = Classes::of(&shards[..labeled], self.names)?;
        let mut found = [None, None, None];
        for (number, files) in splits
            .iter()
            .enumerate()
            .filter(|(_, files)| !files.is_empty())
        {
            let rest = shards.split_off(files.len());
            let shards = std::mem::replace(&mut shards, rest);
            let Some(numbers) = classes.assign(&shards, PARTS[number])? else {
                notes.push(format!(
                    "{} has no labels (-1), and is not used",
                    PARTS[number]
                ));
                continue;
            };
            if number == 0 {
                note_empty(&classes.names, &numbers, &mut notes);
            }
            let store = ShardStore::new(shards, self.column.map(Tables::new));
            if store.is_slow_to_inspect() {
                notes.push(format!(
                    "the images of {} are not inspected before training: all of their tables would be read",
                    PARTS[number]
                ));
            }
            found[number] = Some(Split::new(ImageStore::Shards(store), numbers));
        }
        if found.iter().all(Option::is_none) {
            return Err(error_with_hint(
                "no image has a label",
                "pass shards with labels",
            ));
        }
        Ok(finish(name, classes.names, found, notes))
    }
}

/// Notes samples without an image.
fn note_ignored(shards: &[Shard], notes: &mut Vec<String>) {
    let mut ignoring = shards.iter().filter(|shard| shard.ignored > 0);
    if let Some(first) = ignoring.next() {
        let count: u64 = shards.iter().map(|shard| u64::from(shard.ignored)).sum();
        notes.push(format!(
            "{} without an image, ignored, such as in `{}`",
            pluralize(count, "sample"),
            first.path.display()
        ));
    }
}

/// Notes classes without training images.
fn note_empty(names: &[String], classes: &[u32], notes: &mut Vec<String>) {
    let mut counts = vec![0_usize; names.len()];
    for &class in classes {
        counts[class as usize] += 1;
    }
    let empty = names.iter().zip(counts).filter(|(_, count)| *count == 0);
    let empty: Vec<String> = empty.map(|(name, _)| name.clone()).collect();
    if !empty.is_empty() {
        notes.push(format!(
            "train has classes without images: {}",
            quoted_list(&empty)
        ));
    }
}
