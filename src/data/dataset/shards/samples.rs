//! The samples of a tar file: members whose names agree up to the first dot, in any order.
//!
//! ```text
//! cat/0001.jpg       the image
//! cat/0001.cls       its class: a number or a name
//! cat/0001.json      or {"label": 3}, with `label`, `cls` or `class`; without either, the class is the folder, `cat`
//! ```

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Result, bail};

use super::label_file::{cls_label, json_label};
use super::shard::{Label, LabelSource, Record, Shard, Stamp};
use crate::data::dataset::ignored::is_made_by_system;
use crate::data::dataset::list::EXTENSIONS;
use crate::data::dataset::part_names::part_of;
use crate::error::error_with_hint;

/// The name of a member: its sample, and what the member is of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The name up to the first dot.
    key: String,
    /// The rest, such as `jpg`.
    ending: &'a str,
}

impl<'a> Member<'a> {
    /// Divides the name of a member; `None` for hidden ones, those without a dot, and those in a hidden folder or one that a system
    /// made, such as `__MACOSX`.
    ///
    /// # Errors
    /// When the name leads out of its folder.
    pub fn of(name: &'a str) -> Result<Option<Self>> {
        let parts = name
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".");
        let parts: Vec<&str> = parts.collect();
        if parts.contains(&"..") {
            return Err(error_with_hint(
                format!("the name `{name}` leads out of its folder"),
                "make the shard again with names below one folder",
            ));
        }
        let Some((file, folders)) = parts.split_last() else {
            return Ok(None);
        };
        let is_in_hidden = folders.last().is_some_and(|folder| folder.starts_with('.'));
        if is_in_hidden || folders.iter().any(|folder| is_made_by_system(folder)) {
            return Ok(None);
        }
        let (stem, ending) = match file.split_once('.') {
            Some((stem, ending)) if !stem.is_empty() && !ending.is_empty() => (stem, ending),
            _ => return Ok(None),
        };
        let key = folders.iter().chain([&stem]).copied().collect::<Vec<_>>();
        Ok(Some(Self {
            key: key.join("/"),
            ending,
        }))
    }

    /// Returns whether its last extension is that of an image.
    pub fn is_image(&self) -> bool {
        let last = self.ending.rsplit('.').next().unwrap_or_default();
        EXTENSIONS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(last))
    }

    /// Returns whether it is a file of a label.
    pub fn is_label(&self) -> bool {
        self.source().is_some()
    }

    fn source(&self) -> Option<LabelSource> {
        match self.ending.to_ascii_lowercase().as_str() {
            "cls" => Some(LabelSource::Cls),
            "json" => Some(LabelSource::Json),
            _ => None,
        }
    }
}

/// A sample that is being collected.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    offset: u64,
    length: u32,
    /// The ending of its image in `endings`, plus 1; 0 without an image.
    ending: u32,
    /// Its label of a `.cls` file, plus 1.
    cls: u32,
    /// Its label of a `.json` file, plus 1.
    json: u32,
}

/// The samples of a tar file.
#[derive(Debug, Default)]
pub struct Samples {
    /// The number of each sample, by its key.
    numbers: HashMap<Box<str>, u32>,
    collected: Vec<Sample>,
    endings: Vec<String>,
    labels: LabelTable,
}

/// The labels that occur, each once.
#[derive(Debug, Default)]
struct LabelTable {
    labels: Vec<Label>,
    numbers: HashMap<Label, u32>,
}

impl LabelTable {
    fn number(&mut self, label: Label) -> u32 {
        *self.numbers.entry(label).or_insert_with_key(|label| {
            self.labels.push(label.clone());
            self.labels.len() as u32 - 1
        })
    }
}

