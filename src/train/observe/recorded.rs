//! An observer that records the events of a run as text, for tests.

use crate::error::{Message, one_line};
use crate::eval::history::Epoch;
use crate::train::observe::observer::{Observer, RunStarted, Step};
use anyhow::{Error, Result};

/// Records every event, and wants to stop after `stops_after` of them.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The events: `note: ...`, `warning: ...`, the description, `started: 3 steps per epoch`, `step 3`, `validating: 3 of 4`, `epoch 1 (best)`, `unreadable: ...`.
    pub events: Vec<String>,
    /// The number of events after which the observer wants to stop; `None` for never.
    pub stops_after: Option<usize>,
}

impl Observer for Recorded {
    fn note(&mut self, text: &Message) {
        self.events.push(format!("note: {text}"));
    }

    fn warning(&mut self, error: &Error) {
        self.events.push(format!("warning: {}", one_line(error)));
    }

    fn started(&mut self, run: &RunStarted) {
        let rows = run.description.iter();
        self.events
            .extend(rows.map(|(label, text)| format!("{label}: {text}")));
        self.events
            .push(format!("started: {} steps per epoch", run.steps_an_epoch));
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        self.events.push(format!("step {}", step.step));
        Ok(())
    }

    fn progress(&mut self, task: &str, done: usize, total: usize) {
        self.events.push(format!("{task}: {done} of {total}"));
    }

    fn epoch(&mut self, epoch: &Epoch, is_best: bool) -> Result<()> {
        let best = if is_best { " (best)" } else { "" };
        self.events.push(format!("epoch {}{best}", epoch.epoch));
        Ok(())
    }

    fn unreadable(&mut self, error: &Error) {
        self.events.push(format!("unreadable: {}", one_line(error)));
    }

    fn should_stop(&self) -> bool {
        self.stops_after
            .is_some_and(|events| self.events.len() >= events)
    }
}
