//! The arithmetic of each instruction set: vectors of sixteen f32.

/// Number of values of a vector, and of channels of a block in the layout of the kernels.
pub const LANES: usize = 16;

/// The values of one pixel in one block of channels.
pub type ChannelBlock = [f32; LANES];

/// Vectors of [`LANES`] f32, and the register tile that suits them.
pub trait Simd: Copy + Send + Sync {
    /// Vector type.
    type V: Copy;
    /// Number of pixels of a register tile.
    const PIXELS: usize;
    /// Number of blocks of output channels of a register tile.
    const BLOCKS: usize;

    /// Runs `work`, a closure marked `#[inline(always)]`, with the set enabled.
    fn vectorize<R>(self, work: impl FnMut() -> R) -> R;
    /// Prefetches a channel block into the L2 cache; the processor may ignore it.
    fn prefetch(self, block: &ChannelBlock);
    /// Broadcasts one value to all lanes.
    fn splat(self, value: f32) -> Self::V;
    /// Loads the values of a channel block.
    fn load(self, from: &ChannelBlock) -> Self::V;
    /// Stores the vector to a channel block.
    fn store(self, to: &mut ChannelBlock, value: Self::V);
    /// Computes `a * b + c`, rounded once if the set supports it.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Computes `a * b`.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// Computes `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// Computes `a - b`.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// Returns the larger one; `b` if either is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// Returns `b` where it is larger than `a` or NaN, `a` elsewhere.
    fn max_or_nan(self, a: Self::V, b: Self::V) -> Self::V;
    /// Returns `value` where `sign` is positive, 0 elsewhere.
    fn where_positive(self, sign: Self::V, value: Self::V) -> Self::V;
    /// Returns `value` where `a` and `b` are equal, 0 elsewhere.
    fn where_equal(self, a: Self::V, b: Self::V, value: Self::V) -> Self::V;
}
