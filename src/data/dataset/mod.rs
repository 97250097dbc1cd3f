//! Datasets: images with their classes, in splits.
//!
//! Every source of images (original binary files, tables, tar shards, folders, labels in a table, the bundled sample, random numbers) becomes
//! the same [`Dataset`]; its images are 8 bits per sample in memory, or stay in their files until they are used.

pub(crate) mod builtin;
#[cfg(feature = "datasets")]
pub(crate) mod candle;
pub mod cifar;
pub(crate) mod clipped_gray;
pub(crate) mod fake;
mod file_ends;
pub(crate) mod fingerprint;
pub mod folder;
pub mod idx;
pub(crate) mod ignored;
pub mod labels_csv;
pub(crate) mod list;
pub(crate) mod name;
pub(crate) mod open;
#[cfg(feature = "datasets")]
pub mod parquet;
pub(crate) mod part_names;
mod quoted;
pub(crate) mod sample;
#[cfg(feature = "datasets")]
pub mod shards;
mod small_images;
pub(crate) mod split;
pub(crate) mod stratified;
mod suggest_path;
mod table_options;
mod with_options;

pub use builtin::BuiltinDataset;
pub use fake::fake;
pub use name::DatasetName;
pub(crate) use open::ensure_same_form;
pub use open::{open, open_shared};
pub use split::{ImageStore, Split};
pub use table_options::{LabelsCsv, TableOptions};

use crate::error::Message;
use crate::model::Preprocess;

/// The most bytes of samples in a file: six times the largest of the [`BuiltinDataset`] datasets.
const MOST_SAMPLES: u64 = 1 << 30;

/// Images with their classes.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The dataset as the user wrote it.
    pub name: String,
    /// One name per class.
    pub labels: Vec<String>,
    /// The training set.
    pub train: Option<Split>,
    /// The validation set, which selects the best epoch.
    pub val: Option<Split>,
    /// The test set.
    pub test: Option<Split>,
    /// True if the data tells which images are of which split; else all are in `train`.
    pub has_splits: bool,
    /// The kind of images.
    pub kind: DatasetKind,
    /// The default preprocessing: their own size, mean and std.
    pub preprocess: Preprocess,
    /// Remarks for the user, such as files that were ignored.
    pub notes: Vec<Message>,
}

/// The kind of images in a dataset, on which the default recipe depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatasetKind {
    /// Small images that are used at about their own size, such as CIFAR.
    Small,
    /// Small gray images that may be flipped, such as clothes.
    SmallGray,
    /// Small gray images that must not be flipped, such as digits.
    Digits,
    /// Images of any size.
    Photographs,
    /// Random numbers for timing.
    Noise,
}
