//! `info.json`, which lists the shards of a folder and their lengths, as timm and `WebDataset` write it.
//!
//! ```text
//! {"splits": {"train": {"filenames": ["train-{0000..0127}.tar"], "shard_lengths": [1000, ..]}, ..}}
//! {"shardlist": [{"url": "train-0000.tar", "nsamples": 1000}, ..]}
//! ```

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::pattern::braces;
use super::shard::Shard;
use super::splits::{SplitFiles, by_name, number};
use crate::error::error_with_hint;

/// The possible names of the file.
const NAMES: [&str; 2] = ["info.json", "_info.json"];

/// The shards that the file lists.
#[derive(Debug, Default)]
pub struct Info {
    /// The shards of each split.
    pub splits: SplitFiles,
    /// The number of samples of shards, where it is told.
    lengths: HashMap<PathBuf, u64>,
}

impl Info {
    /// Reads the list that `path` is, or that is in the folder `path`; `None` if there is none. A remark is added to `notes` if
    /// shards are of no split.
    ///
    /// # Errors
    /// When it is not such a list.
    pub fn find(path: &Path, notes: &mut Vec<String>) -> Result<Option<Self>> {
        let is_list = path.is_file() && path.extension().is_some_and(|ending| ending == "json");
        let inside = NAMES.map(|name| path.join(name));
        let Some(file) = (if is_list {
            Some(path)
        } else {
            inside
                .iter()
                .map(PathBuf::as_path)
                .find(|file| file.is_file())
        }) else {
            return Ok(None);
        };
        let folder = file.parent().unwrap_or(Path::new(""));
        let info = fs::read(file)
            .map_err(anyhow::Error::from)
            .and_then(|text| Ok(serde_json::from_slice(&text)?));
        let info: Value = info.with_context(|| format!("`{}`", file.display()))?;
        let mut found = Self::default();
        if let Some(splits) = info["splits"].as_object() {
            for (name, split) in splits {
                let names = split["filenames"].as_array().into_iter().flatten();
                let names = names
                    .filter_map(Value::as_str)
                    .map(braces)
                    .collect::<Result<Vec<_>>>()?
                    .concat();
                let lengths = split["shard_lengths"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(Value::as_u64);
                let Some(part) = number(name) else {
                    notes.push(format!("`{}`: split `{name}` is not used", file.display()));
                    continue;
                };
                let paths = names.iter().map(|name| folder.join(name));
                found.splits[part] = paths.collect();
                for (path, length) in found.splits[part].iter().zip(lengths) {
                    found
                        .lengths
                        .extend(length.map(|length| (path.clone(), length)));
                }
            }
        }
        let mut files = Vec::new();
        for shard in info["shardlist"].as_array().into_iter().flatten() {
            if let Some(name) = shard["url"].as_str() {
                let path = folder.join(name);
                found.lengths.extend(
                    shard["nsamples"]
                        .as_u64()
                        .map(|length| (path.clone(), length)),
                );
                files.push(path);
            }
        }
        if !files.is_empty() {
            found.splits = by_name(files, notes)?;
        }
        if found.splits.iter().all(Vec::is_empty) {
            return Err(error_with_hint(
                format!("`{}` lists no shards", file.display()),
                "it has `splits` with `filenames`, or a `shardlist`; without it, pass a pattern such as `wds:train-{0000..0127}.tar`",
            ));
        }
        Ok(Some(found))
    }

    /// Compares the numbers of samples with those that are listed.
    ///
    /// # Errors
    /// When a shard has another number.
    pub fn check(&self, shards: &[Shard]) -> Result<()> {
        for shard in shards {
            let samples = shard.records.len() as u64 + u64::from(shard.ignored);
            if let Some(listed) = self
                .lengths
                .get(&shard.path)
                .filter(|listed| **listed != samples)
            {
                return Err(error_with_hint(
                    format!(
                        "shard `{}` is torn or another one: it has {samples} samples, and `info.json` says {listed}",
                        shard.path.display()
                    ),
                    "fetch it again, or correct `info.json`",
                ));
            }
        }
        Ok(())
    }
}
