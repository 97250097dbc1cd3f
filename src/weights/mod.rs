//! Loading of weights from files, folders and the hub, in torchvision's, timm's and transformers' naming.
//!
//! The MODEL argument of a command becomes a [`Checkpoint`] (or, without its weights, a [`ModelInfo`]):
//!
//! | step | module |
//! |---|---|
//! | the argument itself: a path, a hub name or a short name | `locate::source` |
//! | the files that belong to it | `locate::files` |
//! | suggestions for a path that does not exist | `locate::similar` |
//! | the tensors of a file: safetensors, `PyTorch`'s zip archive of a pickle, or its older pickles | `format` |
//! | their names, translated to torchvision's | `state_dict::rename` |
//! | architecture, preprocessing and labels from the configuration files | `config` |
//! | the architecture inferred from the shapes of the tensors | `state_dict::infer_config` |
//! | models that are rejected by name | `state_dict::other_architectures` |
//! | every tensor of the architecture is present, in its shape, and no other | `state_dict::complete` |
//! | which images trained and selected the weights | [`provenance`] |
//!
//! No parameter is ever left at its initial value: a file either holds the whole model or is rejected.

mod checkpoint;
mod config;
mod format;
mod hints;
pub(crate) mod locate;
mod model_info;
pub mod provenance;
mod save;
mod state_dict;

pub use checkpoint::Checkpoint;
pub(crate) use config::imagenet;
pub use config::imagenet::imagenet_labels;
pub(crate) use format::metadata;
pub use locate::fetch::Fetch;
pub use locate::hub::Remote;
pub(crate) use locate::source::{ModelSource, named_models};
pub use model_info::ModelInfo;
pub use provenance::TrainingProvenance;
pub use save::{write_model, write_safetensors};
