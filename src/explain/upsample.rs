//! Bilinear interpolation of a small map, as in `torch.nn.functional.interpolate` with `align_corners=False`.
//!
//! The value of a cell is at its center; it changes linearly between two centers, and is constant beyond the outermost.

/// The two cells of one axis around a point, and its relative position between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Between {
    first: usize,
    second: usize,
    part: f64,
}

impl Between {
    /// Returns the cells around the point at `place` of `length`, which is divided evenly into `cells`.
    pub(super) fn new(place: f64, length: usize, cells: usize) -> Self {
        let place = (place * cells as f64 / length as f64 - 0.5).clamp(0.0, (cells - 1) as f64);
        let first = place as usize;
        Self {
            first,
            second: (first + 1).min(cells - 1),
            part: place - first as f64,
        }
    }

    /// Interpolates between two values.
    pub(super) fn of(self, value: impl Fn(usize) -> f64) -> f64 {
        let first = value(self.first);
        first + (value(self.second) - first) * self.part
    }
}

/// Interpolates a row of `values` `[height, width]`, with `width` columns, between two of its rows.
pub(super) fn row(values: &[f64], width: usize, down: Between) -> Vec<f64> {
    let column = |x: usize| down.of(|y| values[y * width + x]);
    (0..width).map(column).collect()
}
