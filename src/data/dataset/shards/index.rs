//! The index of a dataset's shards: read from disk where it holds, else made by scanning the shards, and saved.
//!
//! It is saved beside the first shard, or in the cache folder where that is not writable, or the shards are the hub's.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::index_file::{load, save};
use super::shard::{Shard, Stamp};
use crate::data::dataset::fingerprint::Hash;
use crate::hub::assets_folder;

/// The first choice of a place for the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexPlace {
    /// The folder of the first shard.
    Beside,
    /// The cache folder.
    Cache,
}

/// Returns the index of `files`, in their order. `kind` names what `scan` makes of a file; shards whose size and time are those
/// of a saved index are not scanned. A remark is added to `notes` if the index cannot be saved.
///
/// # Errors
/// When a file cannot be read, and those of `scan`.
pub fn index(
    files: &[PathBuf],
    kind: &str,
    place: IndexPlace,
    scan: impl Fn(&Path, Stamp) -> Result<Shard> + Sync,
    notes: &mut Vec<String>,
) -> Result<Vec<Shard>> {
    let stamps = files.iter().map(|path| {
        Stamp::of(path).with_context(|| format!("cannot read shard `{}`", path.display()))
    });
    let stamps: Vec<Stamp> = stamps.collect::<Result<_>>()?;
    let places = places(files, kind, place);
    let names = names(files);
    // An index that does not hold any more may be where it cannot be replaced.
    let mut known: Vec<Option<Shard>> = files.iter().map(|_| None).collect();
    for path in &places {
        if known.iter().all(Option::is_some) {
            break;
        }
        let saved = load(path).unwrap_or_default();
        let mut saved: HashMap<PathBuf, Shard> = saved
            .into_iter()
            .map(|shard| (shard.path.clone(), shard))
            .collect();
        for ((known, name), stamp) in known.iter_mut().zip(&names).zip(&stamps) {
            if known.is_none() {
                let shard = saved.remove(Path::new(name));
                *known = shard.filter(|shard| shard.stamp == *stamp);
            }
        }
    }
    let is_complete = known.iter().all(Option::is_some);
    let shards: Vec<Result<Shard>> = known
        .into_par_iter()
        .zip(files.par_iter().zip(stamps))
        .map(|(known, (path, stamp))| match known {
            Some(shard) => Ok(Shard {
                path: path.clone(),
                ..shard
            }),
            None => scan(path, stamp),
        })
        .collect();
    // The first error in the order of the files, whichever thread was first.
    let shards = shards.into_iter().collect::<Result<Vec<_>>>()?;
    if !is_complete {
        let saved = places.iter().any(|path| {
            let folder = path
                .parent()
                .is_none_or(|folder| std::fs::create_dir_all(folder).is_ok());
            folder && save(path, &shards, &names).is_ok()
        });
        if !saved {
            notes.push(
                "the index of the shards cannot be saved: they are indexed anew each time"
                    .to_owned(),
            );
        }
    }
    Ok(shards)
}

/// Returns the files that may hold the index, the first choice first.
fn places(files: &[PathBuf], kind: &str, place: IndexPlace) -> Vec<PathBuf> {
    let name = |files: &[String]| {
        let mut hash = Hash::default();
        hash.add(kind.as_bytes());
        for file in files {
            hash.add(b"\n");
            hash.add(file.as_bytes());
        }
        format!("resnet-{}.index", hash.text())
    };
    let beside = folder(files).map(|folder| folder.join(format!(".{}", name(&names(files)))));
    let whole = files.iter().map(|path| {
        let path = path.canonicalize().unwrap_or_else(|_| path.clone());
        path.display().to_string()
    });
    let whole: Vec<String> = whole.collect();
    let cached =
        assets_folder().map(|folder| folder.join("resnet").join("indexes").join(name(&whole)));
    match place {
        IndexPlace::Beside => beside.into_iter().chain(cached).collect(),
        IndexPlace::Cache => cached.into_iter().collect(),
    }
}

/// Returns the folder of the first file.
fn folder(files: &[PathBuf]) -> Option<&Path> {
    files.first()?.parent()
}

/// Returns the names of the files below the folder of the first one, so that an index is valid wherever the folder is.
fn names(files: &[PathBuf]) -> Vec<String> {
    let folder = folder(files);
    let names = files.iter().map(|path| {
        let inside = folder.and_then(|folder| path.strip_prefix(folder).ok());
        inside.unwrap_or(path).display().to_string()
    });
    names.collect()
}
