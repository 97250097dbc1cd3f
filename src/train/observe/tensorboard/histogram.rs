//! Histograms in TensorBoard's buckets.

/// Number of buckets, as in `tf.summary.histogram`.
const BUCKETS: usize = 30;

/// A histogram: `buckets[i]` values are above `limits[i - 1]` (for the first bucket, from `min`) and up to `limits[i]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The number of values.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub sum_of_squares: f64,
    /// The upper end of each bucket.
    pub limits: Vec<f64>,
    /// The number of values in each bucket.
    pub buckets: Vec<f64>,
}

impl Histogram {
    /// Computes the histogram of `values` in buckets of equal width; `None` if there are none, or one is not finite.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() || !values.iter().all(|value| value.is_finite()) {
            return None;
        }
        let (min, max) = values
            .iter()
            .fold((f64::MAX, f64::MIN), |(min, max), &value| {
                (min.min(value), max.max(value))
            });
        let count = if min < max { BUCKETS } else { 1 };
        let width = (max - min) / count as f64;
        let mut buckets = vec![0.0; count];
        for value in values {
            // The largest value is the end of the last bucket. For equal values 0 / 0 becomes 0.
            let bucket = ((value - min) / width) as usize;
            buckets[bucket.min(count - 1)] += 1.0;
        }
        let mut limits: Vec<f64> = (1..=count).map(|end| min + width * end as f64).collect();
        limits[count - 1] = max;
        Some(Self {
            min,
            max,
            count: values.len() as f64,
            sum: values.iter().sum(),
            sum_of_squares: values.iter().map(|value| value * value).sum(),
            limits,
            buckets,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_its_bucket() {
        // Two a bucket of width 0.1, the last with the end.
        let values: Vec<f64> = (0..60).map(|i| f64::from(i) * 0.05 + 0.01).collect();
        let histogram = Histogram::of(&[&values[..], &[0.0, 3.0]].concat()).unwrap();
        assert_eq!((histogram.min, histogram.max), (0.0, 3.0));
        let mut expected = [2.0; 30];
        (expected[0], expected[29]) = (3.0, 3.0);
        assert_eq!(histogram.buckets, expected);
        assert_eq!(histogram.limits.len(), 30);
        assert!((histogram.limits[0] - 0.1).abs() < 1e-12);
        assert!((histogram.limits[29] - 3.0).abs() < 1e-12);
        let sum: f64 = values.iter().sum::<f64>() + 3.0;
        assert!((histogram.sum - sum).abs() < 1e-9);
        assert!((histogram.count - 62.0).abs() < 1e-12);
    }

    #[test]
    fn equal_numbers_have_one_bucket_and_infinite_ones_none() {
        let histogram = Histogram::of(&[2.0; 7]).unwrap();
        assert_eq!(
            (histogram.limits, histogram.buckets),
            (vec![2.0], vec![7.0])
        );
        assert!((histogram.sum_of_squares - 28.0).abs() < 1e-12);
        assert_eq!(Histogram::of(&[]), None);
        assert_eq!(Histogram::of(&[1.0, f64::NAN]), None);
        assert_eq!(Histogram::of(&[1.0, f64::INFINITY]), None);
    }
}
