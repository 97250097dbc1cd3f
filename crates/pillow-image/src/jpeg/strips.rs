//! The samples of the components, one row of MCUs at a time, and their conversion to pixels.
//!
//! A row of the image may need the row of samples above and below its own, so each strip keeps the last rows of
//! the one before, and the last pixels of a row of MCUs wait for the next.

use super::block::BLOCK;
use super::color::{self, ColorTransform};
use super::frame::Frame;
use super::idct::Samples;
use super::upsample::Upsampling;

/// The samples of a component in a row of MCUs.
#[derive(Debug)]
struct Strip {
    samples: Vec<u8>,
    stride: usize,
    /// Rows at the front that belong to the previous row of MCUs.
    kept: usize,
    /// Rows of samples of a row of MCUs.
    rows: usize,
    /// The component's size in samples.
    width: usize,
    height: usize,
    upsampling: Upsampling,
    /// A row of samples at the width of the image.
    wide: Vec<u8>,
}

/// Converts samples to the rows of an image.
#[derive(Debug)]
pub struct Strips<'a> {
    components: Vec<Strip>,
    transform: ColorTransform,
    /// The remaining rows of pixels, and the bytes per row.
    pixels: &'a mut [u8],
    pitch: usize,
    /// The image's height, the rows of it per row of MCUs, and those that wait for the next row of MCUs.
    height: usize,
    mcu_height: usize,
    waiting: usize,
    y: usize,
    sums: Vec<u16>,
}

impl<'a> Strips<'a> {
    /// Creates strips that fill `pixels` from the top.
    pub fn new(frame: &Frame, transform: ColorTransform, pixels: &'a mut [u8]) -> Self {
        let strips = frame.components.iter().map(|component| {
            let stride = frame.mcus_wide() * component.h * BLOCK;
            let (kept, rows) = (2 * component.v, component.v * BLOCK);
            Strip {
                samples: vec![0; stride * (kept + rows)],
                stride,
                kept,
                rows,
                width: component.width,
                height: component.height,
                upsampling: Upsampling::of(component, frame),
                wide: vec![0; frame.width],
            }
        });
        Self {
            components: strips.collect(),
            transform,
            pixels,
            pitch: 3 * frame.width,
            height: frame.height,
            mcu_height: frame.max_v * BLOCK,
            waiting: frame.max_v,
            y: 0,
            sums: Vec::new(),
        }
    }

    /// Writes a block of samples at a row and column of blocks of the current row of MCUs.
    #[inline(always)]
    pub fn put(&mut self, component: usize, row: usize, column: usize, samples: &Samples) {
        let strip = &mut self.components[component];
        let start = (strip.kept + row * BLOCK) * strip.stride + column * BLOCK;
        let rows = strip.samples[start..].chunks_mut(strip.stride);
        for (row, samples) in rows.zip(samples) {
            row[..BLOCK].copy_from_slice(samples);
        }
    }

    /// Converts row `mcu_row` of MCUs to pixels once all its blocks are there, except for the last rows, which wait for the
    /// next row of MCUs if there is one.
    #[inline(always)]
    pub fn finish(&mut self, mcu_row: usize) {
        let below = (mcu_row + 1) * self.mcu_height;
        let end = if below >= self.height {
            self.height
        } else {
            below - self.waiting
        };
        while self.y < end {
            self.make_row(mcu_row);
            self.y += 1;
        }
        for strip in &mut self.components {
            strip.samples.copy_within(strip.rows * strip.stride.., 0);
        }
    }

    #[inline(always)]
    fn make_row(&mut self, mcu_row: usize) {
        for strip in &mut self.components {
            if strip.upsampling == Upsampling::None {
                continue;
            }
            let (near, far) = strip.upsampling.rows(self.y, strip.height);
            let samples = &strip.samples;
            let row = |row: usize| {
                let start = (strip.kept + row - mcu_row * strip.rows) * strip.stride;
                &samples[start..][..strip.width]
            };
            let (near, far) = (row(near), row(far));
            strip
                .upsampling
                .fill(self.y, near, far, &mut self.sums, &mut strip.wide);
        }
        let mut rows: [&[u8]; 4] = [&[]; 4];
        for (row, strip) in rows.iter_mut().zip(&self.components) {
            *row = if strip.upsampling == Upsampling::None {
                let start = (strip.kept + self.y - mcu_row * strip.rows) * strip.stride;
                &strip.samples[start..][..strip.width]
            } else {
                &strip.wide
            };
        }
        let pixels = &mut self.pixels[self.y * self.pitch..][..self.pitch];
        color::convert(self.transform, &rows[..self.components.len()], pixels);
    }
}
