//! The register tile: several pixels by several output channels, summed over segments of sixteen input channels.
//!
//! Every product of the kernels ends here. The sums stay in registers while the segments stream by; the value of a
//! pixel is broadcast to a vector and multiplied with vectors of weights, sixteen output channels each.

use crate::simd::{ChannelBlock, LANES, Simd};

/// Operands of a tile.
#[derive(Debug, Clone, Copy)]
pub struct TileOperands<'a> {
    /// The tile's pixels in its first segment, one after the other; those of segment s start at `s * step`.
    pub pixels: &'a [ChannelBlock],
    /// Number of channel blocks from one segment to the next.
    pub step: usize,
    /// Number of segments.
    pub segments: usize,
    /// Weights `[segments][16][blocks]`: for each input channel those of the tile's blocks of output channels.
    pub weights: &'a [ChannelBlock],
    /// Weights that later tiles read, prefetched meanwhile, some with each segment.
    pub next_weights: &'a [ChannelBlock],
    /// True if the next tile is the first to read the pixels that follow: they are prefetched, too.
    pub prefetch_pixels: bool,
}

/// Operations applied to the sums before they are stored.
#[derive(Debug, Clone, Copy, Default)]
pub struct Epilogue<'a> {
    /// Bias, added to each pixel of an output block.
    pub bias: Option<&'a [ChannelBlock]>,
    /// True to apply ReLU.
    pub relu: bool,
}

/// Contents of the output buffer on entry (cf. `beta` in GEMM).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputInit {
    /// Undefined; the output is overwritten.
    Overwrite,
    /// Partial sums, which are continued.
    Accumulate,
    /// Residual, added to the sums at the end. It needs no memory of its own then, and is read where the processor
    /// would have fetched the old values of the output anyway.
    Residual,
}

/// Location of a tile's sums: pixel p of block b is stored at `outputs[b][p]`, for `blocks` blocks from `block` on and
/// `pixels` pixels from `pixel` on.
#[derive(Debug, Clone, Copy)]
pub struct OutputTile {
    /// Index of the first block in `outputs`.
    pub block: usize,
    /// Number of blocks of the tile.
    pub blocks: usize,
    /// Index of the first pixel within each of `outputs`.
    pub pixel: usize,
    /// Number of pixels of the tile.
    pub pixels: usize,
    /// Contents of the output on entry.
    pub init: OutputInit,
    /// Index of the first block in the whole output.
    pub whole_block: usize,
}

/// The products that a tile sums.
pub trait TileProduct: Copy {
    /// Adds all products to `sums`.
    fn add_to<S: Simd, const M: usize, const N: usize>(self, simd: S, sums: &mut [[S::V; N]; M]);
}

/// Computes a tile of at most `S::PIXELS` pixels and `S::BLOCKS` blocks.
pub fn compute<S: Simd>(
    simd: S,
    product: impl TileProduct,
    outputs: &mut [&mut [ChannelBlock]],
    tile: OutputTile,
    epilogue: Epilogue,
) {
    macro_rules! sizes {
        ($($pixels:literal)*) => {
            match (tile.pixels, tile.blocks) {
                $(
                    ($pixels, 1) if $pixels <= S::PIXELS => sized::<S, _, $pixels, 1>(simd, product, outputs, tile, epilogue),
                    ($pixels, 2) if $pixels <= S::PIXELS && S::BLOCKS >= 2 => sized::<S, _, $pixels, 2>(simd, product, outputs, tile, epilogue),
                )*
                (pixels, blocks) => unreachable!("a tile of {pixels} pixels and {blocks} blocks"),
            }
        };
    }
    sizes!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

/// Unrolls `$body` for each of `$indices` below `$most`: only values indexed by constants stay in registers.
macro_rules! each {
    ($i:ident in $most:ident, $($index:literal)*, $body:block) => {
        $(if $index < $most {
            let $i = $index;
            $body
        })*
    };
}

/// Unrolls the same for the pixels of a tile.
macro_rules! each_pixel {
    ($m:ident in $most:ident, $body:block) => {
        each!($m in $most, 0 1 2 3 4 5 6 7 8 9 10 11 12 13, $body);
    };
}

#[inline(never)]
fn sized<S: Simd, T: TileProduct, const M: usize, const N: usize>(
    simd: S,
    product: T,
    outputs: &mut [&mut [ChannelBlock]],
    tile: OutputTile,
    epilogue: Epilogue,
) {
    simd.vectorize(
        #[inline(always)]
        || {
            fetch_residual::<S, M, N>(simd, outputs, tile);
            let mut sums = begin::<S, M, N>(simd, outputs, tile);
            product.add_to(simd, &mut sums);
            finish(simd, sums, outputs, tile, epilogue);
        },
    );
}

impl TileProduct for TileOperands<'_> {
    #[inline(always)]
    fn add_to<S: Simd, const M: usize, const N: usize>(self, simd: S, sums: &mut [[S::V; N]; M]) {
        let (weights, _) = self.weights.as_chunks::<N>();
        let (weights, _) = weights.as_chunks::<LANES>();
        let share = self.next_weights.len().div_ceil(self.segments).max(1);
        let mut next_weights = self.next_weights.chunks(share);
        for (segment, weights) in weights[..self.segments].iter().enumerate() {
            for lane in next_weights.next().unwrap_or_default() {
                simd.prefetch(lane);
            }
            let pixels = &self.pixels[segment * self.step..];
            if let Some(next) = pixels.get(M..2 * M).filter(|_| self.prefetch_pixels) {
                each_pixel!(m in M, { simd.prefetch(&next[m]); });
            }
            let pixels = &pixels[..M];
            for k in 0..LANES {
                add_products(
                    simd,
                    &weights[k],
                    #[inline(always)]
                    |m| pixels[m][k],
                    sums,
                );
            }
        }
    }
}

