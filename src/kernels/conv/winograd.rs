//! Winograd's F(4x4, 3x3): a tile of 4x4 outputs of a 3x3 convolution of stride 1 from 6x6 inputs with 36 multiplications a
//! pair of channels instead of 144.
//!
//! - `y = A^T [ (G g G^T) * (B^T d B) ] A`, the products summed over input channels: 36 matrix products over tiles.
//! - The points are 0, ±√½, ±√2 and infinity rather than the usual 0, ±1, ±2: with `a² = ½`, `b² = 2` the transforms have
//!   the same number of operations and the rounding errors are about a third.
//! - A task transforms some rows of tiles for all input channels, multiplies point by point, and transforms the products
//!   back: inputs, weights and products pass by once.
//! - Fast Algorithms for Convolutional Neural Networks, <https://arxiv.org/abs/1509.09308>.

use super::super::ConvGeometry;
use super::super::aligned::Lanes;
use super::super::blocked::blocks;
use super::super::simd::{Job, LANES, Lane, Simd, dispatch};
use super::super::tile::{self, Ending, Factors, Place, compute};
use super::direct::strided;
use super::scratch::with_scratch;
use super::tasks;
use super::view::Taps;
use rayon::prelude::*;
use std::ops::Range;

/// Outputs of a tile on one axis.
const OUT: usize = 4;
/// Inputs of a tile on one axis.
const IN: usize = 6;
/// Products of a tile.
const POINTS: usize = IN * IN;
/// The first pair of points, and its powers.
const A: f32 = std::f32::consts::FRAC_1_SQRT_2;
const A2: f32 = 0.5;
/// The second pair of points, and its powers.
const B: f32 = std::f32::consts::SQRT_2;
const B2: f32 = 2.0;
/// Tiles of a task: four full register tiles, and as many as a point's inputs, weights and products have room for in the
/// second cache. Weights, which may come from memory, are read once for all of them.
const TILES: usize = 56;

/// Whether a convolution can be computed so.
pub fn fits(geometry: &ConvGeometry) -> bool {
    geometry.kernel == 3 && geometry.stride == 1 && geometry.dilation == 1 && geometry.groups == 1
}

/// Rows and columns of tiles of an image.
pub fn tiles(geometry: &ConvGeometry) -> [usize; 2] {
    [
        geometry.out_height().div_ceil(OUT),
        geometry.out_width().div_ceil(OUT),
    ]
}

/// `G`: a row for each point.
fn kernel_transform() -> [[f32; 3]; IN] {
    let (a, b) = (f64::from(A2).sqrt(), f64::from(B2).sqrt());
    let points = [0.0, a, -a, b, -b];
    let mut rows = [[0.0, 0.0, 1.0f64]; IN];
    for (i, &point) in points.iter().enumerate() {
        let others = points.iter().enumerate().filter(|&(j, _)| j != i);
        let scale: f64 = others.map(|(_, &other)| point - other).product();
        rows[i] = [1.0 / scale, point / scale, point * point / scale];
    }
    rows.map(|row| row.map(|value| value as f32))
}

/// Transformed weights `[tiles of blocks][36][input channels][blocks of the tile][16]` of nine taps in row-major order.
pub fn pack(taps: &Taps, packed: &mut Lanes) {
    struct Pack<'a>(&'a Taps<'a>, &'a mut [Lane]);
    impl Job for Pack<'_> {
        type Output = ();
        fn run<S: Simd>(self, simd: S) {
            pack_for(simd, self.0, self.1);
        }
    }
    let lanes = blocks(taps.outputs) * POINTS * blocks(taps.inputs) * LANES;
    packed.reserve(lanes);
    let packed = &mut packed[..lanes];
    if !taps.inputs.is_multiple_of(LANES) {
        packed.fill([0.0; LANES]);
    }
    dispatch(Pack(taps, packed));
}

fn pack_for<S: Simd>(simd: S, taps: &Taps, packed: &mut [Lane]) {
    let channels = blocks(taps.inputs) * LANES;
    let transform = kernel_transform();
    let tiles = packed
        .par_chunks_mut(S::BLOCKS * POINTS * channels)
        .enumerate();
    tiles.for_each(|(tile, packed)| {
        let blocks = packed.len() / (POINTS * channels);
        simd.vectorize(
            #[inline(always)]
            || {
                for block in 0..blocks {
                    let first = (tile * S::BLOCKS + block) * LANES;
                    let outputs = LANES.min(taps.outputs - first);
                    for input in 0..taps.inputs {
                        let kernels = &taps.values[first * taps.out_step + input * taps.in_step..];
                        let kernels: [Lane; 9] = std::array::from_fn(
                            #[inline(always)]
                            |tap| {
                                let values = &kernels[taps.places[tap]..];
                                if outputs == LANES {
                                    return strided(values, taps.out_step);
                                }
                                let mut lane = [0.0; LANES];
                                let values = values.iter().step_by(taps.out_step);
                                lane.iter_mut()
                                    .take(outputs)
                                    .zip(values)
                                    .for_each(|(a, b)| *a = *b);
                                lane
                            },
                        );
                        let place = input * blocks + block;
                        transform_kernels(
                            simd,
                            &transform,
                            &kernels,
                            packed,
                            channels * blocks,
                            place,
                        );
                    }
                }
            },
        );
    });
}

