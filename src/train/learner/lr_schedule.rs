//! The learning-rate schedule: a pure function of the step.
//!
//! The warm-up is linear: step s of W warm-up steps has `lr (s + 1) / (W + 1)`, and step W is the first at the full rate. Steps
//! are counted from 0 over the whole run, warm-up included.
//!
//! - SGDR: Stochastic Gradient Descent with Warm Restarts, <https://arxiv.org/abs/1608.03983>
//! - Super-Convergence, <https://arxiv.org/abs/1708.07120>

use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// The shape of the schedule after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheduler {
    /// Half a cosine down to `min_lr`, which is reached one step after the last, so that no step is wasted on a rate of 0.
    #[default]
    Cosine,
    /// Multiplied by `gamma` at every milestone.
    Step,
    /// A constant rate.
    Constant,
    /// PyTorch's `OneCycleLR` with its defaults (momentum is not cycled): up from `lr / 25` over the first 30 % of the run, then
    /// down to `lr / 250000`, both along half a cosine. It has its own warm-up: `warmup_steps` and `min_lr` are ignored.
    Onecycle,
}

/// The learning-rate schedule of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The shape after the warm-up.
    pub scheduler: Scheduler,
    /// The peak learning rate.
    pub lr: f64,
    /// Steps of the warm-up.
    pub warmup_steps: u64,
    /// Steps of the run. Later steps have the rate of the last one.
    pub total_steps: u64,
    /// The end of the cosine.
    pub min_lr: f64,
    /// Steps at which [`Scheduler::Step`] multiplies the rate, warm-up included.
    pub milestones: Vec<u64>,
    /// The factor of [`Scheduler::Step`].
    pub gamma: f64,
}

/// The fraction of a one-cycle run in which the rate rises.
const RISE: f64 = 0.3;
/// The peak rate divided by the first.
const START_DIVISOR: f64 = 25.0;
/// The first rate divided by the last.
const END_DIVISOR: f64 = 1e4;

impl Schedule {
    /// Returns the learning rate of step `step`, from 0.
    pub fn lr(&self, step: u64) -> f64 {
        let last = self.total_steps.saturating_sub(1);
        let step = step.min(last);
        if self.scheduler == Scheduler::Onecycle {
            return self.one_cycle(step as f64, last as f64);
        }
        if step < self.warmup_steps {
            return self.lr * (step + 1) as f64 / (self.warmup_steps + 1) as f64;
        }
        match self.scheduler {
            Scheduler::Cosine => {
                let done = (step - self.warmup_steps) as f64;
                let all = self.total_steps.saturating_sub(self.warmup_steps).max(1) as f64;
                along_cosine(self.lr, self.min_lr, done / all)
            }
            Scheduler::Step => {
                let passed = self.milestones.iter().filter(|&&at| at <= step).count();
                self.lr * self.gamma.powi(passed as i32)
            }
            Scheduler::Constant | Scheduler::Onecycle => self.lr,
        }
    }

    fn one_cycle(&self, step: f64, last: f64) -> f64 {
        if last < 1.0 {
            // A single step has no cycle.
            return self.lr;
        }
        let first = self.lr / START_DIVISOR;
        let top = RISE * (last + 1.0) - 1.0;
        if step <= top {
            along_cosine(first, self.lr, step / top)
        } else {
            along_cosine(self.lr, first / END_DIVISOR, (step - top) / (last - top))
        }
    }
}

/// Interpolates from `start` (at 0) to `end` (at 1) along half a cosine.
fn along_cosine(start: f64, end: f64, done: f64) -> f64 {
    end + (start - end) / 2.0 * (1.0 + (PI * done).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(scheduler: Scheduler) -> Schedule {
        Schedule {
            scheduler,
            lr: 0.1,
            warmup_steps: 4,
            total_steps: 25,
            min_lr: 0.001,
            milestones: vec![10, 20],
            gamma: 0.1,
        }
    }

    #[track_caller]
    fn assert_rates(schedule: &Schedule, rates: &[(u64, f64)]) {
        for &(step, rate) in rates {
            let ours = schedule.lr(step);
            assert!((ours - rate).abs() < 1e-15, "step {step}: {ours}");
        }
    }

    #[test]
    fn warm_up_rises_in_equal_parts_to_the_full_rate() {
        for scheduler in [Scheduler::Cosine, Scheduler::Step, Scheduler::Constant] {
            let rates = [(0, 0.02), (1, 0.04), (2, 0.06), (3, 0.08), (4, 0.1)];
            assert_rates(&schedule(scheduler), &rates);
        }
    }

    #[test]
    fn the_cosine_is_half_way_in_the_middle_and_would_reach_its_minimum_after_the_last_step() {
        let odd = Schedule {
            total_steps: 24,
            ..schedule(Scheduler::Cosine)
        };
        assert_rates(&odd, &[(4, 0.1), (14, 0.0505)]);
        let last = odd.lr(23);
        assert!(0.001 < last && last < 0.003, "{last}");
        assert_rates(&odd, &[(24, last), (1000, last)]);
    }

    #[test]
    fn a_cycle_of_one_step_has_the_full_rate() {
        let one = Schedule {
            total_steps: 1,
            ..schedule(Scheduler::Onecycle)
        };
        assert_rates(&one, &[(0, 0.1)]);
    }

    #[test]
    fn steps_multiply_at_their_milestones() {
        let rates = [(9, 0.1), (10, 0.01), (19, 0.01), (20, 0.001), (24, 0.001)];
        assert_rates(&schedule(Scheduler::Step), &rates);
        assert_rates(&schedule(Scheduler::Constant), &[(24, 0.1)]);
    }

    #[test]
    fn runs_of_no_or_few_steps_have_finite_rates() {
        for scheduler in [
            Scheduler::Cosine,
            Scheduler::Step,
            Scheduler::Constant,
            Scheduler::Onecycle,
        ] {
            for total_steps in 0..12 {
                for warmup_steps in 0..14 {
                    let schedule = Schedule {
                        warmup_steps,
                        total_steps,
                        ..schedule(scheduler)
                    };
                    for step in 0..14 {
                        let rate = schedule.lr(step);
                        assert!((0.0..=0.1 + 1e-15).contains(&rate), "{schedule:?}: {rate}");
                    }
                }
            }
        }
    }
}
