//! Layers: parameters under torchvision's names, and their initialization.

pub mod batch_norm;
pub mod conv;
pub mod init;
pub mod linear;
pub mod loss;
pub mod targets;

pub use batch_norm::BatchNorm2d;
pub use conv::Conv2d;
pub use init::Parameters;
pub use linear::Linear;
pub use loss::CrossEntropy;
pub use targets::Targets;
