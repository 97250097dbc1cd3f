//! Upsampling of subsampled components: libjpeg's "fancy" upsampling (`jdsample.c`).
//!
//! A ratio of two is interpolated: each new sample is three parts of the nearer and one of the farther sample, rounded up
//! and down alternately. The edge samples are repeated beyond the edges. Other ratios, and rows of one or two samples that
//! would double in width, are repeated.

use super::frame::{Component, Frame};

/// The upsampling of a component to the image's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upsampling {
    /// None: the sizes are equal.
    None,
    /// Twice as wide.
    Wide,
    /// Twice as high.
    High,
    /// Twice as wide and high.
    Both,
    /// Each sample repeated by these factors, across and down.
    Repeated { across: usize, down: usize },
}

impl Upsampling {
    /// Returns libjpeg's choice for a component.
    pub fn of(component: &Component, frame: &Frame) -> Self {
        let (across, down) = (frame.max_h / component.h, frame.max_v / component.v);
        match (across, down) {
            (1, 1) => Self::None,
            (2, 1) if component.width > 2 => Self::Wide,
            (1, 2) => Self::High,
            (2, 2) if component.width > 2 => Self::Both,
            _ => Self::Repeated { across, down },
        }
    }

    /// Returns the row of samples nearest to row `y` of the image, and the row to interpolate with, as libjpeg does for a
    /// component of `height` rows.
    pub fn rows(self, y: usize, height: usize) -> (usize, usize) {
        match self {
            Self::None | Self::Wide => (y, y),
            Self::High | Self::Both => {
                let near = y / 2;
                let far = if y.is_multiple_of(2) {
                    near.saturating_sub(1)
                } else {
                    (near + 1).min(height - 1)
                };
                (near, far)
            }
            Self::Repeated { down, .. } => (y / down, y / down),
        }
    }

    /// Fills `row` from the rows of [`Upsampling::rows`], cut to the width of the component. `sums` is scratch space.
    #[inline(always)]
    pub fn fill(self, y: usize, near: &[u8], far: &[u8], sums: &mut Vec<u16>, row: &mut [u8]) {
        match self {
            Self::None => row.copy_from_slice(&near[..row.len()]),
            Self::Wide => widen(near, row),
            Self::High => {
                let bias = 1 + (y % 2) as u16;
                for ((sample, &near), &far) in row.iter_mut().zip(near).zip(far) {
                    *sample = ((3 * u16::from(near) + u16::from(far) + bias) >> 2) as u8;
                }
            }
            Self::Both => {
                sums.clear();
                sums.extend(
                    near.iter()
                        .zip(far)
                        .map(|(&near, &far)| 3 * u16::from(near) + u16::from(far)),
                );
                widen_sums(sums, row);
            }
            Self::Repeated { across, .. } => {
                for (samples, &sample) in row.chunks_mut(across).zip(near) {
                    samples.fill(sample);
                }
            }
        }
    }
}

/// Doubles the number of samples.
#[inline(always)]
fn widen(samples: &[u8], row: &mut [u8]) {
    let wide = |sample: u8| u16::from(sample);
    double(samples, row, |left, here, right| {
        let here = 3 * wide(here);
        ((here + wide(left) + 1) >> 2) | ((here + wide(right) + 2) >> 2) << 8
    });
}

/// Doubles the number of samples, which are sums of four.
#[inline(always)]
fn widen_sums(sums: &[u16], row: &mut [u8]) {
    double(sums, row, |left, here, right| {
        let here = 3 * here;
        ((here + left + 8) >> 4) | ((here + right + 7) >> 4) << 8
    });
}

/// Writes two samples of `row` for each of `samples` and its neighbors, the left one in the low byte.
#[inline(always)]
fn double<T: Copy>(samples: &[T], row: &mut [u8], mix: impl Fn(T, T, T) -> u16) {
    let last = samples.len() - 1;
    let ends = [
        mix(samples[0], samples[0], samples[1]),
        mix(samples[last - 1], samples[last], samples[last]),
    ];
    let (pairs, half) = row.as_chunks_mut::<2>();
    let middle = samples.iter().zip(&samples[1..]).zip(&samples[2..]);
    for (pair, ((&left, &here), &right)) in pairs.iter_mut().skip(1).zip(middle) {
        *pair = mix(left, here, right).to_le_bytes();
    }
    pairs[0] = ends[0].to_le_bytes();
    // The last sample gives one pixel or two.
    if let [pixel] = half {
        *pixel = ends[1].to_le_bytes()[0];
    } else {
        pairs[last] = ends[1].to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubled_rows_round_up_and_down_in_turns() {
        let mut row = [0; 6];
        Upsampling::Wide.fill(0, &[10, 20, 41], &[], &mut Vec::new(), &mut row);
        assert_eq!(row, [10, 13, 17, 25, 36, 41]);
        let mut row = [0; 5];
        let (near, far) = ([10, 20, 41], [30, 0, 1]);
        Upsampling::Both.fill(0, &near, &far, &mut Vec::new(), &mut row);
        // Sums: 60, 60, 124.
        assert_eq!(row, [15, 15, 15, 19, 27]);
        let mut row = [0; 3];
        Upsampling::High.fill(0, &near, &far, &mut Vec::new(), &mut row);
        assert_eq!(row, [15, 15, 31]);
        Upsampling::High.fill(1, &near, &far, &mut Vec::new(), &mut row);
        assert_eq!(row, [15, 15, 31]);
    }

    #[test]
    fn rows_beyond_the_edges_are_the_last() {
        let rows = |y| Upsampling::Both.rows(y, 3);
        assert_eq!([0, 1, 2, 5].map(rows), [(0, 0), (0, 1), (1, 0), (2, 2)]);
        let repeated = Upsampling::Repeated { across: 1, down: 4 };
        assert_eq!([0, 3, 4].map(|y| repeated.rows(y, 2).0), [0, 0, 1]);
    }
}
