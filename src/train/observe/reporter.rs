//! The record of a run while it trains: TensorBoard events after steps and epochs, its curves after epochs, its report at the end.
//!
//! No run depends on them: if one cannot be drawn or written, a warning says so and the run continues.

use crate::data::panic::catch_panic;
use crate::eval::history::Epoch;
use crate::train::observe::observer::{Observer, Step};
use crate::train::observe::report::ReportedRun;
use crate::train::observe::tensorboard::EventWriter;
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

    /// Reports a validated epoch.
    pub(in crate::train) fn epoch(
        &mut self,
        epoch: &Epoch,
        run: ReportedRun<'_>,
        observer: &mut dyn Observer,
    ) {
        let weights = || run.learner.weights();
        self.events
            .epoch(run.progress.step, epoch, weights, observer);
        self.draw(run, observer);
    }

    /// Draws the curves, unless they were drawn a moment ago.
    fn draw(&mut self, run: ReportedRun<'_>, observer: &mut dyn Observer) {
        let is_moment_ago = |(at, took): (Instant, Duration)| at.elapsed() < PAUSE * took;
        if run.checkpoints.folder().is_none() || self.last_drawing.is_some_and(is_moment_ago) {
            return;
        }
        let start = Instant::now();
        let drawn = catch_panic(|| run.draw_curves());
        self.last_drawing = Some((Instant::now(), start.elapsed()));
        if let Err(error) = drawn
            && !self.has_warned
        {
            self.has_warned = true;
            observer.warning(&error.context("the curves cannot be drawn"));
        }
    }
}
