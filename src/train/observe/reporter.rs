//! The record of a run while it trains: TensorBoard events after steps and epochs, its curves after epochs, its report at the end.
//!
//! No run depends on them: if one cannot be drawn or written, a warning says so and the run continues.

use crate::data::panic::catch_panic;
use crate::eval::history::Epoch;
use crate::train::observe::observer::{Observer, Step};
use crate::train::observe::tensorboard::EventWriter;
use anyhow::Result;
use candle_core::Tensor;
use std::time::{Duration, Instant};

/// The pause between two drawings of the curves in times of a drawing, so that short epochs are not slowed down.
const PAUSE: u32 = 20;

/// Writes the events, curves and report of a run.
#[derive(Default)]
pub struct Reporter {
    /// The TensorBoard events; none in a dry run.
    pub(in crate::train) events: EventWriter,
    /// When the curves were last drawn, and how long that took.
    last_drawing: Option<(Instant, Duration)>,
    /// True after a warning that they cannot be drawn.
    has_warned: bool,
}

impl Reporter {
    /// Reports a step.
    pub(in crate::train) fn step(&mut self, step: &Step, observer: &mut dyn Observer) {
        self.events.step(step, observer);
    }

    /// Reports a validated epoch whose last step was `step`, with these `weights`; `draw` draws the curves, except in a dry run.
    pub(in crate::train) fn epoch(
        &mut self,
        step: u64,
        epoch: &Epoch,
        weights: impl FnOnce() -> Result<Vec<(String, Tensor)>>,
        draw: Option<impl FnOnce() -> Result<()>>,
        observer: &mut dyn Observer,
    ) {
        self.events.epoch(step, epoch, weights, observer);
        if let Some(draw) = draw {
            self.draw(draw, observer);
        }
    }

    /// Draws the curves, unless they were drawn a moment ago.
    fn draw(&mut self, draw: impl FnOnce() -> Result<()>, observer: &mut dyn Observer) {
        let is_moment_ago = |(at, took): (Instant, Duration)| at.elapsed() < PAUSE * took;
        if self.last_drawing.is_some_and(is_moment_ago) {
            return;
        }
        let start = Instant::now();
        let drawn = catch_panic(draw);
        self.last_drawing = Some((Instant::now(), start.elapsed()));
        if let Err(error) = drawn
            && !self.has_warned
        {
            self.has_warned = true;
            observer.warning(&error.context("the curves cannot be drawn"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::example::tensor;
    use crate::train::observe::recorded::Recorded;
    use crate::train::observe::tensorboard::read::scalars_of;
    use anyhow::bail;
    use std::cell::RefCell;
    use std::fs;
    use std::path::Path;

    fn step(step: u64) -> Step {
        Step {
            epoch: 1,
            step,
            loss: 0.5,
            lr: 0.25,
            step_ms: 1.0,
            images_per_second: 4.0,
            data_ms: 0.0,
            top1: 50.0,
        }
    }

    fn epoch(epoch: u64) -> Epoch {
        Epoch {
            epoch,
            train_loss: 0.5,
            train_top1: 50.0,
            val_loss: Some(0.75),
            val_top1: Some(25.0),
            val_top5: None,
            lr: 0.25,
            seconds: 1.0,
        }
    }

    /// Returns a reporter whose events are written to `folder`.
    fn reporter(folder: &Path, observer: &mut Recorded) -> Reporter {
        let mut reporter = Reporter::default();
        reporter.events.begin(folder, 0, "lr = 0.25\n", observer);
        reporter
    }

    /// Returns true if an event file in `folder` has this tag.
    fn has_tag(folder: &Path, tag: &str) -> bool {
        let mut files = fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path());
        files.any(|file| {
            let bytes = fs::read(file).unwrap();
            bytes.windows(tag.len()).any(|part| part == tag.as_bytes())
        })
    }

    #[test]
    fn an_epoch_is_in_the_events_before_its_curves_are_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut observer = Recorded::default();
        let mut reporter = reporter(folder, &mut observer);
        reporter.events.write_histograms();
        for number in 1..=2 {
            reporter.step(&step(number), &mut observer);
        }
        let calls = RefCell::new(Vec::new());
        let weights = || {
            calls.borrow_mut().push("weights");
            assert!(!has_tag(folder, "weights/fc.weight"));
            Ok(vec![tensor("fc.weight", 1.0)])
        };
        let draw = || {
            calls.borrow_mut().push("curves");
            assert!(has_tag(folder, "epoch/val_loss") && has_tag(folder, "weights/fc.weight"));
            let steps = scalars_of(folder).into_iter().map(|one| one.step);
            assert_eq!(steps.collect::<Vec<_>>(), [1, 2]);
            Ok(())
        };
        reporter.epoch(2, &epoch(1), weights, Some(draw), &mut observer);
        assert_eq!(calls.into_inner(), ["weights", "curves"]);
        assert!(observer.events.is_empty(), "{:?}", observer.events);
    }

    #[test]
    fn weights_are_asked_for_only_for_histograms_and_a_dry_run_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut observer = Recorded::default();
        let weights = || panic!("weights");
        let mut curves = 0;
        let draw = || {
            curves += 1;
            Ok(())
        };
        let mut written = reporter(folder.path(), &mut observer);
        written.epoch(1, &epoch(1), weights, Some(draw), &mut observer);
        assert_eq!(curves, 1);
        let mut dry = Reporter::default();
        dry.events.write_histograms();
        dry.step(&step(1), &mut observer);
        dry.epoch(
            1,
            &epoch(1),
            weights,
            None::<fn() -> Result<()>>,
            &mut observer,
        );
        assert!(observer.events.is_empty(), "{:?}", observer.events);
    }

    #[test]
    fn curves_that_cannot_be_drawn_are_one_warning() {
        let mut observer = Recorded::default();
        let mut reporter = Reporter::default();
        let weights = || panic!("weights");
        for number in 1..=3 {
            let draw = || match number {
                1 => bail!("the disk is full"),
                _ => panic!("no font"),
            };
            reporter.last_drawing = None;
            reporter.epoch(number, &epoch(number), weights, Some(draw), &mut observer);
        }
        let warning = "warning: the curves cannot be drawn: the disk is full";
        assert_eq!(observer.events, [warning]);
    }

    #[test]
    fn curves_wait_until_twenty_drawings_would_have_fitted() {
        let second = Duration::from_secs(1);
        for (ago, took, is_drawn) in [
            (60 * second, second, true),
            (20 * second, second, true),
            (10 * second, second, false),
            (second, second / 10, false),
            (second, second / 100, true),
        ] {
            let mut drawn = false;
            let draw = || {
                drawn = true;
                Ok(())
            };
            let mut reporter = Reporter {
                last_drawing: Instant::now().checked_sub(ago).map(|at| (at, took)),
                ..Reporter::default()
            };
            assert!(reporter.last_drawing.is_some(), "the clock is too young");
            reporter.draw(draw, &mut Recorded::default());
            assert_eq!(drawn, is_drawn, "{ago:?} {took:?}");
        }
    }
}