impl Samples {
    /// Adds the image of a sample, `length` bytes at `offset`.
    ///
    /// # Errors
    /// When the sample has an image already.
    pub fn add_image(&mut self, member: &Member, offset: u64, length: u64) -> Result<()> {
        let known = self.endings.iter().position(|known| known == member.ending);
        let ending = known.unwrap_or(self.endings.len());
        if known.is_none() {
            self.endings.push(member.ending.to_owned());
        }
        let earlier = self.sample(&member.key).ending;
        if let Some(at) = (earlier as usize).checked_sub(1) {
            let (key, first, second) = (&member.key, &self.endings[at], member.ending);
            return Err(if first == second {
                twice(&format!("{key}.{second}"))
            } else {
                error_with_hint(
                    format!(
                        "sample `{key}` has several images: `{key}.{first}` and `{key}.{second}`"
                    ),
                    "make the shard again with one image per sample; the name of a sample ends at its first dot",
                )
            });
        }
        let sample = self.sample(&member.key);
        sample.offset = offset;
        sample.length = u32::try_from(length).unwrap_or(u32::MAX);
        sample.ending = ending as u32 + 1;
        Ok(())
    }

    /// Adds the content of a `.cls` or `.json` file.
    ///
    /// # Errors
    /// When the sample has one already, or the content is no label.
    pub fn add_label(&mut self, member: &Member, content: &[u8]) -> Result<()> {
        let Member { key, ending } = member;
        let (label, is_json) = match member.source() {
            Some(LabelSource::Json) => (json_label(content, &format!("{key}.{ending}"))?, true),
            _ => (Some(cls_label(content, &format!("{key}.{ending}"))?), false),
        };
        let Some(label) = label else {
            return Ok(());
        };
        let number = self.labels.number(label) + 1;
        let sample = self.sample(key);
        let place = if is_json {
            &mut sample.json
        } else {
            &mut sample.cls
        };
        if *place > 0 {
            return Err(twice(&format!("{key}.{ending}")));
        }
        *place = number;
        Ok(())
    }

    fn sample(&mut self, key: &str) -> &mut Sample {
        let known = self.numbers.get(key).map(|&number| number as usize);
        let number = known.unwrap_or(self.collected.len());
        if known.is_none() {
            self.numbers.insert(key.into(), number as u32);
            self.collected.push(Sample::default());
        }
        &mut self.collected[number]
    }

    /// Returns the shard of the samples that have an image, in the order of their first members.
    ///
    /// # Errors
    /// When there is none, one has no label, or the labels are of several kinds.
    pub fn finish(self, path: &Path, stamp: Stamp) -> Result<Shard> {
        let Self {
            numbers,
            collected: samples,
            endings,
            mut labels,
        } = self;
        let mut keys: Vec<Box<str>> = vec![Box::default(); samples.len()];
        for (key, number) in numbers {
            keys[number as usize] = key;
        }
        let mut shard = Shard::new(path, stamp, LabelSource::Folder);
        let mut first: Option<(LabelSource, usize)> = None;
        let mut part: Option<(&'static str, usize)> = None;
        for (number, sample) in samples.iter().enumerate() {
            let Some(ending) = (sample.ending as usize).checked_sub(1) else {
                shard.ignored += 1;
                continue;
            };
            let key = &keys[number];
            let (label, source) = match (sample.cls, sample.json) {
                (0, 0) => (
                    labels.number(Label::Text(folder(path, key)?.to_owned())),
                    LabelSource::Folder,
                ),
                (0, json) => (json - 1, LabelSource::Json),
                (cls, _) => (cls - 1, LabelSource::Cls),
            };
            if let (LabelSource::Folder, Some(found)) = (source, split_of(key)) {
                let (known, other) = *part.get_or_insert((found, number));
                if known != found {
                    return Err(error_with_hint(
                        format!(
                            "shard `{}` has images of both {known} and {found}: `{}` and `{key}`",
                            path.display(),
                            keys[other]
                        ),
                        "make one shard or more for each split, such as `train-0.tar` and `val-0.tar`",
                    ));
                }
            }
            let (known, other) = *first.get_or_insert((source, number));
            if known != source {
                bail!(
                    "shard `{}` has labels of several kinds: that of `{}` is {}, that of `{key}` is {}",
                    path.display(),
                    keys[other],
                    kind(known),
                    kind(source)
                );
            }
            shard.source = source;
            shard.names.push(&[key, ".", &endings[ending]]);
            shard.records.push(Record {
                offset: sample.offset,
                length: sample.length,
                label,
            });
        }
        if shard.records.is_empty() {
            return Err(error_with_hint(
                format!("shard `{}` contains no images", path.display()),
                "a sample is an image, such as `0001.jpg`, with its class in `0001.cls` or `0001.json`, or in a folder of its class",
            ));
        }
        keep_used(&mut shard, &labels.labels);
        Ok(shard)
    }
}

/// Gives the shard those of `labels` that its images have: not those of samples without an image, or beside another label.
fn keep_used(shard: &mut Shard, labels: &[Label]) {
    let mut numbers: Vec<Option<u32>> = vec![None; labels.len()];
    for record in &mut shard.records {
        let label = record.label as usize;
        record.label = *numbers[label].get_or_insert_with(|| {
            shard.labels.push(labels[label].clone());
            shard.labels.len() as u32 - 1
        });
    }
}

/// Returns the origin of a label in words.
pub fn kind(source: LabelSource) -> &'static str {
    match source {
        LabelSource::Cls => "in a .cls file",
        LabelSource::Json => "in a .json file",
        LabelSource::Folder => "its folder",
        LabelSource::Column => "in a column",
    }
}

