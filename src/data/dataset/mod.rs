//! Datasets: images with their classes, in splits.
//!
//! Every source of images (original binary files, tables of the hub, folders, the bundled sample, random numbers) becomes
//! the same [`DataSet`]; its images are 8 bits per sample in memory, or stay in their files until they are used.

pub mod builtin;
pub mod candle;
pub mod cifar;
pub mod fake;
pub mod fingerprint;
pub mod folder;
pub mod idx;
pub mod list;
pub mod open;
pub mod parquet;
pub mod sample;
mod similar_path;
mod small_images;
pub mod split;
pub mod stratified;

pub use builtin::Known;
pub use fake::fake;
pub use open::{DataName, open};
pub use split::{Pictures, Split};

use crate::model::Preprocess;

/// The most bytes of samples in a file: six times the largest of the [`Known`] datasets.
const MOST_SAMPLES: u64 = 1 << 30;

/// Images with their classes.
#[derive(Debug, Clone)]
pub struct DataSet {
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
    /// The kind of images.
    pub kind: Kind,
    /// The default preprocessing: their own size, mean and std.
    pub preprocess: Preprocess,
    /// Remarks for the user, such as files that were ignored.
    pub notes: Vec<String>,
}

/// The kind of images in a dataset, on which the default recipe depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Small images that are used at about their own size, such as CIFAR.
    Small,
    /// Small gray images that may be flipped, such as clothes.
    SmallGrey,
    /// Small gray images that must not be flipped, such as digits.
    Digits,
    /// Images of any size.
    Photographs,
    /// Random numbers for timing.
    Noise,
}
