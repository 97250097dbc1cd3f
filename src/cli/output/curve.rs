//! Bars and small curves in block characters.

/// Values that are kept; more are thinned to means.
const KEPT: usize = 256;
/// The heights of a curve.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The widths of a bar's last cell, in eighths.
pub const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Returns a bar of `cells` characters, filled by `done` of `all`.
pub fn bar(done: u64, all: u64, cells: usize) -> String {
    let eighths = (u128::from(done.min(all)) * 8 * cells as u128 / u128::from(all.max(1))) as usize;
    let (full, part) = (eighths / 8, EIGHTHS[eighths % 8]);
    let rest = cells - full - usize::from(!part.is_empty());
    format!("{}{part}{}", "█".repeat(full), "░".repeat(rest))
}

/// Values in the order in which they came.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Each the mean of `each` numbers.
    means: Vec<f64>,
    each: usize,
    /// Sum and count of the values since the last mean.
    rest: (f64, usize),
}

impl Default for Curve {
    fn default() -> Self {
        Self {
            means: Vec::new(),
            each: 1,
            rest: (0.0, 0),
        }
    }
}

impl Curve {
    /// Adds a value; one that is not finite is skipped.
    pub fn push(&mut self, number: f64) {
        if !number.is_finite() {
            return;
        }
        self.rest = (self.rest.0 + number, self.rest.1 + 1);
        if self.rest.1 == self.each {
            self.means.push(self.rest.0 / self.each as f64);
            self.rest = (0.0, 0);
        }
        if self.means.len() == KEPT {
            let pairs = self.means.chunks_exact(2);
            self.means = pairs.map(|pair| f64::midpoint(pair[0], pair[1])).collect();
            self.each *= 2;
        }
    }

    /// Returns the first and the last mean.
    pub fn ends(&self) -> Option<[f64; 2]> {
        Some([*self.means.first()?, *self.means.last()?])
    }

    /// Returns the curve in at most `columns` characters, scaled from its lowest value to its highest.
    pub fn blocks(&self, columns: usize) -> String {
        let count = self.means.len();
        let columns = columns.min(count);
        let column = |index: usize| {
            let part = &self.means[index * count / columns..(index + 1) * count / columns];
            part.iter().sum::<f64>() / part.len() as f64
        };
        let numbers: Vec<f64> = (0..columns).map(column).collect();
        let lowest = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let block = |number: &f64| {
            // For equal values 0 / 0 becomes 0.
            let height = (number - lowest) / (highest - lowest) * (BLOCKS.len() - 1) as f64;
            BLOCKS[height.round() as usize]
        };
        numbers.iter().map(block).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(numbers: impl IntoIterator<Item = f64>) -> Curve {
        let mut curve = Curve::default();
        numbers.into_iter().for_each(|number| curve.push(number));
        curve
    }

    #[test]
    fn a_curve_goes_from_its_lowest_number_to_its_highest() {
        let all = curve((0..8).map(f64::from));
        assert_eq!(all.blocks(8), "▁▂▃▄▅▆▇█");
        assert_eq!(all.blocks(80), "▁▂▃▄▅▆▇█");
        assert_eq!(all.blocks(4), "▁▃▆█");
        assert_eq!(all.blocks(0), "");
        assert_eq!(curve([2.0, 1.5, 1.0, f64::NAN, 1.0]).blocks(9), "█▅▁▁");
        assert_eq!(curve([3.0; 5]).blocks(3), "▁▁▁");
        assert_eq!(curve([]).blocks(3), "");
    }

    #[test]
    fn a_bar_is_filled_in_eighths_of_a_cell() {
        assert_eq!(bar(0, 47, 4), "░░░░");
        assert_eq!(bar(1, 32, 4), "▏░░░");
        assert_eq!(bar(1, 2, 4), "██░░");
        assert_eq!(bar(31, 32, 4), "███▉");
        assert_eq!(bar(47, 47, 4), "████");
        assert_eq!(bar(50, 47, 4), "████");
        assert_eq!(bar(0, 0, 4), "░░░░");
        assert_eq!(bar(u64::MAX, u64::MAX, 3), "███");
    }

    #[test]
    fn any_number_of_numbers_has_its_whole_course() {
        for count in [255, 256, 257, 1000, 100_000] {
            let falls = curve((0..count).map(|index| f64::from(count - index)));
            assert!(falls.means.len() <= KEPT);
            assert_eq!(falls.blocks(8), "█▇▆▅▄▃▂▁", "{count}");
        }
    }
}