/// Adds the products of each pixel's value with the weights of each block.
#[inline(always)]
pub(super) fn add_products<S: Simd, const M: usize, const N: usize>(
    simd: S,
    weights: &[ChannelBlock; N],
    value: impl Fn(usize) -> f32,
    sums: &mut [[S::V; N]; M],
) {
    let mut vectors = [simd.splat(0.0); N];
    each!(n in N, 0 1, { vectors[n] = simd.load(&weights[n]); });
    each_pixel!(m in M, {
        let value = simd.splat(value(m));
        each!(n in N, 0 1, { sums[m][n] = simd.mul_add(value, vectors[n], sums[m][n]); });
    });
}

/// Prefetches the residual while the products are computed.
#[inline(always)]
fn fetch_residual<S: Simd, const M: usize, const N: usize>(
    simd: S,
    outputs: &[&mut [ChannelBlock]],
    tile: OutputTile,
) {
    if tile.init == OutputInit::Residual {
        each!(n in N, 0 1, {
            let residual = &outputs[tile.block + n][tile.pixel..][..M];
            each_pixel!(m in M, { simd.prefetch(&residual[m]); });
        });
    }
}

/// Returns the initial sums of a tile.
#[inline(always)]
fn begin<S: Simd, const M: usize, const N: usize>(
    simd: S,
    outputs: &[&mut [ChannelBlock]],
    tile: OutputTile,
) -> [[S::V; N]; M] {
    let mut sums = [[simd.splat(0.0); N]; M];
    if tile.init == OutputInit::Accumulate {
        each!(n in N, 0 1, {
            let output = &outputs[tile.block + n][tile.pixel..][..M];
            each_pixel!(m in M, { sums[m][n] = simd.load(&output[m]); });
        });
    }
    sums
}

/// Stores the sums.
#[inline(always)]
fn finish<S: Simd, const M: usize, const N: usize>(
    simd: S,
    mut sums: [[S::V; N]; M],
    outputs: &mut [&mut [ChannelBlock]],
    tile: OutputTile,
    epilogue: Epilogue,
) {
    let outputs = &mut outputs[tile.block..][..N];
    each!(n in N, 0 1, {
        let output = &mut outputs[n][tile.pixel..][..M];
        if let Some(bias) = epilogue.bias {
            let bias = simd.load(&bias[tile.whole_block + n]);
            each_pixel!(m in M, { sums[m][n] = simd.add(sums[m][n], bias); });
        }
        if tile.init == OutputInit::Residual {
            each_pixel!(m in M, { sums[m][n] = simd.add(sums[m][n], simd.load(&output[m])); });
        }
        if epilogue.relu {
            let zero = simd.splat(0.0);
            // NaN stays NaN.
            each_pixel!(m in M, { sums[m][n] = simd.max(zero, sums[m][n]); });
        }
        each_pixel!(m in M, { simd.store(&mut output[m], sums[m][n]); });
    });
}

pub(super) use {each, each_pixel};

/// Returns the part of `next_weights` that tile `i` of `count` tiles with the same weights prefetches: together they fetch it
/// once.
pub fn share(next_weights: &[ChannelBlock], i: usize, count: usize) -> &[ChannelBlock] {
    &next_weights[next_weights.len() * i / count..next_weights.len() * (i + 1) / count]
}

/// Splits `count` pixels into tiles of nearly equal size, at most `S::PIXELS`; yields the first pixel and the number of
/// pixels of each.
pub fn tiles<S: Simd>(count: usize) -> impl ExactSizeIterator<Item = [usize; 2]> {
    let tiles = count.div_ceil(S::PIXELS).max(1);
    (0..tiles).map(move |tile| {
        let start = count * tile / tiles;
        [start, count * (tile + 1) / tiles - start]
    })
}