/// `G g G^T` of sixteen kernels at once, `kernels[3 r + c]` holding their values at row r and column c; point p goes to
/// `target[p * step + place]`.
#[inline(always)]
fn transform_kernels<S: Simd>(
    simd: S,
    transform: &[[f32; 3]; IN],
    kernels: &[Lane; 9],
    target: &mut [Lane],
    step: usize,
    place: usize,
) {
    let combine = |row: &[f32; 3], [a, b, c]: [S::V; 3]| {
        let [x, y, z] = row.map(|factor| simd.splat(factor));
        simd.mul_add(a, x, simd.mul_add(b, y, simd.mul(c, z)))
    };
    for p in 0..IN {
        let mut half = [simd.splat(0.0); 3];
        for (c, half) in half.iter_mut().enumerate() {
            let column = [
                simd.load(&kernels[c]),
                simd.load(&kernels[3 + c]),
                simd.load(&kernels[6 + c]),
            ];
            *half = combine(&transform[p], column);
        }
        for q in 0..IN {
            let point = combine(&transform[q], half);
            simd.store(&mut target[(p * IN + q) * step + place], point);
        }
    }
}

/// The output `[C_out / 16, N, H', W', 16]` of the input `[C_in / 16, N, H, W, 16]`.
pub fn forward(
    input: &[Lane],
    weights: &[Lane],
    geometry: &ConvGeometry,
    ending: Option<Ending>,
    output: &mut [Lane],
) {
    struct Forward<'a>(
        &'a [Lane],
        &'a [Lane],
        &'a ConvGeometry,
        Option<Ending<'a>>,
        &'a mut [Lane],
    );
    impl Job for Forward<'_> {
        type Output = ();
        fn run<S: Simd>(self, simd: S) {
            let Self(input, weights, geometry, ending, output) = self;
            Winograd {
                simd,
                input,
                weights,
                geometry,
                ending,
            }
            .run(output);
        }
    }
    dispatch(Forward(input, weights, geometry, ending, output));
}

struct Winograd<'a, S> {
    simd: S,
    input: &'a [Lane],
    weights: &'a [Lane],
    geometry: &'a ConvGeometry,
    ending: Option<Ending<'a>>,
}

