//! The blocks that every component consists of: 8x8 coefficients, which become 8x8 samples (T.81, A.1.1).

/// Samples along the edge of a block.
pub const BLOCK: usize = 8;
/// Coefficients of a block.
pub const COEFFICIENTS: usize = BLOCK * BLOCK;

/// The coefficients of a block, row by row, not yet multiplied by the quantization table.
pub type Block = [i16; COEFFICIENTS];
