//! Pillow's resize of 8-bit images, bit-identical.
//!
//! Each output sample is a weighted mean of the source samples under the filter, which is widened by the scale on
//! reduction. Weights are computed in `f64`, normalized, and rounded to fixed point with 22 fractional bits; sums are
//! 32-bit integers, rounded and clipped to 8 bits. One axis is filtered after the other, so an image is rounded twice;
//! an axis whose length does not change is skipped. The order matters: across the rows first, but down the columns first
//! when the height loses more than twice as many pixels as the width. This is what `src/libImaging/Resample.c`
//! of [Pillow](https://github.com/python-pillow/Pillow) 13.0 does (before 13, always across first): no other order of
//! these steps gives the same bits.
//!
//! Only the requested [`Window`] is computed. An output sample never depends on the position of the window, and what a
//! center crop cuts off costs nothing, however long and thin the image is.

use std::ops::Range;

use crate::buffer::{Image, ImageView, Window};

/// Fractional bits of a weight: 8 bits of the result and 2 of head room (the cubic's weights overshoot) of 32 are kept.
const FRACTION_BITS: u32 = 32 - 8 - 2;
/// One half, so that the final shift rounds.
const HALF: i32 = 1 << (FRACTION_BITS - 1);

/// The filter of a resize.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Filter {
    /// Pillow's `Resampling.BILINEAR`: a triangle of radius 1.
    Bilinear,
    /// Pillow's `Resampling.BICUBIC`: Keys' cubic of radius 2 with a = -0.5.
    Bicubic,
}

/// Resizes `image` to `size` (height, width), as Pillow's `Image.resize` does.
///
/// # Panics
/// When `size` has a zero, and when the image has no pixels or neither 1 nor 3 channels.
pub fn resize<'a>(image: impl Into<ImageView<'a>>, size: [usize; 2], filter: Filter) -> Image {
    let whole = Window {
        start: [0, 0],
        size,
    };
    resize_window(image.into(), size, whole, filter)
}

/// Returns `window` of `image` resized to `size` (height, width); nothing outside of the window is computed.
///
/// # Panics
/// When the window is empty or extends beyond `size`, and when the image has no pixels or neither 1 nor 3 channels.
pub fn resize_window(
    image: ImageView<'_>,
    size: [usize; 2],
    window: Window,
    filter: Filter,
) -> Image {
    assert!(
        !window.size.contains(&0) && !image.size().contains(&0),
        "{window:?} of an image of {:?}",
        image.size()
    );
    assert!(
        (0..2).all(|axis| window.start[axis] + window.size[axis] <= size[axis]),
        "{window:?} of an image of {size:?}"
    );
    if image.size() == size {
        return image.crop(window);
    }
    match image.channels() {
        1 => resize_channels::<1>(image, size, window, filter),
        3 => resize_channels::<3>(image, size, window, filter),
        channels => panic!("an image of {channels} channels"),
    }
}

/// Resizes an image of `C` channels: [`resize_window`].
fn resize_channels<const C: usize>(
    image: ImageView<'_>,
    size: [usize; 2],
    window: Window,
    filter: Filter,
) -> Image {
    let [down, across] = [0, 1].map(|axis| {
        let outputs = window.start[axis]..window.start[axis] + window.size[axis];
        Taps::new(image.size()[axis], size[axis], outputs, filter)
    });
    // The first pass filters only what the second one reads.
    let whole = [0, 0];
    if is_down_first(image.size(), size) {
        let columns = across.span();
        let middle = filter_down::<C>(image, columns.clone(), &down, whole);
        filter_across::<C>(
            (&middle).into(),
            0..window.size[0],
            &across,
            [0, columns.start],
        )
    } else {
        let rows = down.span();
        let middle = filter_across::<C>(image, rows.clone(), &across, whole);
        filter_down::<C>((&middle).into(), 0..window.size[1], &down, [rows.start, 0])
    }
}

/// Returns whether Pillow filters down the columns first: when the height loses pixels, more than twice as many as the width.
fn is_down_first(source: [usize; 2], target: [usize; 2]) -> bool {
    let [height, width] = [0, 1].map(|axis| source[axis] as i64 - target[axis] as i64);
    height > 0 && height > 2 * width
}

/// Filters the `rows` of `image` across; `image` starts at row and column `origin` of the taps' coordinates.
fn filter_across<const C: usize>(
    image: ImageView<'_>,
    rows: Range<usize>,
    taps: &Taps,
    origin: [usize; 2],
) -> Image {
    let size = [rows.len(), taps.spans.len()];
    let mut samples = vec![0; size[0] * size[1] * C];
    let rows = rows.map(|y| image.row(y).as_chunks::<C>().0);
    let outputs = samples.chunks_exact_mut(size[1] * C);
    let outputs = outputs.map(|output| output.as_chunks_mut::<C>().0);
    for (pixels, output) in rows.zip(outputs) {
        for (output, span) in output.iter_mut().zip(&taps.spans) {
            let mut sums = [HALF; C];
            let pixels = &pixels[span.first - origin[1]..][..span.count];
            for (pixel, &weight) in pixels.iter().zip(taps.weights_of(span)) {
                for (sum, &sample) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(sample) * weight;
                }
            }
            *output = sums.map(round);
        }
    }
    Image::new(size, C, samples)
}

