//! The tensors of a file of weights as a state dict with torchvision's names.

pub mod complete;
pub mod infer_config;
pub mod other_architectures;
pub mod rename;
