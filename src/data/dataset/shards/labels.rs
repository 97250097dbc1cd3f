//! The classes of a dataset by the labels in its shards.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Result, bail};

use super::samples::kind;
use super::shard::{Label, Shard};
use crate::data::dataset::quoted::quoted_list;
use crate::error::error_with_hint;

/// The most classes.
const MOST_CLASSES: i64 = 1 << 20;

/// The classes, and the number of each label.
#[derive(Debug)]
pub struct Classes {
    /// One name per class.
    pub names: Vec<String>,
    /// The numbers of classes that are named in the shards.
    by_name: Option<HashMap<String, u32>>,
}

impl Classes {
    /// Returns the classes of labeled shards; `given` names the classes that are numbers.
    ///
    /// Names are sorted by code point, as those of folders. Numbers are the classes themselves.
    ///
    /// # Errors
    /// When labels are of several kinds, or a number is none of a class.
    pub fn of(shards: &[Shard], given: Option<Vec<String>>) -> Result<Self> {
        let Some(first) = shards.first() else {
            bail!("there are no shards");
        };
        if let Some(other) = shards.iter().find(|shard| shard.source != first.source) {
            bail!(
                "the labels are of several kinds: in `{}`, the label of an image is {}, in `{}` {}",
                first.path.display(),
                kind(first.source),
                other.path.display(),
                kind(other.source)
            );
        }
        let (mut numbers, mut texts) = (None, BTreeSet::new());
        for shard in shards {
            for label in &shard.labels {
                match label {
                    Label::Number(number) => numbers = numbers.max(Some(*number)),
                    Label::Text(text) => _ = texts.insert(text.clone()),
                }
            }
        }
        match (numbers, texts.first()) {
            (Some(number), Some(text)) => bail!(
                "some labels are numbers, such as {number}, and some are names, such as `{text}`"
            ),
            (Some(largest), None) => {
                let names = match given {
                    Some(names) if largest < names.len() as i64 => names,
                    Some(names) => bail!(
                        "there is a label {largest}, but there are {} names of classes",
                        names.len()
                    ),
                    None if largest >= MOST_CLASSES => {
                        return Err(error_with_hint(
                            format!("the label {largest} is not the number of a class"),
                            "labels are the numbers of the classes from 0, or names",
                        ));
                    }
                    None => (0..=largest).map(|number| number.to_string()).collect(),
                };
                Ok(Self {
                    names,
                    by_name: None,
                })
            }
            (None, _) => {
                let names: Vec<String> = texts.into_iter().collect();
                let by_name = names.iter().cloned().zip(0..).collect();
                Ok(Self {
                    names,
                    by_name: Some(by_name),
                })
            }
        }
    }

    /// Returns the class of each image of `shards`, the split `part`; `None` if none has a label (-1).
    ///
    /// # Errors
    /// When a label is not one of the classes, or some images have none.
    pub fn assign(&self, shards: &[Shard], part: &str) -> Result<Option<Vec<u32>>> {
        let mut classes = Vec::with_capacity(shards.iter().map(|shard| shard.records.len()).sum());
        let (mut unknown, mut unlabeled) = (BTreeSet::new(), None);
        for shard in shards {
            let numbers: Vec<Option<u32>> = shard
                .labels
                .iter()
                .map(|label| self.number(label))
                .collect();
            for (index, record) in shard.records.iter().enumerate() {
                let label = &shard.labels[record.label as usize];
                match (numbers[record.label as usize], label) {
                    (Some(class), _) => classes.push(class),
                    (None, Label::Number(..0)) => {
                        unlabeled.get_or_insert_with(|| {
                            format!("{}:{}", shard.path.display(), shard.name(index))
                        });
                    }
                    (None, Label::Number(number)) => _ = unknown.insert(number.to_string()),
                    (None, Label::Text(text)) => _ = unknown.insert(text.clone()),
                }
            }
        }
        if !unknown.is_empty() {
            let unknown: Vec<String> = unknown.into_iter().collect();
            return Err(error_with_hint(
                format!(
                    "{part} has classes that are not in the training set: {}",
                    quoted_list(&unknown)
                ),
                "correct the labels, or move some of these images to the training set",
            ));
        }
        match unlabeled {
            None => Ok(Some(classes)),
            Some(_) if classes.is_empty() => Ok(None),
            Some(first) => Err(error_with_hint(
                format!("{part} has images without a label (-1), such as `{first}`"),
                "leave these images out, or add their labels",
            )),
        }
    }

    fn number(&self, label: &Label) -> Option<u32> {
        match (label, &self.by_name) {
            (Label::Text(text), Some(by_name)) => by_name.get(text).copied(),
            (Label::Number(number), None) => {
                let number = u32::try_from(*number).ok()?;
                ((number as usize) < self.names.len()).then_some(number)
            }
            _ => None,
        }
    }
}
