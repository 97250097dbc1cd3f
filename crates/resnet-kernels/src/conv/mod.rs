//! Convolutions in the blocked layout, with the operations that follow them: bias, residual and ReLU.
//!
//! The algorithm depends on the shapes, including the batch, and affects the last bits of a result; so does the
//! instruction set.

mod backward;
mod direct;
mod forward;
mod geometry;
mod groups;
mod im2col;
mod offsets;
mod outer_product;
mod packed;
mod scratch;
mod select;
pub mod stem;
mod tasks;
pub mod winograd;
mod workspace;

pub use backward::{grad_input, grad_weight, grad_weight_by_winograd};
pub use forward::{forward, forward_on_images};
pub use geometry::ConvGeometry;
pub use packed::Convolution;
pub use select::{Algorithm, Products, choose};
pub use workspace::Workspace;
