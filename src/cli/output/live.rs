//! The live view of a run on a terminal: progress, figures, and the curve of the training loss, in three lines.
//!
//! Colors have one meaning each: cyan is training, magenta is validation, green is the best epoch.

use crate::cli::output::curve::{Curve, bar};
use crate::eval::history::Epoch;
use crate::train::observe::observer::{RunStarted, Step};
use anstyle::{AnsiColor, Style};
use console::{measure_text_width, truncate_str};
use std::time::Duration;

const TRAINING: Style = AnsiColor::Cyan.on_default();
const VALIDATION: Style = AnsiColor::Magenta.on_default();
const BEST: Style = AnsiColor::Green.on_default();
/// Columns below which there is no bar or curve.
const SHORTEST: usize = 5;
/// The weight of the earlier steps in the smoothed loss.
const SMOOTHING: f64 = 0.9;

/// The state of the view.
#[derive(Debug, Default)]
pub struct View {
    /// Epochs of the run.
    epochs: u64,
    /// Done and all: steps of the epoch, or images of a validation.
    pub done: [u64; 2],
    /// The name of what runs instead of training, such as `validating`.
    pub looks: Option<String>,
    /// The time that the run will still take.
    pub remaining: Option<Duration>,
    /// The time of day at which it ends.
    pub ends_at: Option<String>,
    /// The last step.
    step: Option<Step>,
    /// The best epoch and its validation top-1.
    pub best: Option<(u64, f64)>,
    /// Validation loss and top-1 of the last epoch.
    validated: Option<[f64; 2]>,
    loss: Smoothed,
    losses: Curve,
}

/// A moving average that starts from its first number.
#[derive(Debug, Clone, Copy, Default)]
struct Smoothed {
    sum: f64,
    weight: f64,
}

impl Smoothed {
    fn push(&mut self, number: f64) {
        self.sum = SMOOTHING * self.sum + (1.0 - SMOOTHING) * number;
        self.weight = SMOOTHING * self.weight + (1.0 - SMOOTHING);
    }

    fn value(self) -> f64 {
        self.sum / self.weight
    }
}

impl View {
    /// A run starts, or resumes: then the curve starts with its finished epochs.
    pub fn begin(&mut self, run: &RunStarted) {
        self.epochs = run.epochs;
        self.best = run.best.and_then(|(epoch, top1)| Some((epoch, top1?)));
        for epoch in &run.history {
            for _ in 0..run.steps_an_epoch {
                self.losses.push(epoch.train_loss);
            }
            self.validated = epoch.val_loss.zip(epoch.val_top1).map(Into::into);
        }
    }

    /// A step was done.
    pub fn step(&mut self, step: &Step) {
        self.looks = None;
        self.losses.push(step.loss);
        self.loss.push(step.loss);
        self.step = Some(*step);
    }

    /// An epoch was finished.
    pub fn epoch(&mut self, epoch: &Epoch, is_best: bool) {
        self.looks = None;
        self.validated = epoch.val_loss.zip(epoch.val_top1).map(Into::into);
        if let (true, Some(top1)) = (is_best, epoch.val_top1) {
            self.best = Some((epoch.epoch, top1));
        }
    }

    /// Returns the lines, each of at most `columns` columns.
    pub fn lines(&self, columns: usize, has_colors: bool) -> Vec<String> {
        let mut lines = vec![self.progress(columns)];
        if let Some(step) = &self.step {
            lines.push(self.figures(step, columns));
            lines.push(self.curve(columns));
        }
        let fits = |line: String| {
            let line = truncate_str(&line, columns, "…");
            if has_colors {
                line.into_owned()
            } else {
                console::strip_ansi_codes(&line).into_owned()
            }
        };
        lines.into_iter().map(fits).collect()
    }