impl<S: Simd> Winograd<'_, S> {
    fn run(&self, output: &mut [Lane]) {
        let geometry = self.geometry;
        let [tile_rows, tile_columns] = tiles(geometry);
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
        // Few tiles: the output channels are shared out, too.
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
        let [_, columns] = tiles(self.geometry);
        let count = lines.len() * columns;
        let in_blocks = blocks(self.geometry.in_channels);
        // One lane more: points at a distance of a power of two would share the cache's sets.
        let input_step = in_blocks * count + 1;
        let product_step = task.blocks.len() * count + 1;
        with_scratch(POINTS * (input_step + product_step), |scratch| {
            let (inputs, products) = scratch.split_at_mut(POINTS * input_step);
            self.simd.vectorize(
                #[inline(always)]
                || {
                    for block in 0..in_blocks {
                        let target = &mut inputs[block * count..];
                        self.transform_block(block, lines.clone(), target, input_step);
                    }
                },
            );
            for point in 0..POINTS {
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

    /// The products of a point: `count` tiles of all input channels times the weights of the output blocks.
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
        // A point's weights of a tile of blocks.
        let weights = |first: usize| {
            let blocks = S::BLOCKS.min(out_blocks.end - first);
            let start = first * POINTS * lanes + point * lanes * blocks;
            &self.weights[start..start + lanes * blocks]
        };
        let firsts = out_blocks.clone().step_by(S::BLOCKS);
        let tiles_of_products = products[..out_blocks.len() * count].chunks_mut(S::BLOCKS * count);
        for (first, products) in firsts.zip(tiles_of_products) {
            let next = first + S::BLOCKS;
            let ahead = if next < out_blocks.end {
                weights(next)
            } else {
                &[]
            };
            let mut outputs = products.chunks_exact_mut(count);
            let mut next = || outputs.next().unwrap_or_default();
            let mut outputs = [next(), next()];
            for [tile, tiles] in tile::tiles::<S>(count) {
                let factors = Factors {
                    pixels: &inputs[tile..],
                    step: count,
                    segments: in_blocks,
                    weights: weights(first),
                    // The first of the tiles that share these weights fetches the next ones.
                    ahead: if tile == 0 { ahead } else { &[] },
                };
                let place = Place {
                    block: 0,
                    blocks: S::BLOCKS.min(out_blocks.end - first),
                    pixel: tile,
                    pixels: tiles,
                    adds: false,
                    whole: [0; 3],
                };
                compute(self.simd, factors, &mut outputs, place, None);
            }
        }
    }

    /// Transforms a block of input channels for the tiles of `lines`: point p of tile t goes to `target[p * step + t]`.
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
        let [tile_rows, tile_columns] = tiles(geometry);
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
                    *half = input_transform(simd, values);
                }
                for j in 0..IN {
                    let column = input_transform(
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

    /// Transforms a block's products back, `products[p * step + t]` for point p of tile t, and ends the convolution.
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
            ending,
            ..
        } = *self;
        let (out_height, out_width) = (geometry.out_height(), geometry.out_width());
        let [tile_rows, tile_columns] = tiles(geometry);
        let whole_block = task.blocks.start + block;
        let pixels = geometry.batch * geometry.out_pixels();
        let first_pixel = task.pixels.start;
        let output = &mut *task.outputs[block];
        let bias = ending.and_then(|ending| ending.bias);
        let bias = bias.map(|bias| simd.load(&bias[whole_block]));
        let residual = ending
            .and_then(|ending| ending.residual)
            .map(|residual| &residual[whole_block * pixels..][..pixels]);
        let relu = ending.is_some_and(|ending| ending.relu);
        let mut place = 0;
        for line in lines {
            let (image, tile_row) = (line / tile_rows, line % tile_rows);
            for tile_column in 0..tile_columns {
                let mut half = [[simd.splat(0.0); IN]; OUT];
                for j in 0..IN {
                    let column = output_transform(
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
                    let mut values = output_transform(simd, *half);
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
                    if let Some(residual) = residual {
                        for (value, residual) in
                            values.iter_mut().zip(&residual[pixel..][..columns])
                        {
                            *value = simd.add(*value, simd.load(residual));
                        }
                    }
                    if relu {
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

/// `B^T d`: the products `x (x² - a²) (x² - b²) / (x - p)` of each point p, and of infinity, applied to six inputs.
#[inline(always)]
fn input_transform<S: Simd>(simd: S, d: [S::V; IN]) -> [S::V; IN] {
    let constant = |value: f32| simd.splat(value);
    let sum = A2 + B2; // a² b² is 1
    // Even and odd parts of the rows of a pair.
    let even_a = simd.mul_add(d[2], constant(-B2), d[4]);
    let odd_a = simd.mul_add(d[1], constant(-B2), d[3]);
    let even_b = simd.mul_add(d[2], constant(-A2), d[4]);
    let odd_b = simd.mul_add(d[1], constant(-A2), d[3]);
    [
        simd.add(simd.mul_add(d[2], constant(-sum), d[4]), d[0]),
        simd.mul_add(odd_a, constant(A), even_a),
        simd.mul_add(odd_a, constant(-A), even_a),
        simd.mul_add(odd_b, constant(B), even_b),
        simd.mul_add(odd_b, constant(-B), even_b),
        simd.add(simd.mul_add(d[3], constant(-sum), d[5]), d[1]),
    ]
}

/// `A^T m`: powers of the points times six products.
#[inline(always)]
fn output_transform<S: Simd>(simd: S, m: [S::V; IN]) -> [S::V; OUT] {
    let constant = |value: f32| simd.splat(value);
    let (sum_a, difference_a) = (simd.add(m[1], m[2]), simd.sub(m[1], m[2]));
    let (sum_b, difference_b) = (simd.add(m[3], m[4]), simd.sub(m[3], m[4]));
    [
        simd.add(simd.add(m[0], sum_a), sum_b),
        simd.mul_add(
            difference_a,
            constant(A),
            simd.mul(difference_b, constant(B)),
        ),
        simd.mul_add(sum_a, constant(A2), simd.mul(sum_b, constant(B2))),
        simd.add(
            simd.mul_add(
                difference_a,
                constant(A * A2),
                simd.mul(difference_b, constant(B * B2)),
            ),
            m[5],
        ),
    ]
}
