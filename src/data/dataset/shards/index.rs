//! The index of a dataset's shards: read from disk where it holds, else made by scanning the shards, and saved.
//!
//! It is saved beside the first shard, or in the cache folder where that is not writable, or the shards are the hub's. Of several processes
//! the first one makes it and sends it to those that see the same files, of the same times; then one process of each machine that has
//! copies of its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::index_file::{load, read, save, write};
use super::shard::{Shard, Stamp};
use crate::data::dataset::fingerprint::Hash;
use crate::distributed::{Processes, host_name};
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
/// When a file cannot be read, and those of `scan`; when another process is gone.
pub fn index(
    files: &[PathBuf],
    kind: &str,
    place: IndexPlace,
    scan: impl Fn(&Path, Stamp) -> Result<Shard> + Sync,
    processes: &Processes,
    notes: &mut Vec<String>,
) -> Result<Vec<Shard>> {
    let mut index = Index::new(files, places(files, kind, place))?;
    index.load();
    let shards = if processes.size() == 1 {
        index.complete(&scan, notes)
    } else {
        index.complete_shared(&scan, processes, notes)
    };
    shards?;
    Ok(index.into_shards())
}

/// An index that is being made.
struct Index<'a> {
    files: &'a [PathBuf],
    names: Vec<String>,
    stamps: Vec<Stamp>,
    /// The files that may hold it, the first choice first.
    places: Vec<PathBuf>,
    /// The shards of the files that are indexed.
    shards: Vec<Option<Shard>>,
}

impl<'a> Index<'a> {
    fn new(files: &'a [PathBuf], places: Vec<PathBuf>) -> Result<Self> {
        let stamps = files.iter().map(|path| {
            Stamp::of(path).with_context(|| format!("cannot read shard `{}`", path.display()))
        });
        Ok(Self {
            files,
            names: names(files),
            stamps: stamps.collect::<Result<_>>()?,
            places,
            shards: vec![None; files.len()],
        })
    }

    fn is_complete(&self) -> bool {
        self.shards.iter().all(Option::is_some)
    }

    /// Takes what holds of the saved indexes.
    fn load(&mut self) {
        // An index that does not hold any more may be where it cannot be replaced.
        for place in 0..self.places.len() {
            if self.is_complete() {
                break;
            }
            let saved = load(&self.places[place]);
            self.fill(saved.unwrap_or_default());
        }
    }

    /// Takes the shards whose files are those that are here.
    fn fill(&mut self, saved: Vec<Shard>) {
        let mut saved: HashMap<PathBuf, Shard> = saved
            .into_iter()
            .map(|shard| (shard.path.clone(), shard))
            .collect();
        let files = self.names.iter().zip(&self.stamps).zip(self.files);
        for (known, ((name, stamp), path)) in self.shards.iter_mut().zip(files) {
            if known.is_none() {
                let shard = saved.remove(Path::new(name));
                let shard = shard.filter(|shard| shard.stamp == *stamp);
                *known = shard.map(|shard| Shard {
                    path: path.clone(),
                    ..shard
                });
            }
        }
    }

    /// Scans the shards that are not indexed, and saves the index.
    fn complete(
        &mut self,
        scan: &(impl Fn(&Path, Stamp) -> Result<Shard> + Sync),
        notes: &mut Vec<String>,
    ) -> Result<()> {
        if self.is_complete() {
            return Ok(());
        }
        let shards: Vec<Result<Shard>> = self
            .shards
            .par_iter_mut()
            .zip(self.files.par_iter().zip(&self.stamps))
            .map(|(known, (path, stamp))| known.take().map_or_else(|| scan(path, *stamp), Ok))
            .collect();
        // The first error in the order of the files, whichever thread was first.
        let shards = shards.into_iter().collect::<Result<Vec<_>>>()?;
        let saved = self.places.iter().any(|path| {
            let folder = path
                .parent()
                .is_none_or(|folder| std::fs::create_dir_all(folder).is_ok());
            folder && save(path, &shards, &self.names).is_ok()
        });
        if !saved {
            notes.push(
                "the index of the shards cannot be saved: they are indexed anew each time"
                    .to_owned(),
            );
        }
        self.shards = shards.into_iter().map(Some).collect();
        Ok(())
    }

    /// Completes the index of each of several processes, so that no file is scanned by two that could share its index.
    fn complete_shared(
        &mut self,
        scan: &(impl Fn(&Path, Stamp) -> Result<Shard> + Sync),
        processes: &Processes,
        notes: &mut Vec<String>,
    ) -> Result<()> {
        if processes
            .gather_values(&self.is_complete())?
            .iter()
            .all(|&is_complete| is_complete)
        {
            return Ok(());
        }
        let made = if processes.is_first() {
            self.complete(scan, notes)
        } else {
            Ok(())
        };
        processes.all_ok(made)?;
        // On a network's file system, a new file may take its time to appear.
        let sent = processes.broadcast(if processes.is_first() {
            self.to_bytes()?
        } else {
            Vec::new()
        })?;
        self.fill(read(&sent[..]).unwrap_or_default());
        let host = (!self.is_complete()).then(host_name);
        let waiting = processes.gather_values(&host)?;
        if host.is_some()
            && waiting.iter().position(|other| *other == host) == Some(processes.rank())
        {
            self.complete(scan, notes)?;
        }
        processes.barrier()?;
        self.load();
        // Machines of one name, or an index that cannot be saved.
        self.complete(scan, notes)
    }

    /// Returns the complete index as it is saved.
    fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let shards: Vec<&Shard> = self.shards.iter().flatten().collect();
        write(&mut bytes, shards.into_iter(), &self.names)?;
        Ok(bytes)
    }

    fn into_shards(self) -> Vec<Shard> {
        self.shards.into_iter().flatten().collect()
    }
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

#[cfg(test)]
mod tests;