    /// Returns the progress of the epoch and the time that the run will still take.
    fn progress(&self, columns: usize) -> String {
        let [done, all] = self.done;
        let (what, style) = match (&self.looks, &self.step) {
            (Some(what), _) => (what.clone(), VALIDATION),
            (None, Some(step)) => (format!("epoch {}/{}", step.epoch, self.epochs), TRAINING),
            (None, None) => return "starting".to_owned(),
        };
        let step = self.step.filter(|_| self.looks.is_none());
        let count = format!("  {done}/{all}");
        let rate = step.map_or(String::new(), |step| {
            format!("  {:.0} img/s", step.images_per_second)
        });
        let left = step.and(self.remaining);
        let left = left.map_or(String::new(), |left| format!("  ETA {}", clock(left)));
        let end = self.ends_at.as_ref().filter(|_| !left.is_empty());
        let end = end.map_or(String::new(), |time| format!(" ({time})"));
        let tails = [
            [&*count, &*rate, &*left, &*end].concat(),
            [&*count, &*left, &*end].concat(),
            [count, left].concat(),
        ];
        // Two spaces go with a bar.
        let room = |tail: &str| {
            let taken = measure_text_width(&what) + measure_text_width(tail) + 2;
            columns.saturating_sub(taken)
        };
        let [.., shortest] = &tails;
        let tail = tails.iter().find(|tail| room(tail) >= 2 * SHORTEST);
        let tail = tail.unwrap_or(shortest);
        match room(tail) {
            cells @ SHORTEST.. => {
                format!("{what}  {style}{}{style:#}{tail}", bar(done, all, cells))
            }
            _ => format!("{what}{tail}"),
        }
    }

    /// Losses and accuracies.
    fn figures(&self, step: &Step, columns: usize) -> String {
        let short_loss = format!("loss {:.4}", self.loss.value());
        let loss = format!("train {short_loss}");
        let top1 = format!("{loss}, top-1 {:.2} %", step.top1);
        let validated = self.validated.map(|[loss, top1]| {
            format!("{VALIDATION}val loss {loss:.4}, top-1 {top1:.2} %{VALIDATION:#}")
        });
        let best = self
            .best
            .map(|(epoch, top1)| format!("{BEST}best {top1:.2} % (epoch {epoch}){BEST:#}"));
        let join = |parts: [Option<&String>; 3]| {
            let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
            parts.join("  ")
        };
        let lines = [
            join([Some(&top1), validated.as_ref(), best.as_ref()]),
            join([Some(&loss), validated.as_ref(), best.as_ref()]),
            join([Some(&short_loss), None, best.as_ref()]),
        ];
        let fits = |line: &&String| measure_text_width(line) <= columns;
        let [.., shortest] = &lines;
        lines.iter().find(fits).unwrap_or(shortest).clone()
    }

    /// Returns the curve of the training loss, from its first value to its last.
    fn curve(&self, columns: usize) -> String {
        let ends = self.losses.ends();
        let ends = ends.map_or(String::new(), |[first, last]| {
            format!("  {first:.3} to {last:.3}")
        });
        let (room, ends) = match columns.saturating_sub(ends.len()) {
            room @ SHORTEST.. => (room, ends),
            _ => (columns, String::new()),
        };
        format!("{TRAINING}{}{TRAINING:#}{ends}", self.losses.blocks(room))
    }
}

