//! Layers: parameters under torchvision's names, and their initialization.

pub(crate) mod batch_norm;
mod channel_attention;
pub(crate) mod conv;
mod group_norm;
pub(crate) mod init;
pub(crate) mod linear;
pub(crate) mod loss;
mod norm;
pub(crate) mod targets;

pub use batch_norm::BatchNorm2d;
pub use channel_attention::{Attention, ChannelAttention, PointwiseConv};
pub use conv::Conv2d;
pub use group_norm::GroupNorm;
pub use init::Parameters;
pub use linear::Linear;
pub use loss::CrossEntropy;
pub use norm::Norm;
pub use targets::Targets;
