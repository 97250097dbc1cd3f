//! Reading of files of weights: safetensors, and the formats of `torch.save`.

mod bytes;
pub mod convert;
pub mod file;
pub mod metadata;
mod not_weights;
mod pytorch;
mod safetensors;
pub mod tensor_info;
