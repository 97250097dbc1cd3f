//! Gathering of the inputs of a kernel's taps: `[taps of some input blocks][pixels][16]`.
//!
//! A block of a pixel is one vector, so that this "im2col" moves whole vectors, for any stride, padding and dilation.

use super::offsets::OffsetConv;
use crate::simd::{ChannelBlock, LANES};
use std::ops::Range;

/// Writes the inputs of the tap with `offset` in `plane` (a block of the input, `[N, H, W, 16]`) for the output pixels
/// `pixels`, counted over all images.
#[inline(always)]
pub fn gather_tap(
    plane: &[ChannelBlock],
    conv: &OffsetConv,
    offset: [isize; 2],
    pixels: Range<usize>,
    target: &mut [ChannelBlock],
) {
    let [out_height, out_width] = conv.output;
    let [height, width] = conv.input;
    let rows = inside(offset[0], conv.stride, height, out_height);
    let columns = inside(offset[1], conv.stride, width, out_width);
    let position =
        |output: usize, offset: isize| (output * conv.stride).wrapping_add_signed(offset);
    let mut target = &mut target[..pixels.len()];
    let mut pixel = pixels.start;
    while pixel < pixels.end {
        let (line, start) = (pixel / out_width, pixel % out_width);
        let end = out_width.min(start + pixels.end - pixel);
        let (now, rest) = target.split_at_mut(end - start);
        let (image, row) = (line / out_height, line % out_height);
        let valid = columns.start.clamp(start, end)..columns.end.clamp(start, end);
        if rows.contains(&row) && !valid.is_empty() {
            let line = image * height + position(row, offset[0]);
            let source = &plane[line * width + position(valid.start, offset[1])..];
            now[..valid.start - start].fill([0.0; LANES]);
            now[valid.end - start..].fill([0.0; LANES]);
            let now = &mut now[valid.start - start..valid.end - start];
            for (target, source) in now.iter_mut().zip(source.iter().step_by(conv.stride)) {
                *target = *source;
            }
        } else {
            now.fill([0.0; LANES]);
        }
        target = rest;
        pixel += end - start;
    }
}

/// Returns the outputs, out of `out_length`, whose tap lies inside an input of `length`.
fn inside(offset: isize, stride: usize, length: usize, out_length: usize) -> Range<usize> {
    let first = (-offset).max(0) as usize;
    let end = (length as isize - offset).max(0) as usize;
    let end = end.div_ceil(stride).min(out_length);
    first.div_ceil(stride).min(end)..end
}
