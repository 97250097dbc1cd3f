//! The settings of a run: the table of keys, recipes, their defaults and their validation.

pub mod argument;
pub mod complete;
pub mod defaults;
pub mod error;
pub mod key;
mod parse;
pub mod recipe;
mod recipe_file;
pub mod settings;
mod table;
pub mod train_config;
pub(in crate::train) mod unused;
pub(in crate::train) mod validate;
pub mod values;
