//! Results per image: enough to draw an evaluation and to find the images behind a metric.

use super::calibration::Calibration;
use super::metrics::ImageResult;

/// The result of one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record {
    /// Index of the image in the split.
    pub index: u32,
    /// True class.
    pub class: u32,
    /// Predicted class.
    pub predicted: u32,
    /// Probability of the predicted class, by softmax.
    pub probability: f32,
}

impl Record {
    /// Creates the result of image `index` of `class`.
    pub fn new(index: usize, class: usize, result: &ImageResult) -> Self {
        Self {
            index: index as u32,
            class: class as u32,
            predicted: result.predicted as u32,
            probability: result.probability as f32,
        }
    }

    /// Returns true if the prediction is correct.
    pub fn is_correct(&self) -> bool {
        self.class == self.predicted
    }
}

/// Returns the most confident mistakes, most confident first.
pub fn worst_mistakes(records: &[Record], count: usize) -> Vec<Record> {
    let mut wrong: Vec<Record> = records
        .iter()
        .copied()
        .filter(|record| !record.is_correct())
        .collect();
    wrong.sort_by(|a, b| {
        let by_confidence = b.probability.total_cmp(&a.probability);
        by_confidence.then(a.index.cmp(&b.index))
    });
    wrong.truncate(count);
    wrong
}

/// Returns `count` of the records, evenly spread; all if there are no more.
pub fn spread(records: &[Record], count: usize) -> Vec<Record> {
    let count = count.min(records.len());
    let place = |place: usize| records[place * records.len() / count];
    (0..count).map(place).collect()
}

/// Returns the calibration of the predictions.
pub fn calibration(records: &[Record]) -> Calibration {
    let mut calibration = Calibration::default();
    for record in records {
        calibration.add(f64::from(record.probability), record.is_correct());
    }
    calibration
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::Metrics;

    #[test]
    fn the_probability_is_softmax() {
        let result = Metrics::new(2).add(0, &[0.0, 3.0f64.ln()]).unwrap();
        let record = Record::new(7, 0, &result);
        assert!((record.probability - 0.75).abs() < 1e-6 && !record.is_correct());
    }

    #[test]
    fn the_most_confident_mistakes_come_first() {
        let record = |index, predicted, probability| Record {
            index,
            class: 0,
            predicted,
            probability,
        };
        let records = [
            record(0, 1, 0.5),
            record(1, 0, 0.99),
            record(2, 1, 0.9),
            record(3, 2, 0.9),
        ];
        let worst: Vec<u32> = worst_mistakes(&records, 2)
            .iter()
            .map(|record| record.index)
            .collect();
        assert_eq!(worst, [2, 3]);
        assert_eq!(spread(&records, 2), [records[0], records[2]]);
        assert_eq!(spread(&records, 9).len(), 4);
        assert!(spread(&[], 9).is_empty());
    }
}
