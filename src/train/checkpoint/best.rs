//! Selection of the best epoch.
//!
//! An epoch becomes the best one if its measure ([`BestBy`]) is better than that of the best epoch before it. If both are
//! equal, the lower validation loss decides (for [`BestBy::Loss`], the higher top-1), and if these are equal too, the later
//! epoch wins: it has been trained for longer.
//!
//! Early stopping looks at the measure alone: an epoch that only ties does not restart `patience`.

use crate::train::checkpoint::exact::Exact;
use crate::train::config::values::BestBy;
use crate::train::data::validation::ValidationMetrics;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// The best epoch so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// From 1.
    pub epoch: u64,
    /// Validation top-1 in percent; `None` without validation.
    pub top1: Option<Exact>,
    /// Validation loss; `None` without validation and in the states of earlier versions.
    #[serde(default)]
    pub loss: Option<Exact>,
    /// The value of the measure; `None` without validation and in the states of earlier versions, whose measure is top-1.
    #[serde(default)]
    pub measure: Option<Exact>,
    /// The first epoch with this value, from which patience counts; `None` in the states of earlier versions: `epoch`.
    #[serde(default)]
    pub since: Option<u64>,
}

impl Best {
    /// Returns the new best epoch if `epoch`, with these `scores`, takes the place of `best` by the measure `by`, else `None`.
    /// Without validation every epoch does.
    pub fn select(
        by: BestBy,
        best: Option<&Self>,
        epoch: u64,
        scores: &ValidationMetrics,
    ) -> Option<Self> {
        let new = Self {
            epoch,
            top1: scores.top1.map(Exact),
            loss: scores.loss.map(Exact),
            measure: scores.measure(by).map(Exact),
            since: Some(epoch),
        };
        let before = best.and_then(|best| Some((best, best.value(by)?)));
        let (Some((best, before)), Some(Exact(value))) = (before, new.measure) else {
            return Some(new);
        };
        let comparison = match by {
            BestBy::Loss => before.partial_cmp(&value),
            BestBy::Top1 | BestBy::MacroF1 | BestBy::Balanced => value.partial_cmp(&before),
        };
        match comparison {
            Some(Ordering::Greater) => Some(new),
            Some(Ordering::Equal) if new.wins_tie(best, by) => Some(Self {
                since: Some(best.improved_at()),
                ..new
            }),
            _ => None,
        }
    }

    /// Returns true if this epoch wins against an `earlier` one with the same value of the measure `by`.
    fn wins_tie(&self, earlier: &Self, by: BestBy) -> bool {
        match by {
            BestBy::Loss => self.top1.zip(earlier.top1).is_none_or(|(a, b)| a.0 >= b.0),
            _ => self.loss.zip(earlier.loss).is_none_or(|(a, b)| a.0 <= b.0),
        }
    }

    /// Returns the value of the run's measure.
    pub fn value(&self, by: BestBy) -> Option<f64> {
        let earlier_version = self.top1.filter(|_| by == BestBy::Top1);
        self.measure.or(earlier_version).map(|value| value.0)
    }

