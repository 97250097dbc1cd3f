//! The commands: each has its flags and turns them into a call of the library.

mod check;
pub mod completions;
pub mod documents;
pub mod eval;
mod list;
mod missing;
pub mod predict;
pub mod summary;
pub mod train;
