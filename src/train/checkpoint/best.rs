//! Selection of the best epoch.
//!
//! An epoch becomes the best one if its measure ([`BestBy`]) is better than that of the best epoch before it. If both are
//! equal, the lower validation loss decides (for [`BestBy::Loss`], the higher top-1), and if these are equal too, the later
//! epoch wins: it has been trained for longer.
//!
//! Early stopping looks at the measure alone: an epoch that only ties does not restart `--patience`.

use crate::eval::history::{COLUMNS, Epoch};
use crate::train::checkpoint::state::{Exact, Standing};
use crate::train::config::values::BestBy;
use crate::train::data::validation::Scores;
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

impl BestBy {
    /// The measure's name in a sentence.
    pub fn caption(self) -> &'static str {
        match self {
            Self::Top1 => "top-1",
            Self::Loss => "validation loss",
            Self::MacroF1 => "macro-F1",
            Self::Balanced => "balanced accuracy",
        }
    }

    /// A value of the measure as text: a loss with four decimals, else percent.
    pub fn format(self, value: f64) -> String {
        match self {
            Self::Loss => format!("{value:.4}"),
            Self::Top1 | Self::MacroF1 | Self::Balanced => format!("{value:.2} %"),
        }
    }

    /// The value of the measure in `scores`.
    pub fn value(self, scores: &Scores) -> Option<f64> {
        match self {
            Self::Top1 => scores.top1,
            Self::Loss => scores.loss,
            Self::MacroF1 => scores.macro_f1,
            Self::Balanced => scores.balanced,
        }
    }

    /// Returns the new best epoch if `epoch`, with these `scores`, takes the place of `best`, else `None`. Without validation
    /// every epoch does.
    pub fn select(self, best: Option<&Best>, epoch: u64, scores: &Scores) -> Option<Best> {
        let new = Best {
            epoch,
            top1: scores.top1.map(Exact),
            loss: scores.loss.map(Exact),
            measure: self.value(scores).map(Exact),
            since: Some(epoch),
        };
        let before = best.and_then(|best| Some((best, best.value(self)?)));
        let (Some((best, before)), Some(Exact(value))) = (before, new.measure) else {
            return Some(new);
        };
        let comparison = match self {
            Self::Loss => before.partial_cmp(&value),
            Self::Top1 | Self::MacroF1 | Self::Balanced => value.partial_cmp(&before),
        };
        match comparison {
            Some(Ordering::Greater) => Some(new),
            Some(Ordering::Equal) if self.wins_tie(&new, best) => Some(Best {
                since: Some(best.improved_at()),
                ..new
            }),
            _ => None,
        }
    }

    /// Returns true if `new` wins against an earlier epoch with the same value.
    fn wins_tie(self, new: &Best, earlier: &Best) -> bool {
        match self {
            Self::Loss => new.top1.zip(earlier.top1).is_none_or(|(a, b)| a.0 >= b.0),
            _ => new.loss.zip(earlier.loss).is_none_or(|(a, b)| a.0 <= b.0),
        }
    }
}

impl Best {
    /// The value of the run's measure.
    pub fn value(&self, by: BestBy) -> Option<f64> {
        let earlier_version = self.top1.filter(|_| by == BestBy::Top1);
        self.measure.or(earlier_version).map(|value| value.0)
    }

    /// The epoch at which the measure last improved.
    pub fn improved_at(&self) -> u64 {
        self.since.unwrap_or(self.epoch)
    }
}

impl Standing {
    /// Adds the loss of the best epoch to a state of an earlier version, from its line of `metrics.csv`.
    pub(in crate::train) fn complete_best(&mut self) {
        let Some(best) = self.best.as_mut().filter(|best| best.loss.is_none()) else {
            return;
        };
        let mut epochs = self
            .rows
            .iter()
            .filter_map(|row| Epoch::from_csv(COLUMNS, row));
        let row = epochs.find(|epoch| epoch.epoch == best.epoch);
        best.loss = row.and_then(|epoch| epoch.val_loss).map(Exact);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(top1: f64, loss: f64, macro_f1: f64, balanced: f64) -> Scores {
        Scores {
            loss: Some(loss),
            top1: Some(top1),
            top5: None,
            macro_f1: Some(macro_f1),
            balanced: Some(balanced),
        }
    }

    /// The best of epochs with these scores, and the epoch from which patience counts.
    fn best(by: BestBy, epochs: &[Scores]) -> (u64, u64) {
        let mut best = None;
        for (epoch, scores) in (1..).zip(epochs) {
            best = by.select(best.as_ref(), epoch, scores).or(best);
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
        let tied = |losses: &[f64]| -> Vec<Scores> {
            let of = |&loss: &f64| scores(84.21, loss, 84.0, 84.5);
            losses.iter().map(of).collect()
        };
        for by in [BestBy::Top1, BestBy::MacroF1, BestBy::Balanced] {
            assert_eq!(best(by, &tied(&[0.9, 0.6, 0.5])), (3, 1), "{by:?}");
            assert_eq!(best(by, &tied(&[0.9, 0.5, 0.6])), (2, 1), "{by:?}");
            assert_eq!(best(by, &tied(&[0.5, 0.5, 0.6])), (2, 1), "{by:?}");
        }
        let tied = |top1: &[f64]| -> Vec<Scores> {
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
            assert_eq!(best(by, &[Scores::default(); 3]), (3, 3));
        }
    }

    #[test]
    fn the_best_epoch_of_an_earlier_version_is_compared_by_its_top1() {
        let text = r#"{"epoch":2,"top1":"4054000000000000"}"#;
        let earlier: Best = serde_json::from_str(text).unwrap();
        assert_eq!(earlier.value(BestBy::Top1), Some(80.0));
        let next = |top1| BestBy::Top1.select(Some(&earlier), 3, &scores(top1, 0.5, 0.0, 0.0));
        assert_eq!(next(79.0), None);
        assert_eq!(next(80.0).map(|best| best.improved_at()), Some(2));
        assert_eq!(next(81.0).map(|best| best.improved_at()), Some(3));
        // Its loss is in the metrics, and then decides ties.
        let mut standing = Standing {
            best: Some(earlier),
            rows: vec![
                "1,1,50,0.2,70,,0.1,1".into(),
                "2,1,50,0.25,80,,0.1,1".into(),
            ],
            ..Standing::default()
        };
        standing.complete_best();
        let best = standing.best.unwrap();
        assert_eq!(best.loss, Some(Exact(0.25)));
        let next = |loss| BestBy::Top1.select(Some(&best), 3, &scores(80.0, loss, 0.0, 0.0));
        assert!(next(0.5).is_none() && next(0.25).is_some());
    }
}
