//! Pillow's resize of 8-bit pictures, bit for bit.
//!
//! Each output sample is a weighted mean of the source samples under the filter, which is widened by the scale on
//! reduction. Weights are computed in `f64`, normalised, and rounded to fixed point with 22 fractional bits; sums are
//! 32-bit integers, rounded and clipped to 8 bits. Rows first, then columns, so a picture is rounded twice; an axis
//! whose length does not change is left alone. This is `src/libImaging/Resample.c` of
//! [Pillow](https://github.com/python-pillow/Pillow): no other order of these steps gives the same bits.
//!
//! Only the [`Window`] asked for is computed. An output sample never depends on where the window lies, and what a
//! centre crop would throw away costs nothing, however long and thin the picture is.

use super::picture::Picture;
use crate::model::Interpolation;

/// Fractional bits of a weight: 8 bits of the result and 2 of head room (the cubic's weights overshoot) of 32 are kept.
const FRACTION_BITS: u32 = 32 - 8 - 2;
/// One half, which makes the shift at the end round.
const HALF: i32 = 1 << (FRACTION_BITS - 1);

/// A rectangle of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first row and the first column.
    pub start: [usize; 2],
    /// Height and width.
    pub size: [usize; 2],
}

/// `picture` resized to `size` (height, width), neither of which may be zero.
pub fn resize(picture: &Picture, size: [usize; 2], filter: Interpolation) -> Picture {
    let whole = Window {
        start: [0, 0],
        size,
    };
    resize_window(picture, size, whole, filter)
}

/// What `window` shows of `picture` resized to `size` (height, width), neither of which may be zero.
///
/// # Panics
/// When the window sticks out of `size`, or the picture has neither 1 nor 3 channels.
pub fn resize_window(
    picture: &Picture,
    size: [usize; 2],
    window: Window,
    filter: Interpolation,
) -> Picture {
    assert!(
        (0..2).all(|axis| window.start[axis] + window.size[axis] <= size[axis]),
        "{window:?} of a picture of {size:?}"
    );
    match picture.channels() {
        1 => resize_channels::<1>(picture, size, window, filter),
        3 => resize_channels::<3>(picture, size, window, filter),
        channels => panic!("a picture of {channels} channels"),
    }
}

/// [`resize_window`] of a picture of `C` channels.
fn resize_channels<const C: usize>(
    picture: &Picture,
    size: [usize; 2],
    window: Window,
    filter: Interpolation,
) -> Picture {
    let axis = |axis: usize| {
        let outputs = window.start[axis]..window.start[axis] + window.size[axis];
        Taps::new(picture.size()[axis], size[axis], outputs, filter)
    };
    let (vertical, horizontal) = (axis(0), axis(1));
    let width = window.size[1];

    // Of the source's rows only those that the second pass reads.
    let (first_row, last_row) = vertical.reach();
    let mut middle = vec![0; (last_row - first_row) * width * C];
    for (y, output) in middle.chunks_exact_mut(width * C).enumerate() {
        let row = picture.row(first_row + y);
        if picture.size()[1] == size[1] {
            output.copy_from_slice(&row[window.start[1] * C..][..width * C]);
        } else {
            horizontal.weigh_row::<C>(row, output);
        }
    }
    if picture.size()[0] == size[0] {
        return Picture::new(window.size, C, middle);
    }

    let mut samples = vec![0; window.size[0] * width * C];
    let mut sums = vec![0; width * C];
    for (output, span) in samples.chunks_exact_mut(width * C).zip(&vertical.spans) {
        let rows = middle[(span.first - first_row) * width * C..].chunks_exact(width * C);
        weigh_rows(rows, vertical.weights_of(span), &mut sums);
        for (sample, &sum) in output.iter_mut().zip(&sums) {
            *sample = round(sum);
        }
    }
    Picture::new(window.size, C, samples)
}

/// `sums[x]` is one half plus the weighted sum over the rows of their sample `x`.
fn weigh_rows<'a>(rows: impl Iterator<Item = &'a [u8]>, weights: &[i32], sums: &mut [i32]) {
    sums.fill(HALF);
    for (row, &weight) in rows.zip(weights) {
        for (sum, &sample) in sums.iter_mut().zip(row) {
            *sum += i32::from(sample) * weight;
        }
    }
}

/// A sum in fixed point as a sample.
fn round(sum: i32) -> u8 {
    (sum >> FRACTION_BITS).clamp(0, 255) as u8
}

/// The source samples of one output sample.
struct Span {
    /// The first source sample.
    first: usize,
    /// How many there are.
    count: usize,
    /// Where their weights begin.
    weights: usize,
}

/// The weights that turn one axis of a picture into a resized one.
struct Taps {
    /// One span an output sample of the window.
    spans: Vec<Span>,
    /// Weights in fixed point, span after span.
    weights: Vec<i32>,
}