/// Filters the `columns` of `image` down; `image` starts at row and column `origin` of the taps' coordinates.
fn filter_down<const C: usize>(
    image: ImageView<'_>,
    columns: Range<usize>,
    taps: &Taps,
    origin: [usize; 2],
) -> Image {
    let size = [taps.spans.len(), columns.len()];
    let mut samples = vec![0; size[0] * size[1] * C];
    let mut sums = vec![0; size[1] * C];
    for (output, span) in samples.chunks_exact_mut(size[1] * C).zip(&taps.spans) {
        sums.fill(HALF);
        for (y, &weight) in (span.first - origin[0]..).zip(taps.weights_of(span)) {
            let row = &image.row(y)[columns.start * C..columns.end * C];
            for (sum, &sample) in sums.iter_mut().zip(row) {
                *sum += i32::from(sample) * weight;
            }
        }
        for (sample, &sum) in output.iter_mut().zip(&sums) {
            *sample = round(sum);
        }
    }
    Image::new(size, C, samples)
}

/// Converts a sum in fixed point to a sample.
fn round(sum: i32) -> u8 {
    (sum >> FRACTION_BITS).clamp(0, 255) as u8
}

/// The source samples of one output sample.
struct Span {
    /// The first source sample.
    first: usize,
    /// The number of source samples.
    count: usize,
    /// The index of their first weight.
    weights: usize,
}

/// The weights that turn one axis of an image into a resized one.
struct Taps {
    /// One span per output sample of the window.
    spans: Vec<Span>,
    /// Weights in fixed point, span after span.
    weights: Vec<i32>,
}

impl Taps {
    /// Computes the weights for the output samples `outputs` of an axis resized from `source` to `target` samples
    /// (`precompute_coeffs` and `normalize_coeffs_8bpc`). An axis that keeps its length has spans of one sample, whose
    /// weight is exactly one.
    fn new(source: usize, target: usize, outputs: Range<usize>, filter: Filter) -> Self {
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
            taps.weights.push(1 << FRACTION_BITS);
            return taps;
        }
        let scale = f64::from(source as f32) / target as f64;
        let widening = scale.max(1.0);
        let shrinking = 1.0 / widening;
        let support = support(filter) * widening;
        let mut exact = Vec::new();
        for output in outputs {
            let center = (output as f64 + 0.5) * scale;
            let first = (center - support + 0.5).max(0.0) as usize;
            let end = ((center + support + 0.5) as usize).min(source);
            exact.clear();
            exact.extend(
                (first..end)
                    .map(|position| weight(filter, (position as f64 - center + 0.5) * shrinking)),
            );
            let total: f64 = exact.iter().sum();
            if total != 0.0 {
                for weight in &mut exact {
                    *weight /= total;
                }
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

    /// Returns the source samples under any span.
    fn span(&self) -> Range<usize> {
        match (self.spans.first(), self.spans.last()) {
            (Some(first), Some(last)) => first.first..last.first + last.count,
            _ => 0..0,
        }
    }

    fn weights_of(&self, span: &Span) -> &[i32] {
        &self.weights[span.weights..][..span.count]
    }
}

/// Returns how far the filter reaches from its center, in source samples at scale 1.
fn support(filter: Filter) -> f64 {
    match filter {
        Filter::Bilinear => 1.0,
        Filter::Bicubic => 2.0,
    }
}

/// Returns the filter's value at `distance` from its center.
fn weight(filter: Filter, distance: f64) -> f64 {
    const A: f64 = -0.5;
    let x = distance.abs();
    match filter {
        Filter::Bilinear if x < 1.0 => 1.0 - x,
        Filter::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        Filter::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        _ => 0.0,
    }
}

/// Returns a weight in fixed point, rounded to nearest, halves away from zero.
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

    /// Returns an image whose samples follow no pattern.
    fn noise(size: [usize; 2], channels: usize) -> Image {
        let mut state = 1_u32;
        let samples = (0..size[0] * size[1] * channels)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        Image::new(size, channels, samples)
    }

    #[test]
    fn a_window_has_the_pixels_of_the_whole_image() {
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            for size in [[40, 60], [11, 7], [31, 47], [31, 9], [90, 47], [6, 40]] {
                let image = noise([31, 47], 3);
                let whole = resize(&image, size, filter);
                let window = Window {
                    start: [3, 2],
                    size: [size[0] - 5, size[1] - 3],
                };
                let part = resize_window((&image).into(), size, window, filter);
                for y in 0..window.size[0] {
                    assert_eq!(part.row(y), &whole.row(y + 3)[6..][..part.row(y).len()]);
                }
            }
        }
    }

    #[test]
    fn gray_is_resized_as_each_channel_of_color_is() {
        let gray = noise([13, 29], 1);
        let color = Image::new(
            [13, 29],
            3,
            gray.samples().iter().flat_map(|&g| [g; 3]).collect(),
        );
        let gray = resize(&gray, [30, 17], Filter::Bicubic);
        let color = resize(&color, [30, 17], Filter::Bicubic);
        let expected: Vec<u8> = gray.samples().iter().flat_map(|&g| [g; 3]).collect();
        assert_eq!(color.samples(), expected);
    }

    #[test]
    fn one_color_stays_that_color_at_any_size() {
        let image = Image::filled([5, 3], &[255, 0, 77]);
        for size in [[1, 1], [2, 9], [300, 1], [5, 4]] {
            let resized = resize(&image, size, Filter::Bicubic);
            assert_eq!(resized, Image::filled(size, &[255, 0, 77]));
        }
    }
}
