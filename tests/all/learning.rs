//! What a step learns: loss, gradients, optimisers, averages and frozen parts, by themselves and against PyTorch.

mod frozen;
mod pytorch;
mod updates;
