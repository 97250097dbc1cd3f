//! The register tile: some pixels by some output channels, summed over segments of sixteen input channels.
//!
//! Every product of the kernels ends here. The sums stay in registers while the segments go by; a value of a pixel is spread
//! over a vector and multiplied with vectors of weights, of sixteen output channels each.

use super::simd::{LANES, Lane, Simd};

/// What a tile multiplies.
#[derive(Debug, Clone, Copy)]
pub struct Factors<'a> {
    /// The tile's pixels in its first segment, one after the other; those of segment s begin at `s * step`.
    pub pixels: &'a [Lane],
    /// Lanes from one segment to the next.
    pub step: usize,
    /// Segments.
    pub segments: usize,
    /// `[segments][16][blocks]`: for each input channel the weights of the tile's blocks of output channels.
    pub weights: &'a [Lane],
    /// Weights that later tiles read, to be brought near meanwhile, some with each segment.
    pub ahead: &'a [Lane],
    /// Whether the tile after this one is the first to read the pixels that follow: they are brought near, too.
    pub goes_on: bool,
}

/// What becomes of the sums.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ending<'a> {
    /// Added to each pixel of an output block.
    pub bias: Option<&'a [Lane]>,
    /// Whether negative values become zero.
    pub relu: bool,
}

/// What an output holds before it is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Nothing that matters.
    Nothing,
    /// Sums of earlier terms, from which these go on.
    Sums,
    /// What is added to the sums in the end. It needs no place of its own then, and is read where the processor would have
    /// fetched the output's old values anyway.
    Residual,
}

/// Where a tile's sums go: block b's pixel p at `outputs[b][p]` for the tile's first `blocks` blocks from `block` and its
/// pixels from `pixel`.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The first block among `outputs`.
    pub block: usize,
    /// Blocks of the tile.
    pub blocks: usize,
    /// The first pixel within each of `outputs`.
    pub pixel: usize,
    /// Pixels of the tile.
    pub pixels: usize,
    /// What is there already.
    pub held: Held,
    /// The first block's number in the whole output.
    pub whole_block: usize,
}

/// What a tile's sums are of.
pub trait Terms: Copy {
    /// Adds all of them.
    fn add_to<S: Simd, const M: usize, const N: usize>(self, simd: S, sums: &mut [[S::V; N]; M]);
}

