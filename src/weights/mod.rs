//! Loading of weights from files, folders and the hub, in torchvision's, timm's and transformers' naming.
//!
//! The MODEL argument of a command becomes a [`Checkpoint`] (or, without its weights, a [`Card`]):
//!
//! | step | module |
//! |---|---|
//! | the argument itself: a path, a hub name or a short name | [`source`] |
//! | the files that belong to it | `place` |
//! | the tensors of a file: safetensors, `PyTorch`'s zip archive of a pickle, or its older pickles | `file`, `archive`, `directory`, `legacy`, `pickle`, `view` |
//! | their names, translated to torchvision's | `names` |
//! | architecture, preprocessing and labels from the configuration files | `timm`, `transformers`, `processor` |
//! | the architecture inferred from the shapes of the tensors | `shapes` |
//! | which images selected the weights | [`run`] |
//! | suggestions for a path that does not exist | `near` |
//! | models that are rejected by name | `foreign` |
//! | every tensor of the architecture is present, in its shape, and no other | `check` |
//!
//! No parameter is ever left at its initial value: a file either holds the whole model or is rejected.

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
pub use source::{Source, named_models};

/// Access to the files of a repository on the hub, through the cache or over the network.
pub trait Fetch {
    /// Returns the local copy of `file`, or an error if the repository or the file does not exist.
    fn file(&self, repository: &str, revision: Option<&str>, file: &str) -> Result<PathBuf>;

    /// Returns true if only cached files are available, so that a file that is not found may still exist.
    fn is_offline(&self) -> bool {
        false
    }

    /// Returns the local copy of `file`, or `None` if the repository has no such file.
    fn optional_file(
        &self,
        repository: &str,
        revision: Option<&str>,
        file: &str,
    ) -> Result<Option<PathBuf>>;
}
