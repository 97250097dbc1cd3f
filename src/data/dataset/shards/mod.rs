//! Datasets in shards: tar files of `WebDataset`, and parquet files of the hub or of the machine.
//!
//! A shard is a file with many images. An index tells for each image in which shard it is, where, and of which class (`index`), so
//! that images are read in any order: order, augmentation and resumption are those of folders, and the same images in the same
//! order train to the same bits.

mod card;
pub mod columns;
mod hub;
mod index;
mod index_file;
mod info;
mod label_file;
mod labels;
mod open;
mod pattern;
mod positioned;
mod samples;
mod shard;
mod splits;
pub mod store;
mod table;
mod tables;
mod tar;

pub use hub::{HubDataset, hub};
pub use open::{tables, tars};
pub(super) use table::check_places;
