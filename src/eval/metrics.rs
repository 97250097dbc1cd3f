//! Metrics of an evaluation, accumulated one image at a time from logits and the true class.
//!
//! Classes are ranked by their logits, the smaller index first if equal, as in `torch.argmax` and `predict`. An image
//! is correct at top-k if fewer than k classes rank before the true one, so that top-1, the confusion matrix and the
//! predictions never contradict one another. Precision, recall and F1 are scikit-learn's
//! (`precision_recall_fscore_support`), with 0 if undefined.

use std::cmp::Reverse;

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::model::top_class;
use crate::pipeline::ensure_finite;

/// Number of classes that top-5 considers; with fewer classes it is omitted.
pub const FIVE: usize = 5;

/// Totals over the images so far.
#[derive(Debug, Clone)]
pub struct Metrics {
    images: usize,
    /// Sum of the cross-entropies, in nats.
    loss: f64,
    /// Numbers of images whose true class ranks first, and among the first five.
    correct: [usize; 2],
    /// Numbers of images by true class (row) and predicted class (column).
    confusion: Vec<Vec<u64>>,
}

/// The prediction for one image compared with its true class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageResult {
    /// Class that ranks first.
    pub predicted: usize,
    /// Number of classes that rank before the true one.
    pub rank: usize,
    /// Probability of the class that ranks first, by softmax.
    pub probability: f64,
    /// Cross-entropy, in nats.
    pub loss: f64,
}

impl ImageResult {
    /// Returns true if the true class ranks first.
    pub fn is_correct(&self) -> bool {
        self.rank == 0
    }

    /// Returns true if the true class is among the first five.
    pub fn is_in_top5(&self) -> bool {
        self.rank < FIVE
    }
}

/// Metrics of one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// Name of the class.
    pub label: String,
    /// Number of images of this class.
    pub images: usize,
    /// Fraction of the images predicted as this class that belong to it; 0 if there are none.
    pub precision: f64,
    /// Fraction of the images of this class that are predicted as it; 0 if there are none.
    pub recall: f64,
    /// Harmonic mean of both, 0 if both are 0.
    pub f1: f64,
}

impl Metrics {
    /// Creates empty totals for the given number of classes.
    pub fn new(classes: usize) -> Self {
        Self {
            images: 0,
            loss: 0.0,
            correct: [0; 2],
            confusion: (0..classes).map(|_| vec![0; classes]).collect(),
        }
    }

    /// Counts an image of class `class` with `logits`, one per class; returns its result.
    ///
    /// # Errors
    /// If a logit is not finite, or the number of logits or the class does not match; then nothing is counted.
    pub fn add(&mut self, class: usize, logits: &[f64]) -> Result<ImageResult> {
        let classes = self.confusion.len();
        ensure!(
            logits.len() == classes,
            "the model gives {} numbers for {classes} classes",
            logits.len()
        );
        ensure!(
            class < classes,
            "class {class} is not among the {classes} classes"
        );
        ensure_finite(logits)?;
        let result = image_result(class, logits);
        self.images += 1;
        self.loss += result.loss;
        self.correct[0] += usize::from(result.is_correct());
        self.correct[1] += usize::from(result.is_in_top5());
        self.confusion[class][result.predicted] += 1;
        Ok(result)
    }

    /// Returns the number of images counted.
    pub fn images(&self) -> usize {
        self.images
    }

    /// Returns the mean cross-entropy per image; NaN before the first image.
    pub fn loss(&self) -> f64 {
        self.loss / self.images as f64
    }

    /// Returns the percentage of images whose true class ranks first; NaN before the first image.
    pub fn top1(&self) -> f64 {
        self.percent(self.correct[0])
    }

    /// Returns the percentage of images whose true class is among the first five; `None` below five classes.
    pub fn top5(&self) -> Option<f64> {
        (self.confusion.len() >= FIVE).then(|| self.percent(self.correct[1]))
    }

    fn percent(&self, correct: usize) -> f64 {
        100.0 * correct as f64 / self.images as f64
    }

    /// Returns the numbers of images by true class (row) and predicted class (column).
    pub fn confusion(&self) -> &[Vec<u64>] {
        &self.confusion
    }

    /// Returns the metrics of each class, named by `labels`.
    pub fn classes(&self, labels: &[String]) -> Vec<ClassMetrics> {
        let mut predicted = vec![0; self.confusion.len()];
        for row in &self.confusion {
            for (sum, count) in predicted.iter_mut().zip(row) {
                *sum += count;
            }
        }
        let rows = self.confusion.iter().zip(labels).enumerate();
        rows.map(|(class, (row, label))| {
            let (images, correct) = (row.iter().sum(), row[class]);
            ClassMetrics {
                label: label.clone(),
                images: images as usize,
                precision: part(correct, predicted[class]),
                recall: part(correct, images),
                f1: part(2 * correct, images + predicted[class]),
            }
        })
        .collect()
    }
}

/// Returns pairs of a class and the class it was predicted as, with their number of images, the most frequent first.
pub fn confused_pairs(confusion: &[Vec<u64>]) -> Vec<(u64, usize, usize)> {
    let mut pairs = Vec::new();
    for (class, row) in confusion.iter().enumerate() {
        for (predicted, &count) in row.iter().enumerate() {
            if class != predicted && count > 0 {
                pairs.push((count, class, predicted));
            }
        }
    }
    pairs.sort_by_key(|&(count, class, predicted)| (Reverse(count), class, predicted));
    pairs
}

