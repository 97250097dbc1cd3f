//! Winograd's F(2x2, 3x3) and F(4x4, 3x3): a tile of outputs of a 3x3 convolution of stride 1 with 16 multiplications
//! per pair of channels instead of 36, or 36 instead of 144.
//!
//! - `y = A^T [ (G g G^T) * (B^T d B) ] A`, with the products summed over input channels: 16 or 36 matrix products over
//!   tiles.
//! - A task transforms some rows of tiles for all input channels, multiplies point by point, and transforms the
//!   products back: inputs, weights and products are read and written once.
//! - Fast Algorithms for Convolutional Neural Networks, <https://arxiv.org/abs/1509.09308>.

pub mod gradient;
mod pack;
mod transform;

use super::super::ConvGeometry;
use super::super::blocked::blocks;
use super::super::simd::{Job, LANES, Lane, Simd, dispatch};
use super::super::tile::{self, Ending, Factors, Held, Place, compute};
use super::scratch::with_scratch;
use super::tasks;
use rayon::prelude::*;
use std::ops::Range;
use transform::{Square, Transform};

pub use pack::pack;

/// Number of outputs that are computed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tile {
    /// 2x2: 16 transformed values per 9 weights, which suits few pixels.
    Two,
    /// 4x4: 36 transformed values per 9 weights.
    Four,
}

impl Tile {
    /// Returns the number of outputs on one axis.
    pub fn side(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// Returns the number of products per pair of channels.
    pub fn points(self) -> usize {
        (self.side() + 2).pow(2)
    }

    /// Returns the number of rows and columns of tiles of an image.
    pub fn grid(self, geometry: &ConvGeometry) -> [usize; 2] {
        [geometry.out_height(), geometry.out_width()].map(|side| side.div_ceil(self.side()))
    }
}

/// Number of tiles per task: four full register tiles, and as many as the inputs, weights and products of a point have
/// room for in the L2 cache. Weights, which may come from memory, are read once for all of them.
const TILES: usize = 56;

/// Returns true if this algorithm supports the convolution.
pub fn fits(geometry: &ConvGeometry) -> bool {
    geometry.kernel == 3 && geometry.stride == 1 && geometry.dilation == 1 && geometry.groups == 1
}

/// Computes the output `[C_out / 16, N, H', W', 16]` of the input `[C_in / 16, N, H, W, 16]` and adds it to `output`.
pub fn forward(
    input: &[Lane],
    weights: &[Lane],
    geometry: &ConvGeometry,
    tile: Tile,
    held: Held,
    ending: Ending,
    output: &mut [Lane],
) {
    dispatch(Forward {
        input,
        weights,
        geometry,
        tile,
        held,
        ending,
        output,
    });
}

struct Forward<'a> {
    input: &'a [Lane],
    weights: &'a [Lane],
    geometry: &'a ConvGeometry,
    tile: Tile,
    held: Held,
    ending: Ending<'a>,
    output: &'a mut [Lane],
}

impl Job for Forward<'_> {
    type Output = ();

    fn run<S: Simd>(self, simd: S) {
        match self.tile {
            Tile::Two => self.sized::<S, 2, 4>(simd),
            Tile::Four => self.sized::<S, 4, 6>(simd),
        }
    }
}

impl Forward<'_> {
    fn sized<S: Simd, const OUT: usize, const IN: usize>(self, simd: S)
    where
        Square<OUT, IN>: Transform<OUT, IN>,
    {
        let winograd = Winograd::<S, OUT, IN> {
            simd,
            input: self.input,
            weights: self.weights,
            geometry: self.geometry,
            grid: self.tile.grid(self.geometry),
            held: self.held,
            ending: self.ending,
        };
        winograd.run(self.output);
    }
}

struct Winograd<'a, S, const OUT: usize, const IN: usize> {
    simd: S,
    input: &'a [Lane],
    weights: &'a [Lane],
    geometry: &'a ConvGeometry,
    /// Rows and columns of tiles of an image.
    grid: [usize; 2],
    held: Held,
    ending: Ending<'a>,
}

