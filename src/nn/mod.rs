//! Layers: parameters under torchvision's names, and their initialization.

pub(crate) mod batch_norm;
pub(crate) mod conv;
pub(crate) mod init;
pub(crate) mod linear;
pub(crate) mod loss;
pub(crate) mod targets;

pub use batch_norm::BatchNorm2d;
pub use conv::Conv2d;
pub use init::Parameters;
pub use linear::Linear;
pub use loss::CrossEntropy;
pub use targets::Targets;
