//! Layers: parameters by torchvision's names, and how they start.

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
