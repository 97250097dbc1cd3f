//! Tests of single training steps: loss, gradients, optimizers, averages and frozen parts, on their own and against
//! PyTorch.

mod frozen;
mod pytorch;
mod updates;
