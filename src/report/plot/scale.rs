//! Axes: the range of values that is shown, round numbers along it, and their digits.

/// Reach of the range above the bulk of the values, in heights of the bulk.
const REACH: f64 = 3.0;

/// Returns the least and the largest value shown, with some room, within the bounds of what is possible.
///
/// A single spike far above nine tenths of the values does not count, so that it does not flatten the rest.
pub fn range(values: &[f64], bounds: [f64; 2]) -> [f64; 2] {
    let mut values: Vec<f64> = values.iter().copied().filter(|y| y.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let (Some(&low), Some(&high)) = (values.first(), values.last()) else {
        return [0.0, 1.0];
    };
    let bulk = values[(values.len() - 1) * 9 / 10];
    let most = bulk + REACH * (bulk - low);
    let high = if values.len() >= 4 && bulk > low && high > most && bounds[1].is_infinite() {
        most
    } else {
        high
    };
    // The bound is shown where the values nearly reach it.
    let low = if low - bounds[0] < 0.35 * (high - bounds[0]) {
        bounds[0]
    } else {
        low
    };
    let room = match high - low {
        extent if extent > 1e-12 * high.abs() => 0.06 * extent,
        _ if high == 0.0 => 1.0,
        _ => 0.1 * high.abs(),
    };
    [(low - room).max(bounds[0]), (high + room).min(bounds[1])]
}

/// Returns round numbers from `low` to `high`, about `count` of them.
pub fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let rough = (high - low).max(1e-12) / count as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(10.0 * power);
    // What is a hair beyond an end by rounding belongs to it.
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|number| number as f64 * step).collect()
}

/// Formats a number beside an axis, with the digits that its distance to the next one, `step`, needs.
pub fn tick(y: f64, step: f64) -> String {
    if y.abs() < step / 100.0 {
        return "0".to_owned();
    }
    let decimals = (-step.log10() - 1e-9).ceil().max(0.0) as usize;
    if decimals <= 4 && y.abs() < 1e5 {
        return format!("{y:.decimals$}");
    }
    let digits = (y.abs().log10().floor() - (step.log10() + 1e-9).floor()).max(0.0) as usize;
    format!("{y:.digits$e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_does_not_flatten_the_rest() {
        let mut values: Vec<f64> = (0..30).map(|i| 2.0 - f64::from(i) / 20.0).collect();
        values[7] = 90.0;
        let [low, high] = range(&values, [0.0, f64::INFINITY]);
        assert!(low >= 0.0 && high > 2.0 && high < 9.0, "{low} {high}");
        // Of accuracies all of the range is shown.
        let accuracies = [1.0, 1.0, 1.0, 1.1, 95.0];
        assert!(range(&accuracies, [0.0, 100.0])[1] > 95.0);
    }

    #[test]
    fn constant_values_and_none_have_a_range() {
        for values in [&[][..], &[0.5], &[0.5, 0.5, f64::NAN]] {
            let [low, high] = range(values, [0.0, f64::INFINITY]);
            assert!(low < high, "{values:?}");
        }
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(86.3, 92.6, 5), [88.0, 90.0, 92.0]);
        assert_eq!(ticks(0.0, 1.0, 5).len(), 6);
    }

    #[test]
    fn ticks_have_the_digits_that_tell_them_apart() {
        for (number, step, text) in [
            (0.0, 0.02, "0"),
            (0.1, 0.02, "0.10"),
            (1.0, 0.5, "1.0"),
            (97.5, 0.5, "97.5"),
            (80.0, 20.0, "80"),
            (2.8e-4, 1e-5, "2.8e-4"),
            (2e-6, 1e-6, "2e-6"),
        ] {
            assert_eq!(tick(number, step), text);
        }
    }
}
