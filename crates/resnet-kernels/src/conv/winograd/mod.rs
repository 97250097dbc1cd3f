//! Winograd's F(2x2, 3x3) and F(4x4, 3x3): a tile of outputs of a 3x3 convolution of stride 1 with 16 multiplications
//! per pair of channels instead of 36, or 36 instead of 144.
//!
//! - `y = A^T [ (G g G^T) * (B^T d B) ] A`, with the products summed over input channels: 16 or 36 matrix products over
//!   tiles.
//! - A task transforms some rows of tiles for all input channels, multiplies point by point, and transforms the
//!   products back: inputs, weights and products are read and written once.
//! - Fast Algorithms for Convolutional Neural Networks, <https://arxiv.org/abs/1509.09308>.

mod forward;
pub mod gradient;
mod pack;
mod tile;
mod tiling;
mod transform;

pub use forward::forward;
pub use pack::pack;
pub use tile::{Tile, applies};
