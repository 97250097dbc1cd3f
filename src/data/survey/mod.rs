//! An overview of a dataset before it is trained on: its classes, the images that cannot be read, and the images that occur
//! more than once.
//!
//! An image that is in both the training set and the validation set makes the validation figures optimistic, and an image in
//! two classes is labeled wrong in one of them. Both are found by content: the bytes of the files, or the pixels of images in
//! memory. An image that was resized or saved again is another content, and is not found.
//!
//! By default ([`Inspection::Headers`]) at most 2 KiB are read of most files, so that the overview costs a small part of the
//! time of an epoch; whole files are read where length, beginning and end are those of another file. [`Inspection::Full`]
//! decodes every image.

mod duplicates;
mod files;
mod shared;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::data::dataset::{Dataset, Split};
use crate::data::image::decode::DecodeOptions;
use crate::distributed::Processes;
use crate::error::Message;
use duplicates::Location;

pub use files::Inspection;

/// Overview of a dataset: its classes, the images that cannot be read, and the images that occur more than once.
///
/// `data.json` in a run folder holds it as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetSurvey {
    /// The dataset, as the user wrote it.
    pub data: String,
    /// The thoroughness of the inspection.
    pub inspection: Inspection,
    /// The splits that exist, in the order train, val, test.
    pub splits: Vec<SplitSummary>,
    /// The classes, in the order of their numbers.
    pub classes: Vec<ClassCounts>,
    /// The images that cannot be read, split by split.
    pub unreadable: Vec<UnreadableImage>,
    /// The groups of images with the same content.
    pub duplicates: Vec<DuplicateGroup>,
    /// Remarks on the dataset, such as files that are not images.
    pub notes: Vec<Message>,
}

/// A split and its number of images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitSummary {
    /// `train`, `val` or `test`.
    pub name: String,
    /// Its images, unreadable ones included.
    pub images: usize,
}

/// A class and its number of images in each split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCounts {
    /// The name of the class.
    pub label: String,
    /// Its images in each split, in the order of [`DatasetSurvey::splits`].
    pub images: Vec<usize>,
}

/// An image of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageReference {
    /// Its split: `train`, `val` or `test`.
    pub split: String,
    /// The name of its class.
    pub label: String,
    /// Its file, or its name in the dataset, such as `cifar10 train 17`.
    pub image: String,
}

/// An image that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadableImage {
    /// The image.
    #[serde(flatten)]
    pub image: ImageReference,
    /// Why it cannot be read.
    pub reason: String,
}

/// Images with the same content, at least two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateGroup {
    /// The splits and classes of the images.
    pub kind: DuplicateKind,
    /// The images, split by split.
    pub images: Vec<ImageReference>,
}

/// The splits and classes of images with the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DuplicateKind {
    /// In two splits and in two classes.
    AcrossSplitsAndClasses,
    /// In two splits, of one class.
    AcrossSplits,
    /// In two classes, of one split.
    AcrossClasses,
    /// In one class of one split.
    WithinClass,
}

impl DuplicateKind {
    /// Returns whether the images are in more than one split.
    pub fn is_across_splits(self) -> bool {
        matches!(self, Self::AcrossSplitsAndClasses | Self::AcrossSplits)
    }

    /// Returns whether the images are in more than one class.
    pub fn is_across_classes(self) -> bool {
        matches!(self, Self::AcrossSplitsAndClasses | Self::AcrossClasses)
    }
}