impl Taps {
    /// Weights for the output samples `outputs` of an axis resized from `source` to `target` samples
    /// (`precompute_coeffs` and `normalize_coeffs_8bpc`). An axis that keeps its length has spans of one sample.
    fn new(
        source: usize,
        target: usize,
        outputs: std::ops::Range<usize>,
        filter: Interpolation,
    ) -> Self {
        let mut taps = Self {
            spans: Vec::with_capacity(outputs.len()),
            weights: Vec::new(),
        };
        if source == target {
            taps.spans.extend(outputs.map(|first| Span {
                first,
                count: 1,
                weights: 0,
            }));
            return taps;
        }
        let scale = f64::from(source as f32) / target as f64;
        let widening = scale.max(1.0);
        let shrinking = 1.0 / widening;
        let support = support(filter) * widening;
        let mut exact = Vec::new();
        for output in outputs {
            let centre = (output as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(source);
            exact.clear();
            exact.extend(
                (first..end)
                    .map(|position| weight(filter, (position as f64 - centre + 0.5) * shrinking)),
            );
            let total: f64 = exact.iter().sum();
            if total != 0.0 {
                exact.iter_mut().for_each(|weight| *weight /= total);
            }
            taps.spans.push(Span {
                first,
                count: exact.len(),
                weights: taps.weights.len(),
            });
            taps.weights.extend(exact.iter().copied().map(fixed_point));
        }
        taps
    }

    /// The first source sample under any span, and the one after the last.
    fn reach(&self) -> (usize, usize) {
        match (self.spans.first(), self.spans.last()) {
            (Some(first), Some(last)) => (first.first, last.first + last.count),
            _ => (0, 0),
        }
    }

    fn weights_of(&self, span: &Span) -> &[i32] {
        &self.weights[span.weights..][..span.count]
    }

    /// One row of `C` channels through the filter.
    fn weigh_row<const C: usize>(&self, row: &[u8], output: &mut [u8]) {
        let (pixels, _) = row.as_chunks::<C>();
        let (output, _) = output.as_chunks_mut::<C>();
        for (output, span) in output.iter_mut().zip(&self.spans) {
            let mut sums = [HALF; C];
            let pixels = &pixels[span.first..][..span.count];
            for (pixel, &weight) in pixels.iter().zip(self.weights_of(span)) {
                for channel in 0..C {
                    sums[channel] += i32::from(pixel[channel]) * weight;
                }
            }
            *output = sums.map(round);
        }
    }
}

/// How far the filter reaches from its centre, in source samples at scale 1.
fn support(filter: Interpolation) -> f64 {
    match filter {
        Interpolation::Bilinear => 1.0,
        Interpolation::Bicubic => 2.0,
    }
}

/// The filter's value at `distance` from its centre.
fn weight(filter: Interpolation, distance: f64) -> f64 {
    const A: f64 = -0.5;
    let x = distance.abs();
    match filter {
        Interpolation::Bilinear if x < 1.0 => 1.0 - x,
        Interpolation::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        Interpolation::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        _ => 0.0,
    }
}

/// A weight in fixed point, rounded to nearest, halves away from zero.
fn fixed_point(weight: f64) -> i32 {
    let scaled = weight * f64::from(1 << FRACTION_BITS);
    (if weight < 0.0 {
        scaled - 0.5
    } else {
        scaled + 0.5
    }) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture whose samples follow no pattern.
    fn noise(size: [usize; 2], channels: usize) -> Picture {
        let mut state = 1_u32;
        let samples = (0..size[0] * size[1] * channels)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        Picture::new(size, channels, samples)
    }

    #[test]
    fn a_window_shows_the_same_pixels_as_the_whole() {
        for filter in [Interpolation::Bilinear, Interpolation::Bicubic] {
            for size in [[40, 60], [11, 7], [31, 47], [31, 9], [90, 47]] {
                let picture = noise([31, 47], 3);
                let whole = resize(&picture, size, filter);
                let window = Window {
                    start: [3, 2],
                    size: [size[0] - 5, size[1] - 3],
                };
                let part = resize_window(&picture, size, window, filter);
                for y in 0..window.size[0] {
                    assert_eq!(part.row(y), &whole.row(y + 3)[6..][..part.row(y).len()]);
                }
            }
        }
    }

    #[test]
    fn grey_is_resized_as_each_channel_of_colour_is() {
        let grey = noise([13, 29], 1);
        let colour = Picture::new(
            [13, 29],
            3,
            grey.samples().iter().flat_map(|&g| [g; 3]).collect(),
        );
        let grey = resize(&grey, [30, 17], Interpolation::Bicubic);
        let colour = resize(&colour, [30, 17], Interpolation::Bicubic);
        let expected: Vec<u8> = grey.samples().iter().flat_map(|&g| [g; 3]).collect();
        assert_eq!(colour.samples(), expected);
    }

    #[test]
    fn one_colour_stays_that_colour_at_any_size() {
        let picture = Picture::filled([5, 3], &[255, 0, 77]);
        for size in [[1, 1], [2, 9], [300, 1], [5, 4]] {
            let resized = resize(&picture, size, Interpolation::Bicubic);
            assert_eq!(resized, Picture::filled(size, &[255, 0, 77]));
        }
    }
}
