//! What the taps of a kernel see, brought together: `[taps of some input blocks][pixels][16]`.
//!
//! A pixel's block is one vector, so that this "im2col" moves whole vectors, whatever stride, padding and dilation.

use super::super::ConvGeometry;
use super::super::simd::{LANES, Lane};
use std::ops::Range;

/// Writes what tap `tap` sees in `plane` (a block of the input, `[N, H, W, 16]`) for the output pixels of `pixels`, counted
/// over all images.
#[inline(always)]
pub fn tap(
    plane: &[Lane],
    geometry: &ConvGeometry,
    tap: usize,
    pixels: Range<usize>,
    target: &mut [Lane],
) {
    let (out_height, out_width) = (geometry.out_height(), geometry.out_width());
    let (tap_row, tap_column) = (tap / geometry.kernel, tap % geometry.kernel);
    let rows = geometry.inside(tap_row, geometry.height, out_height);
    let columns = geometry.inside(tap_column, geometry.width, out_width);
    let mut target = &mut target[..pixels.len()];
    let mut pixel = pixels.start;
    while pixel < pixels.end {
        let (line, start) = (pixel / out_width, pixel % out_width);
        let end = out_width.min(start + pixels.end - pixel);
        let (now, rest) = target.split_at_mut(end - start);
        let (image, row) = (line / out_height, line % out_height);
        let seen = columns.start.clamp(start, end)..columns.end.clamp(start, end);
        if rows.contains(&row) && !seen.is_empty() {
            let line = image * geometry.height + geometry.position(row, tap_row);
            let source =
                &plane[line * geometry.width + geometry.position(seen.start, tap_column)..];
            now[..seen.start - start].fill([0.0; LANES]);
            now[seen.end - start..].fill([0.0; LANES]);
            let now = &mut now[seen.start - start..seen.end - start];
            for (target, source) in now.iter_mut().zip(source.iter().step_by(geometry.stride)) {
                *target = *source;
            }
        } else {
            now.fill([0.0; LANES]);
        }
        target = rest;
        pixel += end - start;
    }
}
