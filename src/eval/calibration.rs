//! Calibration: the bins of the reliability diagram and the expected calibration error of [Guo et al.,
//! 2017](https://arxiv.org/abs/1706.04599).

use serde::Serialize;

/// Number of bins of equal width for confidences from 0 to 1, as in the paper.
pub const BINS: usize = 15;
/// Number of images below which the calibration error is mostly noise.
pub const MIN_IMAGES: usize = 100;

/// Images grouped by the confidence in the predicted class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Bins, from the least confident to the most confident.
    pub bins: [Bin; BINS],
}

/// Images of similar confidence.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Bin {
    /// Number of images.
    pub images: u64,
    /// Number of correctly classified images.
    pub correct: u64,
    /// Sum of their confidences.
    pub confidences: f64,
}

impl Bin {
    /// Returns the fraction of images that are classified correctly; 0 if empty.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }

    /// Returns the mean confidence; 0 if empty.
    pub fn confidence(&self) -> f64 {
        self.confidences / self.images.max(1) as f64
    }
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            bins: [Bin::default(); BINS],
        }
    }
}

impl Calibration {
    /// Counts an image whose predicted class has this probability.
    pub fn add(&mut self, confidence: f64, correct: bool) {
        // Bin m is ((m - 1) / M, m / M], as in the paper.
        let place = (confidence * BINS as f64).ceil() as usize;
        let bin = &mut self.bins[place.clamp(1, BINS) - 1];
        bin.images += 1;
        bin.correct += u64::from(correct);
        bin.confidences += confidence;
    }

    /// Returns the expected calibration error: the mean distance of accuracy and confidence over the bins, weighted by
    /// their images, from 0 to 1; 0 without images.
    pub fn expected_error(&self) -> f64 {
        let images: u64 = self.bins.iter().map(|bin| bin.images).sum();
        let distance = |bin: &Bin| bin.images as f64 * (bin.accuracy() - bin.confidence()).abs();
        self.bins.iter().map(distance).sum::<f64>() / images.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_error_is_the_formula_of_the_paper() {
        let mut calibration = Calibration::default();
        assert!(calibration.expected_error().abs() < 1e-12);
        // Two of four are correct at a confidence of 0.9, one of one at 0.3.
        for correct in [true, true, false, false] {
            calibration.add(0.9, correct);
        }
        calibration.add(0.3, true);
        let expected = (4.0 * (0.9 - 0.5) + (1.0 - 0.3)) / 5.0;
        assert!((calibration.expected_error() - expected).abs() < 1e-12);
    }

    #[test]
    fn a_bound_belongs_to_the_bin_below_it() {
        let mut calibration = Calibration::default();
        for confidence in [0.0, 1.0 / 15.0, 1.0, 1.0 + 1e-12] {
            calibration.add(confidence, true);
        }
        let [first, last] = [0, BINS - 1].map(|bin| calibration.bins[bin].images);
        assert_eq!([first, last], [2, 2]);
    }
}
