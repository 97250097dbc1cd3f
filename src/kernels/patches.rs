//! Unfolding images into patches ("im2col") and folding patches back, a tile of output pixels at a time.

use super::ConvGeometry;
use super::matmul::{Matrix, Threads};
use rayon::prelude::*;
use std::ops::Range;

/// Columns that a product should have at least: images are merged until it has.
const FEWEST_COLUMNS: usize = 256;
/// Columns of a tile of one image: its patches stay in a core's second cache, and large images take no more memory.
const COLUMNS: usize = 1024;

/// Images whose pixels make one product's columns, by their size alone.
pub fn merged_images(geometry: &ConvGeometry) -> usize {
    let enough = FEWEST_COLUMNS.div_ceil(geometry.out_pixels().max(1));
    enough.min(geometry.batch).max(1)
}

/// The output pixels that are the columns of one product: all of some images, or some rows of one image.
#[derive(Debug)]
pub struct Tile<'a> {
    geometry: &'a ConvGeometry,
    first: usize,
    images: usize,
    rows: Range<usize>,
}

impl<'a> Tile<'a> {
    /// The tiles of `images` images from `first`.
    pub fn cut(
        geometry: &'a ConvGeometry,
        first: usize,
        images: usize,
    ) -> impl Iterator<Item = Self> {
        let height = geometry.out_height();
        // Without patches there is nothing to keep in a cache.
        let whole = images > 1 || geometry.is_pointwise();
        let rows = if whole {
            height
        } else {
            (COLUMNS / geometry.out_width()).max(1)
        };
        (0..height).step_by(rows).map(move |row| {
            let rows = row..(row + rows).min(height);
            Self {
                geometry,
                first,
                images,
                rows,
            }
        })
    }

    /// Output pixels of one image before the tile's.
    pub fn start(&self) -> usize {
        self.rows.start * self.geometry.out_width()
    }

    /// Output pixels of one image in the tile.
    pub fn pixels(&self) -> usize {
        self.rows.len() * self.geometry.out_width()
    }

    /// Output pixels in the tile.
    pub fn columns(&self) -> usize {
        self.images * self.pixels()
    }

