//! The settings of a run: recipes, their defaults and their validation.

pub mod defaults;
pub mod recipe;
pub mod settings;
pub(in crate::train) mod unused;
pub(in crate::train) mod validate;
pub mod values;
