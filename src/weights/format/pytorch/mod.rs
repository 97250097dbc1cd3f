//! Checkpoints of `torch.save`: a zip archive of a pickle, or the pickles from before `PyTorch` 1.6.

pub mod archive;
pub mod legacy;
mod pickle;
mod tensor_view;
mod zip;