/// Compares finite `logits` with the true `class`.
fn image_result(class: usize, logits: &[f64]) -> ImageResult {
    let predicted = top_class(logits);
    let own = logits[class];
    let before = |(other, &logit): (usize, &f64)| {
        if other < class {
            logit >= own
        } else {
            logit > own
        }
    };
    let logits_before = logits.iter().enumerate().filter(|&each| before(each));
    let largest = logits[predicted];
    let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    ImageResult {
        predicted,
        rank: logits_before.count(),
        probability: sum.recip(),
        loss: sum.ln() + largest - own,
    }
}

/// Returns precision, recall and F1 averaged over the classes that have images, with equal weights; 0 if there are
/// none.
pub fn macro_average(classes: &[ClassMetrics]) -> [f64; 3] {
    let with_images = classes.iter().filter(|class| class.images > 0);
    let (mut sums, mut count) = ([0.0; 3], 0);
    for class in with_images {
        for (sum, figure) in sums
            .iter_mut()
            .zip([class.precision, class.recall, class.f1])
        {
            *sum += figure;
        }
        count += 1;
    }
    sums.map(|sum| {
        if count == 0 {
            0.0
        } else {
            sum / f64::from(count)
        }
    })
}

/// Returns `count / total`; 0 if `total` is 0.
fn part(count: u64, total: u64) -> f64 {
    if total == 0 {
        0.0
    } else {
        count as f64 / total as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(count: usize) -> Vec<String> {
        (0..count).map(|class| format!("class {class}")).collect()
    }

    #[test]
    fn four_images_give_the_metrics_computed_manually() {
        let mut metrics = Metrics::new(3);
        // Logits are logarithms of probabilities, so the loss is the mean of -ln of the true classes'.
        let row = |probabilities: [f64; 3]| probabilities.map(f64::ln);
        assert_eq!(
            metrics.add(0, &row([0.5, 0.25, 0.25])).unwrap().predicted,
            0
        );
        assert_eq!(
            metrics.add(0, &row([0.25, 0.5, 0.25])).unwrap().predicted,
            1
        );
        assert_eq!(
            metrics
                .add(1, &row([0.125, 0.75, 0.125]))
                .unwrap()
                .predicted,
            1
        );
        assert_eq!(
            metrics
                .add(2, &row([0.125, 0.625, 0.25]))
                .unwrap()
                .predicted,
            1
        );
        let loss = -(0.5 * 0.25 * 0.75 * 0.25f64).ln() / 4.0;
        assert!((metrics.loss() - loss).abs() < 1e-12);
        assert_eq!((metrics.images(), metrics.top1()), (4, 50.0));
        assert_eq!(metrics.top5(), None);
        assert_eq!(metrics.confusion(), [[1, 1, 0], [0, 1, 0], [0, 1, 0]]);
        let figures: Vec<_> = metrics
            .classes(&labels(3))
            .into_iter()
            .map(|class| (class.images, class.precision, class.recall, class.f1))
            .collect();
        let expected = [
            (2, 1.0, 0.5, 2.0 / 3.0),
            (1, 1.0 / 3.0, 1.0, 0.5),
            (1, 0.0, 0.0, 0.0),
        ];
        assert_eq!(figures, expected);
    }

    #[test]
    fn of_equal_logits_the_smaller_class_ranks_first() {
        let mut metrics = Metrics::new(6);
        assert_eq!(metrics.add(1, &[0.0; 6]).unwrap().predicted, 0);
        assert!(metrics.top1().abs() < 1e-12);
        assert_eq!(metrics.top5(), Some(100.0));
        assert_eq!(metrics.add(5, &[0.0; 6]).unwrap().predicted, 0);
        assert_eq!(metrics.top5(), Some(50.0));
        assert_eq!(metrics.add(0, &[0.0; 6]).unwrap().predicted, 0);
        assert!((metrics.top1() - 100.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn large_logits_do_not_overflow_the_loss() {
        let mut metrics = Metrics::new(2);
        metrics.add(0, &[1e4, -1e4]).unwrap();
        metrics.add(1, &[1e4, -1e4]).unwrap();
        assert!((metrics.loss() - 1e4).abs() < 1e-9);
    }

    #[test]
    fn logits_that_are_not_finite_and_unknown_classes_are_errors_and_count_nothing() {
        let mut metrics = Metrics::new(2);
        for (class, logits) in [
            (0, vec![0.0, f64::NAN]),
            (0, vec![f64::INFINITY, 0.0]),
            (0, vec![0.0]),
            (2, vec![0.0, 0.0]),
        ] {
            assert!(metrics.add(class, &logits).is_err(), "{class} {logits:?}");
        }
        assert_eq!(metrics.images(), 0);
        assert!(
            metrics
                .classes(&labels(2))
                .iter()
                .all(|class| class.f1 == 0.0)
        );
    }

    #[test]
    fn one_class_is_always_correct() {
        let mut metrics = Metrics::new(1);
        metrics.add(0, &[-3.0]).unwrap();
        assert_eq!((metrics.top1(), metrics.loss()), (100.0, 0.0));
    }
}
