//! Paired tests of the differences between models.

use serde::Serialize;

use super::model_result::ComparedModel;
use crate::eval::mcnemar::{exact, holm};

/// Significance level: from this p value on, the images show no difference between two models.
pub const LEVEL: f64 = 0.05;

/// Two models, and the numbers of images that only one of them classifies correctly.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairwiseTest {
    /// Names of the models.
    pub models: [String; 2],
    /// Images that only the first classifies correctly.
    pub only_first: usize,
    /// Images that only the second classifies correctly.
    pub only_second: usize,
    /// The p value of the paired test, by [`exact`].
    pub p: f64,
    /// The p value adjusted for all pairs by [`holm`].
    pub p_holm: f64,
}

impl PairwiseTest {
    /// Returns true if the images show a difference between the models, at [`LEVEL`] over all pairs.
    pub fn differs(&self) -> bool {
        self.p_holm < LEVEL
    }
}

/// Tests every pair of models, those of the first model before those of the second.
pub(super) fn pairwise_tests(models: &[ComparedModel]) -> Vec<PairwiseTest> {
    let mut tests = Vec::new();
    for (first, one) in models.iter().enumerate() {
        for other in &models[first + 1..] {
            let both = || one.results.iter().zip(&other.results);
            let only_first = both().filter(|(a, b)| a.is_correct() && !b.is_correct());
            let only_second = both().filter(|(a, b)| !a.is_correct() && b.is_correct());
            let (only_first, only_second) = (only_first.count(), only_second.count());
            let p = exact(only_first, only_second);
            tests.push(PairwiseTest {
                models: [one.model.clone(), other.model.clone()],
                only_first,
                only_second,
                p,
                p_holm: p,
            });
        }
    }
    let values: Vec<f64> = tests.iter().map(|test| test.p).collect();
    for (test, adjusted) in tests.iter_mut().zip(holm(&values)) {
        test.p_holm = adjusted;
    }
    tests
}
