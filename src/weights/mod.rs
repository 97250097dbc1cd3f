//! Weights from anywhere: files, folders and the hub, in torchvision's, timm's and transformers' names.
//!
//! What a user writes as MODEL becomes a [`Checkpoint`] (or, without its weights, a [`Card`]):
//!
//! | step | module |
//! |---|---|
//! | what was written: a path, a hub name, a short name | [`source`] |
//! | the files that belong to it | `place` |
//! | a file's tensors: safetensors, or `PyTorch`'s zip archive of a pickle, or its older pickles | `file`, `archive`, `directory`, `legacy`, `pickle`, `view` |
//! | their names as torchvision's | `names` |
//! | the architecture, preprocessing and labels that the configuration files give | `timm`, `transformers`, `processor` |
//! | the architecture that the tensors' shapes show | `shapes` |
//! | which pictures chose the weights | [`run`] |
//! | what a path that leads nowhere may have meant | `near` |
//! | nets that are refused by name | `foreign` |
//! | every tensor of the architecture is there, in its shape, and no other | `check` |
//!
//! Nothing is left at an initial value: a file either holds the whole net or is refused.

mod archive;
mod bytes;
mod card;
mod check;
mod checkpoint;
mod configuration;
mod directory;
mod elements;
mod file;
mod foreign;
mod header;
mod labels;
mod legacy;
mod mistaken;
mod names;
pub(crate) mod near;
mod pickle;
mod place;
mod processor;
mod remote;
pub mod run;
mod save;
mod shapes;
pub mod source;
mod timm;
mod transformers;
mod view;

use std::path::PathBuf;

use anyhow::Result;

pub use card::{Card, STATE_KEY};
pub use checkpoint::Checkpoint;
pub use labels::imagenet_labels;
pub use remote::Remote;
pub use run::RunNote;
pub(crate) use save::temporary_beside;
pub use save::{write_model, write_safetensors, write_whole};
pub use source::Source;

/// How files of a hub's repository are had: from the cache or over the network.
pub trait Fetch {
    /// The local copy of `file`; an error where the repository or the file is not there.
    fn file(&self, repository: &str, revision: Option<&str>, file: &str) -> Result<PathBuf>;

    /// Whether only what is cached can be had, so that a file not found may yet exist.
    fn is_offline(&self) -> bool {
        false
    }

    /// The local copy of `file`; nothing where the repository has no such file.
    fn optional_file(
        &self,
        repository: &str,
        revision: Option<&str>,
        file: &str,
    ) -> Result<Option<PathBuf>>;
}