    /// Returns the epoch at which the measure last improved.
    pub fn improved_at(&self) -> u64 {
        self.since.unwrap_or(self.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::checkpoint::progress::TrainProgress;

    fn scores(top1: f64, loss: f64, macro_f1: f64, balanced: f64) -> ValidationMetrics {
        ValidationMetrics {
            loss: Some(loss),
            top1: Some(top1),
            top5: None,
            macro_f1: Some(macro_f1),
            balanced: Some(balanced),
        }
    }

    /// Returns the best of epochs with these scores, and the epoch from which patience counts.
    fn best(by: BestBy, epochs: &[ValidationMetrics]) -> (u64, u64) {
        let mut best = None;
        for (epoch, scores) in (1..).zip(epochs) {
            best = Best::select(by, best.as_ref(), epoch, scores).or(best);
        }
        let best = best.unwrap();
        (best.epoch, best.improved_at())
    }

    #[test]
    fn each_measure_selects_its_own_epoch() {
        let epochs = [
            scores(90.0, 0.9, 10.0, 10.0),
            scores(10.0, 0.1, 10.0, 10.0),
            scores(10.0, 0.9, 90.0, 10.0),
            scores(10.0, 0.9, 10.0, 90.0),
            scores(10.0, 0.9, 10.0, 10.0),
        ];
        for (by, epoch) in [
            (BestBy::Top1, 1),
            (BestBy::Loss, 2),
            (BestBy::MacroF1, 3),
            (BestBy::Balanced, 4),
        ] {
            assert_eq!(best(by, &epochs), (epoch, epoch), "{by:?}");
        }
    }

    #[test]
    fn ties_go_to_the_lower_loss_then_to_the_later_epoch_and_do_not_restart_patience() {
        let tied = |losses: &[f64]| -> Vec<ValidationMetrics> {
            let of = |&loss: &f64| scores(84.21, loss, 84.0, 84.5);
            losses.iter().map(of).collect()
        };
        for by in [BestBy::Top1, BestBy::MacroF1, BestBy::Balanced] {
            assert_eq!(best(by, &tied(&[0.9, 0.6, 0.5])), (3, 1), "{by:?}");
            assert_eq!(best(by, &tied(&[0.9, 0.5, 0.6])), (2, 1), "{by:?}");
            assert_eq!(best(by, &tied(&[0.5, 0.5, 0.6])), (2, 1), "{by:?}");
        }
        let tied = |top1: &[f64]| -> Vec<ValidationMetrics> {
            let of = |&top1: &f64| scores(top1, 0.5, 84.0, 84.5);
            top1.iter().map(of).collect()
        };
        assert_eq!(best(BestBy::Loss, &tied(&[80.0, 90.0, 85.0])), (2, 1));
        assert_eq!(best(BestBy::Loss, &tied(&[90.0, 90.0])), (2, 1));
    }

    #[test]
    fn a_better_measure_wins_whatever_its_loss_and_restarts_patience() {
        let epochs = [
            scores(80.0, 0.1, 0.0, 0.0),
            scores(80.0, 0.1, 0.0, 0.0),
            scores(81.0, 2.0, 0.0, 0.0),
            scores(79.0, 0.1, 0.0, 0.0),
        ];
        assert_eq!(best(BestBy::Top1, &epochs), (3, 3));
    }

    #[test]
    fn without_validation_the_last_epoch_is_the_best() {
        for by in [BestBy::Top1, BestBy::MacroF1] {
            assert_eq!(best(by, &[ValidationMetrics::default(); 3]), (3, 3));
        }
    }

    #[test]
    fn the_best_epoch_of_an_earlier_version_is_compared_by_its_top1() {
        let text = r#"{"epoch":2,"top1":"4054000000000000"}"#;
        let earlier: Best = serde_json::from_str(text).unwrap();
        assert_eq!(earlier.value(BestBy::Top1), Some(80.0));
        let next = |top1| {
            Best::select(
                BestBy::Top1,
                Some(&earlier),
                3,
                &scores(top1, 0.5, 0.0, 0.0),
            )
        };
        assert_eq!(next(79.0), None);
        assert_eq!(next(80.0).map(|best| best.improved_at()), Some(2));
        assert_eq!(next(81.0).map(|best| best.improved_at()), Some(3));
        // Its loss is in the metrics, and then decides ties.
        let mut progress = TrainProgress {
            best: Some(earlier),
            rows: vec![
                "1,1,50,0.2,70,,0.1,1".into(),
                "2,1,50,0.25,80,,0.1,1".into(),
            ],
            ..TrainProgress::default()
        };
        progress.complete_best();
        let best = progress.best.unwrap();
        assert_eq!(best.loss, Some(Exact(0.25)));
        let next = |loss| Best::select(BestBy::Top1, Some(&best), 3, &scores(80.0, loss, 0.0, 0.0));
        assert!(next(0.5).is_none() && next(0.25).is_some());
    }
}