/// Computes a tile of at most `S::PIXELS` pixels and `S::BLOCKS` blocks.
pub fn compute<S: Simd>(
    simd: S,
    terms: impl Terms,
    outputs: &mut [&mut [Lane]],
    place: Place,
    ending: Ending,
) {
    macro_rules! sizes {
        ($($pixels:literal)*) => {
            match (place.pixels, place.blocks) {
                $(
                    ($pixels, 1) if $pixels <= S::PIXELS => sized::<S, _, $pixels, 1>(simd, terms, outputs, place, ending),
                    ($pixels, 2) if $pixels <= S::PIXELS && S::BLOCKS >= 2 => sized::<S, _, $pixels, 2>(simd, terms, outputs, place, ending),
                )*
                (pixels, blocks) => unreachable!("a tile of {pixels} pixels and {blocks} blocks"),
            }
        };
    }
    sizes!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

/// Runs `$body` for each of `$places` below `$most`, written out: only what is indexed by constants stays in registers.
macro_rules! each {
    ($i:ident in $most:ident, $($place:literal)*, $body:block) => {
        $(if $place < $most {
            let $i = $place;
            $body
        })*
    };
}

/// The same for the pixels of a tile.
macro_rules! each_pixel {
    ($m:ident in $most:ident, $body:block) => {
        each!($m in $most, 0 1 2 3 4 5 6 7 8 9 10 11 12 13, $body);
    };
}

#[inline(never)]
fn sized<S: Simd, T: Terms, const M: usize, const N: usize>(
    simd: S,
    terms: T,
    outputs: &mut [&mut [Lane]],
    place: Place,
    ending: Ending,
) {
    simd.vectorize(
        #[inline(always)]
        || {
            fetch_residual::<S, M, N>(simd, outputs, place);
            let mut sums = begin::<S, M, N>(simd, outputs, place);
            terms.add_to(simd, &mut sums);
            finish(simd, sums, outputs, place, ending);
        },
    );
}

impl Terms for Factors<'_> {
    #[inline(always)]
    fn add_to<S: Simd, const M: usize, const N: usize>(self, simd: S, sums: &mut [[S::V; N]; M]) {
        let (weights, _) = self.weights.as_chunks::<N>();
        let (weights, _) = weights.as_chunks::<LANES>();
        let share = self.ahead.len().div_ceil(self.segments).max(1);
        let mut ahead = self.ahead.chunks(share);
        for (segment, weights) in weights[..self.segments].iter().enumerate() {
            for lane in ahead.next().unwrap_or_default() {
                simd.prefetch(lane);
            }
            let pixels = &self.pixels[segment * self.step..];
            if let Some(next) = pixels.get(M..2 * M).filter(|_| self.goes_on) {
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
    weights: &[Lane; N],
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

/// Has the residual brought near while the products are made.
#[inline(always)]
fn fetch_residual<S: Simd, const M: usize, const N: usize>(
    simd: S,
    outputs: &[&mut [Lane]],
    place: Place,
) {
    if place.held == Held::Residual {
        each!(n in N, 0 1, {
            let residual = &outputs[place.block + n][place.pixel..][..M];
            each_pixel!(m in M, { simd.prefetch(&residual[m]); });
        });
    }
}

/// The sums that a tile goes on from.
#[inline(always)]
fn begin<S: Simd, const M: usize, const N: usize>(
    simd: S,
    outputs: &[&mut [Lane]],
    place: Place,
) -> [[S::V; N]; M] {
    let mut sums = [[simd.splat(0.0); N]; M];
    if place.held == Held::Sums {
        each!(n in N, 0 1, {
            let output = &outputs[place.block + n][place.pixel..][..M];
            each_pixel!(m in M, { sums[m][n] = simd.load(&output[m]); });
        });
    }
    sums
}

/// Puts the sums in their place.
#[inline(always)]
fn finish<S: Simd, const M: usize, const N: usize>(
    simd: S,
    mut sums: [[S::V; N]; M],
    outputs: &mut [&mut [Lane]],
    place: Place,
    ending: Ending,
) {
    let outputs = &mut outputs[place.block..][..N];
    each!(n in N, 0 1, {
        let output = &mut outputs[n][place.pixel..][..M];
        if let Some(bias) = ending.bias {
            let bias = simd.load(&bias[place.whole_block + n]);
            each_pixel!(m in M, { sums[m][n] = simd.add(sums[m][n], bias); });
        }
        if place.held == Held::Residual {
            each_pixel!(m in M, { sums[m][n] = simd.add(sums[m][n], simd.load(&output[m])); });
        }
        if ending.relu {
            let zero = simd.splat(0.0);
            // A value that is no number stays none.
            each_pixel!(m in M, { sums[m][n] = simd.max(zero, sums[m][n]); });
        }
        each_pixel!(m in M, { simd.store(&mut output[m], sums[m][n]); });
    });
}

pub(super) use {each, each_pixel};

/// What tile `i` of `count` that share their weights fetches of `ahead`: all of them together fetch it once.
pub fn share(ahead: &[Lane], i: usize, count: usize) -> &[Lane] {
    &ahead[ahead.len() * i / count..ahead.len() * (i + 1) / count]
}

/// Cuts `count` pixels into tiles of nearly equal size, `S::PIXELS` at most: the first pixel and the pixels of each.
pub fn tiles<S: Simd>(count: usize) -> impl ExactSizeIterator<Item = [usize; 2]> {
    let tiles = count.div_ceil(S::PIXELS).max(1);
    (0..tiles).map(move |tile| {
        let start = count * tile / tiles;
        [start, count * (tile + 1) / tiles - start]
    })
}
