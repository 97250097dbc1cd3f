//! The transforms of all tiles of some lines: of a block of inputs, and of a block of products.

use super::transform::{Square, Transform};
use crate::conv::geometry::ConvGeometry;
use crate::conv::tasks;
use crate::simd::{ChannelBlock, Simd};
use crate::tile::{Epilogue, OutputInit};
use std::ops::Range;

/// The algorithm for tiles of `OUT` by `OUT` outputs and `IN` by `IN` inputs.
pub(super) struct Winograd<'a, S, const OUT: usize, const IN: usize> {
    pub(super) simd: S,
    pub(super) input: &'a [ChannelBlock],
    pub(super) weights: &'a [ChannelBlock],
    pub(super) geometry: &'a ConvGeometry,
    /// Rows and columns of tiles of an image.
    pub(super) grid: [usize; 2],
    pub(super) init: OutputInit,
    pub(super) epilogue: Epilogue<'a>,
}

impl<S: Simd, const OUT: usize, const IN: usize> Winograd<'_, S, OUT, IN>
where
    Square<OUT, IN>: Transform<OUT, IN>,
{
    /// Transforms a block of input channels for the tiles of `lines`: point p of tile t is written to
    /// `target[p * step + t]`.
    #[inline(always)]
    pub(super) fn transform_block(
        &self,
        block: usize,
        lines: Range<usize>,
        target: &mut [ChannelBlock],
        step: usize,
    ) {
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
    pub(super) fn finish_block(
        &self,
        products: &[ChannelBlock],
        step: usize,
        lines: Range<usize>,
        task: &mut tasks::Task,
        block: usize,
    ) {
        let Self {
            simd,
            geometry,
            init,
            epilogue,
            ..
        } = *self;
        let (out_height, out_width) = (geometry.out_height(), geometry.out_width());
        let [tile_rows, tile_columns] = self.grid;
        let first_pixel = task.pixels.start;
        let whole_block = task.blocks.start + block;
        let output = &mut *task.outputs[block];
        let bias = epilogue.bias.map(|bias| simd.load(&bias[whole_block]));
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
                    if init != OutputInit::Overwrite {
                        for (value, residual) in values.iter_mut().zip(&*target) {
                            *value = simd.add(*value, simd.load(residual));
                        }
                    }
                    if epilogue.relu {
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