/// Returns the folder of a sample, which is its class.
fn folder<'a>(path: &Path, key: &'a str) -> Result<&'a str> {
    let class = key.rsplit('/').nth(1);
    match class {
        Some(class) if class.contains('\u{fffd}') => Err(error_with_hint(
            format!(
                "shard `{}`: the folder `{class}` is not valid UTF-8, but it is the name of a class",
                path.display()
            ),
            "rename the folder",
        )),
        Some(class) => Ok(class),
        None => Err(error_with_hint(
            format!("shard `{}`: sample `{key}` has no label", path.display()),
            format!(
                "add its class: `{key}.cls` with a number or a name, `{key}.json` with {{\"label\": ..}}, or a folder of its class"
            ),
        )),
    }
}

/// Returns the split that the folder around the class of a sample names.
fn split_of(key: &str) -> Option<&'static str> {
    part_of(key.rsplit('/').nth(2)?)
}

fn twice(name: &str) -> anyhow::Error {
    error_with_hint(
        format!("`{name}` is there twice"),
        "make the shard again with each name once",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_at_the_first_dot_behind_its_folders() {
        let member = |name: &str| {
            let member = Member::of(name).unwrap()?;
            Some((
                member.key.clone(),
                member.ending.to_owned(),
                member.is_image(),
            ))
        };
        let found =
            |key: &str, ending: &str, is_image| Some((key.to_owned(), ending.to_owned(), is_image));
        assert_eq!(member("a/b.c/1.jpg"), found("a/b.c/1", "jpg", true));
        assert_eq!(member("./a//1.left.PNG"), found("a/1", "left.PNG", true));
        assert_eq!(member("/abs/1.cls"), found("abs/1", "cls", false));
        assert_eq!(member(".all/a/1.jpg"), found(".all/a/1", "jpg", true));
        for name in [
            "",
            ".",
            "a/",
            "a/.hidden.jpg",
            "a/noending",
            "a/b.",
            "__MACOSX/a/._1.jpg",
            "a/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.png",
            "a/.ipynb_checkpoints/1-checkpoint.jpg",
        ] {
            assert_eq!(member(name), None, "{name}");
        }
        for name in ["../1.jpg", "a/../../1.jpg"] {
            assert!(Member::of(name).is_err(), "{name}");
        }
    }
}