/// Returns a duration as `0:05` or `2:03:04`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Recipe;

    fn epoch(number: u64, train_loss: f64, val_top1: f64) -> Epoch {
        Epoch {
            epoch: number,
            train_loss,
            train_top1: 50.0,
            val_loss: Some(0.55),
            val_top1: Some(val_top1),
            val_top5: None,
            lr: 0.1,
            seconds: 1.0,
        }
    }

    fn run_started(history: Vec<Epoch>) -> RunStarted {
        RunStarted {
            description: Vec::new(),
            recipe: Recipe::default(),
            epochs: 30,
            steps_an_epoch: 47,
            step_bytes: None,
            done: [history.len() as u64, 47 * history.len() as u64],
            best: Some((12, Some(88.125))),
            history,
            folder: None,
        }
    }

    fn view() -> View {
        let mut view = View::default();
        view.begin(&run_started(Vec::new()));
        view.done = [23, 47];
        view.remaining = Some(Duration::from_secs(3725));
        view.ends_at = Some("21:34".to_owned());
        for index in 0..200 {
            view.step(&Step {
                epoch: 13,
                step: index,
                loss: 2.5 / (1.0 + index as f64),
                lr: 0.1,
                step_ms: 100.0,
                images_per_second: 1520.4,
                data_ms: 0.0,
                top1: 72.434,
            });
        }
        view
    }

    #[test]
    fn every_width_is_used_and_none_exceeded() {
        let mut full = view();
        full.epoch(&epoch(12, 1.0, 87.0), false);
        assert_eq!(
            full.lines(80, false),
            [
                "epoch 13/30  █████████████▏░░░░░░░░░░░░░  23/47  1520 img/s  ETA 1:02:05 (21:34)",
                "train loss 0.0131  val loss 0.5500, top-1 87.00 %  best 88.12 % (epoch 12)",
                &format!("█▃▂▂▂▂▂{}  2.500 to 0.013", "▁".repeat(57)),
            ]
        );
        assert_eq!(
            full.lines(120, false)[1],
            "train loss 0.0131, top-1 72.43 %  val loss 0.5500, top-1 87.00 %  best 88.12 % (epoch 12)"
        );
        assert_eq!(
            full.lines(40, false),
            [
                "epoch 13/30  ███▍░░░  23/47  ETA 1:02:05",
                "loss 0.0131  best 88.12 % (epoch 12)",
                "█▃▂▂▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  2.500 to 0.013",
            ]
        );
        for columns in 1..=200 {
            for has_colors in [false, true] {
                let mut view = view();
                let mut lines = view.lines(columns, has_colors);
                view.looks = Some("computing features".to_owned());
                lines.extend(view.lines(columns, has_colors));
                lines.extend(View::default().lines(columns, has_colors));
                for line in &lines {
                    assert!(measure_text_width(line) <= columns, "{columns}: {line}");
                }
            }
        }
    }

    #[test]
    fn colors_tell_training_validation_and_the_best_epoch_apart() {
        let mut view = view();
        view.epoch(&epoch(12, 1.0, 87.0), false);
        let lines = view.lines(120, true);
        assert!(lines[0].contains("\u{1b}[36m██"), "{lines:?}");
        assert!(lines[1].contains("\u{1b}[35mval loss "), "{lines:?}");
        assert!(lines[1].ends_with("\u{1b}[32mbest 88.12 % (epoch 12)\u{1b}[0m"));
        assert!(lines[2].starts_with("\u{1b}[36m█"), "{lines:?}");
        view.looks = Some("validating".to_owned());
        assert!(view.lines(80, true)[0].starts_with("validating  \u{1b}[35m██"));
        let plain = view.lines(80, false).concat();
        assert!(!plain.contains('\u{1b}'), "{plain}");
    }

    #[test]
    fn the_curve_of_a_resumed_run_starts_with_its_history() {
        let mut view = View::default();
        let history = vec![epoch(1, 2.4, 60.0), epoch(2, 1.2, 70.0)];
        view.begin(&run_started(history));
        let step = Step {
            epoch: 3,
            step: 95,
            loss: 0.9,
            lr: 0.1,
            step_ms: 100.0,
            images_per_second: 100.0,
            data_ms: 0.0,
            top1: 72.0,
        };
        view.step(&step);
        let lines = view.lines(80, false);
        assert!(
            lines[1].contains("val loss 0.5500, top-1 70.00 %"),
            "{lines:?}"
        );
        assert!(
            lines[2].starts_with('█') && lines[2].ends_with("  2.400 to 0.900"),
            "{lines:?}"
        );
    }

    #[test]
    fn the_loss_is_smoothed_from_the_first_step_on() {
        let mut loss = Smoothed::default();
        loss.push(2.0);
        assert!((loss.value() - 2.0).abs() < 1e-12);
        loss.push(1.0);
        assert!((loss.value() - (0.9 * 2.0 + 1.0) / 1.9).abs() < 1e-12);
    }

    #[test]
    fn a_better_epoch_replaces_the_best_one() {
        let mut view = view();
        view.epoch(&epoch(13, 1.0, 88.0), false);
        assert_eq!(view.best, Some((12, 88.125)));
        view.epoch(&epoch(14, 1.0, 90.0), true);
        assert_eq!(view.best, Some((14, 90.0)));
    }
}
