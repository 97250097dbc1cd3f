//! Tests of datasets, decoding, preprocessing, augmentation and loading.

mod augment;
mod batches;
mod datasets;
mod preprocess;
mod shards;
mod survey;
