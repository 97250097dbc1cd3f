//! Data sets: pictures with their classes, in splits.
//!
//! Every source of pictures (original binary files, tables of the hub, folders, the sample inside the binary, noise)
//! becomes the same [`DataSet`]; its pictures stay 8 bits a sample in memory, or in their files until they are asked for.

pub mod candle;
pub mod cifar;
pub mod fake;
pub mod fingerprint;
pub mod folder;
pub mod idx;
pub mod known;
pub mod part;
pub mod sample;
mod small;
pub mod split;
pub mod table;

pub use known::Known;
pub use split::{Pictures, Split};

use crate::model::Preprocess;

/// The most samples that a file may bring into memory, in bytes: six times the largest of the [`Known`] data sets.
const MOST_SAMPLES: u64 = 1 << 30;

/// Pictures with their classes.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// What the user wrote, to be shown.
    pub name: String,
    /// One name a class.
    pub labels: Vec<String>,
    /// Pictures to learn from.
    pub train: Option<Split>,
    /// Pictures to choose the best epoch by.
    pub val: Option<Split>,
    /// Pictures to measure on.
    pub test: Option<Split>,
    /// What pictures these are.
    pub kind: Kind,
    /// How these pictures are prepared where nothing else says so: their own size, mean and deviation.
    pub preprocess: Preprocess,
    /// What a person should know, such as files that were left out.
    pub notes: Vec<String>,
}

/// What pictures a data set holds: the recipe that suits them depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Small pictures that are used at about their own size: CIFAR, and folders of such.
    Small,
    /// Small grey pictures that may be mirrored: clothes.
    SmallGrey,
    /// Small grey pictures that mean something else when they are mirrored.
    Digits,
    /// Pictures of any size in folders.
    Photographs,
    /// Random numbers for timing.
    Noise,
}
