//! Paired test of two models on the images that only one of them classifies correctly.

use std::f64::consts::LN_2;

/// Returns the p value of [McNemar's exact test](https://doi.org/10.1007/BF02295996): the probability that the counts
/// differ at least this much if each image that only one model classifies correctly is equally likely to be either's.
///
/// Two-sided: `min(1, 2 P(X <= min(b, c)))` for counts `b` and `c` and `X` of the binomial distribution of `b + c` fair
/// coin tosses, summed in logarithms, so that nothing underflows before the sum itself does (as in [Fagerland et
/// al.](https://doi.org/10.1186/1471-2288-13-91), without their mid-p correction). The p value is 1 if both counts are
/// 0.
pub fn exact(only_first: usize, only_second: usize) -> f64 {
    let least = only_first.min(only_second);
    let throws = only_first + only_second;
    // ln C(throws, least): a product of quotients near each other.
    let combinations: f64 = (1..=least)
        .map(|i| ((throws - least + i) as f64 / i as f64).ln())
        .sum();
    // Each smaller count's probability is the last one's by a quotient that falls.
    let (mut sum, mut term) = (1.0, 1.0);
    for count in (1..=least).rev() {
        term *= count as f64 / (throws - count + 1) as f64;
        sum += term;
        if term < f64::EPSILON * sum / count as f64 {
            break;
        }
    }
    let logarithm = LN_2 + combinations - throws as f64 * LN_2 + sum.ln();
    logarithm.exp().min(1.0)
}

/// Returns the p values of several tests, adjusted so that the probability of any false positive stays below the level
/// ([Holm 1979](https://www.jstor.org/stable/4615733)): the smallest of `m` is multiplied by `m`, the next by `m - 1`
/// and so on; none is below a smaller one's adjusted value and none above 1. In the order given.
pub fn holm(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut adjusted = vec![0.0; values.len()];
    let mut largest = 0.0_f64;
    for (rank, &place) in order.iter().enumerate() {
        let times = (values.len() - rank) as f64;
        largest = largest.max((times * values[place]).min(1.0));
        adjusted[place] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_of_small_counts_equal_those_computed_manually() {
        for (first, second, expected) in [
            (0, 0, 1.0),
            (1, 0, 1.0),
            (0, 6, 2.0 / 64.0),
            (1, 5, 2.0 * 7.0 / 64.0),
            (3, 3, 1.0),
            (2, 3, 1.0),
        ] {
            let p = exact(first, second);
            assert!((p - expected).abs() < 1e-14, "{first} {second}: {p}");
            assert_eq!(p.to_bits(), exact(second, first).to_bits());
        }
    }

    #[test]
    fn p_values_of_large_counts_do_not_underflow_early() {
        let p = exact(0, 1000);
        assert!((p / 2.0_f64.powi(-999) - 1.0).abs() < 1e-9, "{p}");
        assert_eq!(exact(0, 100_000).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn adjusted_values_keep_their_order() {
        let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(near(&holm(&[0.01, 0.04, 0.03]), &[0.03, 0.06, 0.06]));
        assert!(near(&holm(&[0.9, 0.5]), &[1.0, 1.0]));
        assert!(near(&holm(&[0.2]), &[0.2]) && holm(&[]).is_empty());
    }
}