/// Images of one split that are in an earlier one, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitOverlap<'a> {
    /// The names of both splits.
    pub splits: [&'a str; 2],
    /// Images of the second split that are in the first one, too.
    pub images: usize,
    /// One image in both splits.
    pub example: [&'a ImageReference; 2],
}

/// The largest and the smallest class of the training images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Imbalance<'a> {
    /// The class with the most training images, and their number.
    pub largest: (&'a str, usize),
    /// The class with the fewest training images, and their number; classes without one do not count.
    pub smallest: (&'a str, usize),
}

impl Imbalance<'_> {
    /// Returns how many times as many images the largest class has.
    pub fn ratio(&self) -> f64 {
        self.largest.1 as f64 / self.smallest.1 as f64
    }
}

impl DatasetSurvey {
    /// Inspects the images of `data` on `workers` threads; `progress` receives the number of inspected images.
    ///
    /// # Errors
    /// When the system gives no thread. Unreadable images are part of the survey, not errors.
    pub fn new(
        data: &Dataset,
        inspection: Inspection,
        decoding: DecodeOptions,
        workers: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self> {
        let alone = Processes::alone();
        Self::shared(data, inspection, decoding, workers, &alone, progress)
    }

    /// Inspects the images of `data`, which all processes have, as [`DatasetSurvey::new`]: each reads a part of them on `workers` threads, and
    /// all have the same survey.
    ///
    /// # Errors
    /// Those of [`DatasetSurvey::new`]; when another process has other images, or is gone.
    pub fn shared(
        data: &Dataset,
        inspection: Inspection,
        decoding: DecodeOptions,
        workers: usize,
        processes: &Processes,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self> {
        let splits = [
            ("train", &data.train),
            ("val", &data.val),
            ("test", &data.test),
        ];
        let splits = splits.map(|(name, split)| Some((name, split.as_ref()?)));
        let splits: Vec<(&str, &Split)> = splits.into_iter().flatten().collect();
        let (mut unreadable, mut inspected) = (Vec::new(), Vec::new());
        let mut done = 0;
        for (name, split) in &splits {
            let count = &mut || {
                done += 1;
                progress(done);
            };
            let images = files::inspect(split, inspection, decoding, workers, processes, count)?;
            for (index, image) in images.iter().enumerate() {
                if let Some(reason) = &image.unreadable {
                    unreadable.push(UnreadableImage {
                        image: reference(data, name, split, index),
                        reason: reason.clone(),
                    });
                }
            }
            inspected.push(images);
        }
        let parts: Vec<&Split> = splits.iter().map(|(_, split)| *split).collect();
        let groups = duplicates::find(&parts, &inspected, processes)?;
        let duplicates = groups.iter().map(|group| duplicate(data, &splits, group));
        Ok(Self {
            data: data.name.clone(),
            inspection,
            splits: splits
                .iter()
                .map(|(name, split)| SplitSummary {
                    name: (*name).to_owned(),
                    images: split.len(),
                })
                .collect(),
            classes: count_classes(&data.labels, &parts),
            unreadable,
            duplicates: duplicates.collect(),
            notes: data.notes.clone(),
        })
    }

    /// Returns the number of images in all splits.
    pub fn images(&self) -> usize {
        self.splits.iter().map(|split| split.images).sum()
    }

    /// Returns the largest and the smallest class of the training images; `None` below two classes with training images.
    pub fn imbalance(&self) -> Option<Imbalance<'_>> {
        let train = self.splits.iter().position(|split| split.name == "train")?;
        let classes = self.classes.iter();
        let counts = classes.map(|class| (class.label.as_str(), class.images[train]));
        let counts: Vec<_> = counts.filter(|(_, images)| *images > 0).collect();
        // Of equal classes the first is named.
        let largest = counts.iter().rev().max_by_key(|(_, images)| *images)?;
        let smallest = counts.iter().min_by_key(|(_, images)| *images)?;
        (counts.len() > 1).then_some(Imbalance {
            largest: *largest,
            smallest: *smallest,
        })
    }

    /// Returns the pairs of splits that have images in common.
    pub fn overlaps(&self) -> Vec<SplitOverlap<'_>> {
        let names: Vec<&str> = self
            .splits
            .iter()
            .map(|split| split.name.as_str())
            .collect();
        let mut overlaps = Vec::new();
        for (index, first) in names.iter().enumerate() {
            for second in &names[index + 1..] {
                overlaps.extend(self.overlap([first, second]));
            }
        }
        overlaps
    }

    fn overlap<'a>(&'a self, splits: [&'a str; 2]) -> Option<SplitOverlap<'a>> {
        let (mut images, mut example) = (0, None);
        for group in &self.duplicates {
            let [first, second] = splits.map(|name| {
                let in_split = group.images.iter().filter(|image| image.split == name);
                in_split.collect::<Vec<_>>()
            });
            if let (Some(one), Some(other)) = (first.first(), second.first()) {
                images += second.len();
                example.get_or_insert([*one, *other]);
            }
        }
        example.map(|example| SplitOverlap {
            splits,
            images,
            example,
        })
    }

    /// Returns the groups of images that are in more than one class.
    pub fn across_classes(&self) -> impl Iterator<Item = &DuplicateGroup> {
        let groups = self.duplicates.iter();
        groups.filter(|group| group.kind.is_across_classes())
    }
}

/// Counts the images of each class in each of `splits`.
fn count_classes(labels: &[String], splits: &[&Split]) -> Vec<ClassCounts> {
    let mut classes: Vec<ClassCounts> = labels
        .iter()
        .map(|label| ClassCounts {
            label: label.clone(),
            images: vec![0; splits.len()],
        })
        .collect();
    for (column, split) in splits.iter().enumerate() {
        for &class in split.classes() {
            classes[class as usize].images[column] += 1;
        }
    }
    classes
}

fn reference(data: &Dataset, name: &str, split: &Split, index: usize) -> ImageReference {
    let class = split.classes()[index] as usize;
    ImageReference {
        split: name.to_owned(),
        label: data.labels[class].clone(),
        image: split.name(index),
    }
}

/// Returns the group of the images at `locations`.
fn duplicate(data: &Dataset, splits: &[(&str, &Split)], locations: &[Location]) -> DuplicateGroup {
    let references = locations.iter().map(|location| {
        let (name, split) = splits[location.split];
        reference(data, name, split, location.index)
    });
    let images: Vec<ImageReference> = references.collect();
    let differ = |by: fn(&ImageReference) -> &str| {
        let first = by(&images[0]);
        images.iter().any(|image| by(image) != first)
    };
    let kind = match (differ(|image| &image.split), differ(|image| &image.label)) {
        (true, true) => DuplicateKind::AcrossSplitsAndClasses,
        (true, false) => DuplicateKind::AcrossSplits,
        (false, true) => DuplicateKind::AcrossClasses,
        (false, false) => DuplicateKind::WithinClass,
    };
    DuplicateGroup { kind, images }
}
