//! Residual networks: configuration, blocks, parameter names, description, and the preprocessing of a model.

mod architecture;
pub(crate) mod block;
pub mod config;
mod describe;
pub mod description;
mod frozen;
mod output_function;
pub(crate) mod preprocess;
pub(crate) mod resnet;
pub(crate) mod stem;
mod top_class;

pub use architecture::Architecture;
pub use config::{BlockKind, ModelConfig, ShortcutKind, StemKind, StridePlacement};
pub use describe::describe;
pub use description::Description;
pub use frozen::Frozen;
pub use output_function::{OutputFunction, ProblemType};
pub use preprocess::{CropMode, Interpolation, Preprocess};
pub use resnet::{ResNet, parameters};
pub(crate) use top_class::top_class;
