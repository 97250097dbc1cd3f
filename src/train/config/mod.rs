//! The settings of a run: the table of keys, recipes, their defaults and their validation.

pub(crate) mod argument;
pub mod complete;
pub mod defaults;
pub(crate) mod error;
pub(crate) mod key;
pub(in crate::train) mod large_batch;
mod parse;
pub(crate) mod recipe;
mod recipe_file;
pub(crate) mod settings;
mod table;
mod tables;
pub(crate) mod train_config;
pub(in crate::train) mod unused;
pub(in crate::train) mod validate;
pub(crate) mod values;
