//! What a residual net is: configuration, blocks, parameter names, description, and the preprocessing it carries.

pub mod config;
pub mod description;
pub mod preprocess;

pub use config::{BlockKind, ModelConfig, ShortcutKind, StemKind, StridePlacement};
pub use description::Description;
pub use preprocess::{CropMode, Interpolation, Preprocess};