impl<S: Simd, const OUT: usize, const IN: usize> Winograd<'_, S, OUT, IN>
where
    Square<OUT, IN>: Transform<OUT, IN>,
{
    /// Number of products of a tile.
    const POINTS: usize = IN * IN;

    fn run(&self, output: &mut [Lane]) {
        let geometry = self.geometry;
        let [tile_rows, tile_columns] = self.grid;
        let lines = geometry.batch * tile_rows;
        let lines_a_task = (TILES / tile_columns).max(1);
        let tasks_wanted = lines.div_ceil(lines_a_task);
        let threads = rayon::current_num_threads();
        let tile_cuts = tasks::ranges(lines, 1, tasks_wanted);
        let first_pixel = |line: usize| {
            let (image, row) = (line / tile_rows, line % tile_rows);
            image * geometry.out_pixels()
                + (row * OUT).min(geometry.out_height()) * geometry.out_width()
        };
        let cuts: Vec<Range<usize>> = tile_cuts
            .iter()
            .map(|cut| first_pixel(cut.start)..first_pixel(cut.end))
            .collect();
        // Few tiles: the output channels are split, too.
        let shares = threads.div_ceil(tasks_wanted);
        let shares = tasks::ranges(blocks(geometry.out_channels), S::BLOCKS, shares);
        let pixels = geometry.batch * geometry.out_pixels();
        let tasks = tasks::split(output, pixels, &cuts, &shares);
        let work = |task: tasks::Task| self.task(task, tile_cuts.as_slice());
        if tasks.len() == 1 {
            tasks.into_iter().for_each(work);
        } else {
            tasks.into_par_iter().for_each(work);
        }
    }

    fn task(&self, mut task: tasks::Task, cuts: &[Range<usize>]) {
        let lines = cuts[task.cut].clone();
        let [_, columns] = self.grid;
        let count = lines.len() * columns;
        let in_blocks = blocks(self.geometry.in_channels);
        // One lane more: points at a distance of a power of two would share sets of the cache.
        let input_step = in_blocks * count + 1;
        let product_step = task.blocks.len() * count + 1;
        with_scratch(Self::POINTS * (input_step + product_step), |scratch| {
            let (inputs, products) = scratch.split_at_mut(Self::POINTS * input_step);
            self.simd.vectorize(
                #[inline(always)]
                || {
                    for block in 0..in_blocks {
                        let target = &mut inputs[block * count..];
                        self.transform_block(block, lines.clone(), target, input_step);
                    }
                },
            );
            for point in 0..Self::POINTS {
                let inputs = &inputs[point * input_step..][..in_blocks * count];
                let products = &mut products[point * product_step..];
                self.multiply(point, inputs, products, count, task.blocks.clone());
            }
            self.simd.vectorize(
                #[inline(always)]
                || {
                    for block in 0..task.blocks.len() {
                        let products = &products[block * count..];
                        self.finish_block(products, product_step, lines.clone(), &mut task, block);
                    }
                },
            );
        });
    }

    /// Computes the products of a point: `count` tiles of all input channels times the weights of the output blocks.
    fn multiply(
        &self,
        point: usize,
        inputs: &[Lane],
        products: &mut [Lane],
        count: usize,
        out_blocks: Range<usize>,
    ) {
        let in_blocks = blocks(self.geometry.in_channels);
        let lanes = in_blocks * LANES;
        // The weights of a point for one tile of blocks.
        let weights = |point: usize, first: usize| {
            let blocks = S::BLOCKS.min(out_blocks.end - first);
            let start = first * Self::POINTS * lanes + point * lanes * blocks;
            &self.weights[start..start + lanes * blocks]
        };
        let firsts = out_blocks.clone().step_by(S::BLOCKS);
        let tiles_of_products = products[..out_blocks.len() * count].chunks_mut(S::BLOCKS * count);
        for (first, products) in firsts.zip(tiles_of_products) {
            let ahead = match first + S::BLOCKS {
                next if next < out_blocks.end => weights(point, next),
                _ if point + 1 < Self::POINTS => weights(point + 1, out_blocks.start),
                _ => &[],
            };
            let mut outputs = products.chunks_exact_mut(count);
            let mut next = || outputs.next().unwrap_or_default();
            let mut outputs = [next(), next()];
            let register_tiles = tile::tiles::<S>(count);
            let tile_count = register_tiles.len();
            for (i, [tile, tiles]) in register_tiles.enumerate() {
                let factors = Factors {
                    pixels: &inputs[tile..],
                    step: count,
                    segments: in_blocks,
                    weights: weights(point, first),
                    ahead: tile::share(ahead, i, tile_count),
                    goes_on: false,
                };
                let place = Place {
                    block: 0,
                    blocks: S::BLOCKS.min(out_blocks.end - first),
                    pixel: tile,
                    pixels: tiles,
                    held: Held::Nothing,
                    whole_block: 0,
                };
                compute(self.simd, factors, &mut outputs, place, Ending::default());
            }
        }
    }

    /// Transforms a block of input channels for the tiles of `lines`: point p of tile t is written to
    /// `target[p * step + t]`.
    #[inline(always)]
    fn transform_block(&self, block: usize, lines: Range<usize>, target: &mut [Lane], step: usize) {
        let Self { simd, geometry, .. } = *self;
        let ConvGeometry {
            height,
            width,
            padding,
            ..
        } = *geometry;
        let plane = geometry.batch * height * width;
        let plane = &self.input[block * plane..][..plane];
        let [tile_rows, tile_columns] = self.grid;
        let mut place = 0;
        for line in lines {
            let (image, tile_row) = (line / tile_rows, line % tile_rows);
            let image = &plane[image * height * width..][..height * width];
            for tile_column in 0..tile_columns {
                let mut half = [[simd.splat(0.0); IN]; IN];
                for (i, half) in half.iter_mut().enumerate() {
                    let row = (tile_row * OUT + i).wrapping_sub(padding);
                    let mut values = [simd.splat(0.0); IN];
                    if row < height {
                        let image_row = &image[row * width..][..width];
                        let first = tile_column * OUT;
                        if first >= padding && first - padding + IN <= width {
                            let lanes = &image_row[first - padding..][..IN];
                            for (value, lane) in values.iter_mut().zip(lanes) {
                                *value = simd.load(lane);
                            }
                        } else {
                            for (j, value) in values.iter_mut().enumerate() {
                                if let Some(lane) = image_row.get((first + j).wrapping_sub(padding))
                                {
                                    *value = simd.load(lane);
                                }
                            }
                        }
                    }
                    *half = Square::inputs(simd, values);
                }
                for j in 0..IN {
                    let column = Square::inputs(
                        simd,
                        std::array::from_fn(
                            #[inline(always)]
                            |i| half[i][j],
                        ),
                    );
                    for (i, &value) in column.iter().enumerate() {
                        simd.store(&mut target[(i * IN + j) * step + place], value);
                    }
                }
                place += 1;
            }
        }
    }

    /// Transforms the products of a block back, `products[p * step + t]` for point p of tile t, and applies the final
    /// operations.
    #[inline(always)]
    fn finish_block(
        &self,
        products: &[Lane],
        step: usize,
        lines: Range<usize>,
        task: &mut tasks::Task,
        block: usize,
    ) {
        let Self {
            simd,
            geometry,
            held,
            ending,
            ..
        } = *self;
        let (out_height, out_width) = (geometry.out_height(), geometry.out_width());
        let [tile_rows, tile_columns] = self.grid;
        let first_pixel = task.pixels.start;
        let whole_block = task.blocks.start + block;
        let output = &mut *task.outputs[block];
        let bias = ending.bias.map(|bias| simd.load(&bias[whole_block]));
        let mut place = 0;
        for line in lines {
            let (image, tile_row) = (line / tile_rows, line % tile_rows);
            for tile_column in 0..tile_columns {
                let mut half = [[simd.splat(0.0); IN]; OUT];
                for j in 0..IN {
                    let column = Square::outputs(
                        simd,
                        std::array::from_fn(
                            #[inline(always)]
                            |i| simd.load(&products[(i * IN + j) * step + place]),
                        ),
                    );
                    for i in 0..OUT {
                        half[i][j] = column[i];
                    }
                }
                place += 1;
                let rows = OUT.min(out_height - tile_row * OUT);
                let columns = OUT.min(out_width - tile_column * OUT);
                for (i, half) in half.iter().enumerate() {
                    let mut values = Square::outputs(simd, *half);
                    if i >= rows {
                        continue;
                    }
                    let pixel =
                        (image * out_height + tile_row * OUT + i) * out_width + tile_column * OUT;
                    let target = &mut output[pixel - first_pixel..][..columns];
                    if let Some(bias) = bias {
                        for value in &mut values {
                            *value = simd.add(*value, bias);
                        }
                    }
                    if held != Held::Nothing {
                        for (value, residual) in values.iter_mut().zip(&*target) {
                            *value = simd.add(*value, simd.load(residual));
                        }
                    }
                    if ending.relu {
                        for value in &mut values {
                            *value = simd.max(simd.splat(0.0), *value);
                        }
                    }
                    for (target, &value) in target.iter_mut().zip(&values) {
                        simd.store(target, value);
                    }
                }
            }
        }
    }
}
