//! Confidence interval of an accuracy.

/// The 97.5 % quantile of the normal distribution, for 95 % intervals.
const QUANTILE: f64 = 1.959_963_984_540_054;

/// Returns Wilson's 95 % interval of a proportion with `correct` successes in `total` trials, both ends within 0 and 1; 0
/// to 1 if there are no trials.
///
/// With `p = correct / total`, `n = total` and `z` the quantile, its ends are
/// `(p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)` ([Wilson
/// 1927](https://doi.org/10.1080/01621459.1927.10502953)). Unlike `p -+ z sqrt(p(1-p)/n)`, it stays within 0 and 1, and
/// has a positive width if none or all are correct.
pub fn wilson(correct: usize, total: usize) -> [f64; 2] {
    if total == 0 {
        return [0.0, 1.0];
    }
    let count = total as f64;
    let part = correct as f64 / count;
    let square = QUANTILE * QUANTILE / count;
    let middle = part + square / 2.0;
    let half = QUANTILE * (part * (1.0 - part) / count + square / (4.0 * count)).sqrt();
    let [low, high] = [middle - half, middle + half].map(|end| end / (1.0 + square));
    // Rounding misses these ends by a hair.
    [
        if correct == 0 { 0.0 } else { low },
        if correct == total { 1.0 } else { high },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with a manual calculation for one of two: the center is 1/2, and half the width is z sqrt(1/8 + z^2/16)
    /// / (1 + z^2/2).
    #[test]
    fn one_of_two_has_the_interval_computed_manually() {
        let [low, high] = wilson(1, 2);
        let half = 1.96 * (0.125_f64 + 1.96 * 1.96 / 16.0).sqrt() / (1.0 + 1.96 * 1.96 / 2.0);
        assert!((low - (0.5 - half)).abs() < 1e-4 && (high - (0.5 + half)).abs() < 1e-4);
    }

    #[test]
    fn none_and_all_correct_have_an_interval_and_no_trials_have_all() {
        let within = |[low, high]: [f64; 2], [least, most]: [f64; 2]| {
            (low - least).abs() < 0.01 && (high - most).abs() < 0.01
        };
        assert!(within(wilson(0, 10), [0.0, 0.28]));
        assert!(within(wilson(10, 10), [0.72, 1.0]));
        assert!(wilson(9_999, 9_999)[1] <= 1.0 && wilson(0, 9_999)[0] >= 0.0);
        assert!(within(wilson(0, 0), [0.0, 1.0]));
    }
}
