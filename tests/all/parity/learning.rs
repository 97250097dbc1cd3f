//! Tests of single training steps: loss, gradients, optimizers, averages and frozen parts, on their own and against
//! PyTorch.

mod frozen;
mod lars_lamb;
mod pytorch;
mod updates;
