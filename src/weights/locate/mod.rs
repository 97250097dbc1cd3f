//! From the MODEL argument to the files that belong to it.

mod default_tags;
pub mod fetch;
pub mod files;
mod folders;
pub mod hub;
pub(crate) mod similar;
pub mod source;
