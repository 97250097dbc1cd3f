//! The layout of activations and weights in memory.

mod blocked;
mod buffer;

pub use blocked::{
    blocks, from_planar, gather_strided, load_square, to_planar, transposed, vector,
};
pub use buffer::Buffer;