    /// One group's patches as `[patch, columns]`, in `buffer` unless the image itself serves.
    pub fn unfold<'b>(
        &self,
        input: &'b [f32],
        group: usize,
        threads: Threads,
        buffer: &'b mut Vec<f32>,
    ) -> Matrix<'b> {
        let geometry = self.geometry;
        let (patch, columns) = (geometry.patch(), self.columns());
        let plane = geometry.height * geometry.width;
        let channels = geometry.in_channels / geometry.groups;
        let start =
            |image: usize| (self.first + image) * geometry.image() + group * channels * plane;
        if geometry.is_pointwise() && self.images == 1 {
            return Matrix::new(&input[start(0)..][..channels * plane], patch, columns);
        }
        buffer.resize(patch * columns, 0.0);
        let taps = geometry.kernel * geometry.kernel;
        let unfold_row = |(row, target): (usize, &mut [f32])| {
            for (image, target) in target.chunks_exact_mut(self.pixels()).enumerate() {
                let source = &input[start(image) + row / taps * plane..][..plane];
                self.unfold_tap(source, row % taps, target);
            }
        };
        match threads {
            Threads::One => buffer
                .chunks_exact_mut(columns)
                .enumerate()
                .for_each(unfold_row),
            Threads::All => buffer
                .par_chunks_exact_mut(columns)
                .enumerate()
                .for_each(unfold_row),
        }
        Matrix::new(buffer, patch, columns)
    }

    /// What tap `tap` of the kernel sees of one plane, an output pixel each; zero outside the plane.
    fn unfold_tap(&self, plane: &[f32], tap: usize, target: &mut [f32]) {
        let geometry = self.geometry;
        let (tap_row, tap_column) = (tap / geometry.kernel, tap % geometry.kernel);
        let out_width = geometry.out_width();
        let rows = geometry.inside(tap_row, geometry.height, geometry.out_height());
        let columns = geometry.inside(tap_column, geometry.width, out_width);
        for (out_row, target) in self.rows.clone().zip(target.chunks_exact_mut(out_width)) {
            if !rows.contains(&out_row) || columns.is_empty() {
                target.fill(0.0);
                continue;
            }
            let source =
                &plane[geometry.position(out_row, tap_row) * geometry.width..][..geometry.width];
            let source = &source[geometry.position(columns.start, tap_column)..];
            target[..columns.start].fill(0.0);
            target[columns.end..].fill(0.0);
            let target = &mut target[columns.clone()];
            if geometry.stride == 1 {
                target.copy_from_slice(&source[..columns.len()]);
            } else {
                for (target, &value) in target
                    .iter_mut()
                    .zip(source.iter().step_by(geometry.stride))
                {
                    *target = value;
                }
            }
        }
    }

    /// Adds one group's patches `[patch, columns]` to the tile's input images, where they were read: the transpose of
    /// unfolding.
    pub fn fold(&self, patches: &[f32], group: usize, images: &mut [f32]) {
        let geometry = self.geometry;
        let taps = geometry.kernel * geometry.kernel;
        let plane = geometry.height * geometry.width;
        let channels = geometry.in_channels / geometry.groups;
        for (image, target) in images.chunks_exact_mut(geometry.image()).enumerate() {
            for (row, source) in patches.chunks_exact(self.columns()).enumerate() {
                let source = &source[image * self.pixels()..][..self.pixels()];
                let target = &mut target[(group * channels + row / taps) * plane..][..plane];
                self.fold_tap(source, row % taps, target);
            }
        }
    }

    /// Adds what tap `tap` of the kernel saw to one plane.
    fn fold_tap(&self, source: &[f32], tap: usize, plane: &mut [f32]) {
        let geometry = self.geometry;
        let (tap_row, tap_column) = (tap / geometry.kernel, tap % geometry.kernel);
        let out_width = geometry.out_width();
        let rows = geometry.inside(tap_row, geometry.height, geometry.out_height());
        let columns = geometry.inside(tap_column, geometry.width, out_width);
        if columns.is_empty() {
            return;
        }
        let first_column = geometry.position(columns.start, tap_column);
        let sources = self.rows.clone().zip(source.chunks_exact(out_width));
        for (out_row, source) in sources.filter(|(out_row, _)| rows.contains(out_row)) {
            let target = &mut plane[geometry.position(out_row, tap_row) * geometry.width..]
                [..geometry.width];
            let target = target[first_column..].iter_mut().step_by(geometry.stride);
            for (target, &value) in target.zip(&source[columns.clone()]) {
                *target += value;
            }
        }
    }

    /// One group of the output's gradient as `[C_out / groups, columns]`, in `buffer` where images are merged.
    pub fn gradient<'b>(
        &self,
        gradient: &'b [f32],
        group: usize,
        buffer: &'b mut Vec<f32>,
    ) -> Matrix<'b> {
        let geometry = self.geometry;
        let (pixels, outputs) = (
            geometry.out_pixels(),
            geometry.out_channels / geometry.groups,
        );
        let start =
            |image: usize| (self.first + image) * geometry.out_image() + group * outputs * pixels;
        if self.images == 1 {
            let gradient = &gradient[start(0)..][..outputs * pixels];
            return Matrix::strided(&gradient[self.start()..], outputs, self.columns(), pixels);
        }
        buffer.resize(outputs * self.columns(), 0.0);
        for (channel, row) in buffer.chunks_exact_mut(self.columns()).enumerate() {
            for (image, target) in row.chunks_exact_mut(pixels).enumerate() {
                target.copy_from_slice(&gradient[start(image) + channel * pixels..][..pixels]);
            }
        }
        Matrix::new(buffer, outputs, self.columns())
    }
}
