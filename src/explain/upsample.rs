//! Bilinear interpolation of a small map, as `torch.nn.functional.interpolate` has it with `align_corners=False`.
//!
//! A cell's value stands at its middle; between two middles it changes evenly, and beyond the outermost it stays.

/// The two cells of one axis between which a point lies, and how far it is on the way from the first to the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Between {
    first: usize,
    second: usize,
    part: f64,
}

impl Between {
    /// The cells around the point at `place` of `length`, where `cells` share that length out evenly.
    pub(super) fn new(place: f64, length: usize, cells: usize) -> Self {
        let place = (place * cells as f64 / length as f64 - 0.5).clamp(0.0, (cells - 1) as f64);
        let first = place as usize;
        Self {
            first,
            second: (first + 1).min(cells - 1),
            part: place - first as f64,
        }
    }

    /// What lies between two values.
    pub(super) fn of(self, value: impl Fn(usize) -> f64) -> f64 {
        let first = value(self.first);
        first + (value(self.second) - first) * self.part
    }
}

/// A row of `values` `[height, width]`, which has so many columns, between two of its rows.
pub(super) fn row(values: &[f64], width: usize, down: Between) -> Vec<f64> {
    let column = |x: usize| down.of(|y| values[y * width + x]);
    (0..width).map(column).collect()
}
