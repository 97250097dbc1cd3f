//! What a run tells of itself: a live view and lines for people on stderr, JSON lines for programs on stdout.

use super::console::Console;
use super::live::View;
use super::stop::Stop;
use super::terminal::stderr_columns;
use super::{is_broken_pipe, print};
use crate::error::one_line;
use crate::model::Frozen;
use crate::report::thousands;
use crate::train::watch::{Beginning, Epoch, Step};
use crate::train::{Recipe, Watch};
use crate::words::{amount, counted};
use anstyle::{AnsiColor, Style};
use anyhow::{Error, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::time::{Duration, Instant};

const GREEN: Style = AnsiColor::Green.on_default();
/// Time between two looks at the live view.
const BETWEEN_VIEWS: Duration = Duration::from_millis(60);
/// Time between two steps in a log of JSON.
const BETWEEN_LOGGED: Duration = Duration::from_secs(1);

/// The side of a run that people and programs see.
pub struct Screen<'a> {
    console: &'a Console,
    is_json: bool,
    stop: &'a Stop,
    /// The live view, once it is shown, and when it was shown last.
    shown: Option<(ProgressBar, Instant)>,
    view: View,
    /// When the first step that was taken here was done, and its number.
    first: Option<(Instant, u64)>,
    /// When a step was logged last.
    logged: Option<Instant>,
    epochs: u64,
    steps_an_epoch: u64,
    max_steps: u64,
    /// Keys of a new run's recipe that a flag or a file said.
    said: Option<Vec<String>>,
    /// Pictures that were left out.
    left_out: usize,
    /// What became of stdout, where nothing more can be written to it.
    lost: Option<String>,
}

impl<'a> Screen<'a> {
    pub fn new(console: &'a Console, is_json: bool, stop: &'a Stop) -> Self {
        Self {
            console,
            is_json,
            stop,
            shown: None,
            view: View::default(),
            first: None,
            logged: None,
            epochs: 0,
            steps_an_epoch: 0,
            max_steps: u64::MAX,
            said: None,
            left_out: 0,
            lost: None,
        }
    }

    /// Takes note of the flags and keys that were said, so that the others are told to be defaults.
    pub fn said(&mut self, keys: Vec<String>) {
        self.said = Some(keys);
    }

    /// Takes the live view away, and says how many pictures were left out.
    pub fn end(&mut self) {
        self.clear();
        if self.left_out > 0 {
            self.console.note(format_args!(
                "{} could not be read, left out",
                counted(self.left_out, "picture")
            ));
        }
    }

    /// What became of stdout, where nothing more can be written to it.
    pub fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// Prints `value` as a line of JSON; where it cannot be, the run is to stop in order.
    fn print(&mut self, value: &impl Serialize) -> Result<()> {
        let printed = print(&format!("{}\n", serde_json::to_string(value)?));
        self.lost = self.lost.take().or_else(|| match printed {
            Err(error) if is_broken_pipe(&error) => Some("standard output was closed".to_owned()),
            Err(error) => Some(one_line(&error)),
            Ok(()) => None,
        });
        Ok(())
    }

    fn clear(&mut self) {
        if let Some((bar, _)) = self.shown.take() {
            self.console.detach();
            bar.finish_and_clear();
        }
    }

    /// Shows the view as it is now, where a person watches and did not just see it.
    fn show(&mut self) {
        if self.is_json || !self.console.is_watched() {
            return;
        }
        let is_new = self.shown.is_none();
        let (bar, when) = self.shown.get_or_insert_with(|| {
            let bar = ProgressBar::new_spinner();
            let style = ProgressStyle::with_template("{msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            self.console.attach(&bar);
            (bar, Instant::now())
        });
        if is_new || when.elapsed() >= BETWEEN_VIEWS {
            let has_colours = anstream::AutoStream::choice(&std::io::stderr());
            let has_colours = has_colours != anstream::ColorChoice::Never;
            let lines = self.view.lines(stderr_columns(), has_colours);
            bar.set_message(lines.join("\n"));
            *when = Instant::now();
        }
    }

    /// What the run will still take after `step`, by the time of all steps but the first, validation included.
    fn remaining(&mut self, step: u64) -> Option<Duration> {
        let (begun, first) = *self.first.get_or_insert((Instant::now(), step));
        let all = (self.epochs * self.steps_an_epoch).min(self.max_steps);
        let done = step.checked_sub(first).filter(|&done| done > 0)?;
        let left = all.saturating_sub(step);
        Duration::try_from_secs_f64(begun.elapsed().as_secs_f64() * left as f64 / done as f64).ok()
    }

    /// Tells a log of JSON of a step, where it was told of none a moment ago.
    fn log(&mut self, step: &Step) {
        let is_due = |last: Instant| last.elapsed() >= BETWEEN_LOGGED;
        if self.console.logs_progress() && self.logged.is_none_or(is_due) {
            self.logged = Some(Instant::now());
            let text = format!(
                "epoch {}/{}, step {}: loss {}",
                step.epoch,
                self.epochs,
                step.step,
                short(step.loss)
            );
            self.console.progress(text, "step", step);
        }
    }
}

/// An error is printed where the view was.
impl Drop for Screen<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Watch for Screen<'_> {
    fn note(&mut self, text: &str) {
        self.console.note(text);
    }

    fn warning(&mut self, error: &Error) {
        self.console.warning(error);
    }

    fn begin(&mut self, beginning: &Beginning) {
        let Beginning {
            model,
            parameters: [trained, all],
            images,
            classes,
            validation,
            recipe,
            answers,
            epochs,
            steps_an_epoch,
            step_bytes,
            done,
            best,
            folder,
        } = beginning;
        (self.epochs, self.steps_an_epoch) = (*epochs, *steps_an_epoch);
        self.view.epochs = *epochs;
        self.view.best = best.and_then(|(epoch, top1)| Some((epoch, top1?)));
        self.max_steps = answers.max_steps.unwrap_or(u64::MAX);
        let console = self.console;
        let part = if trained == all {
            String::new()
        } else {
            format!("{} of ", thousands(*trained))
        };
        console.note(format_args!(
            "{model}, {part}{} parameters, learns {} of {}",
            thousands(*all),
            counted(*images, "picture"),
            counted(*classes, "class")
        ));
        console.note(recipe);
        match validation {
            Some(validation) => console.note(format_args!("best/ is chosen by {validation}")),
            None => console.note("no pictures choose best/: it is the last epoch"),
        }
        let [epoch, step] = done;
        if *step > 0 {
            console.note(format_args!(
                "goes on after step {step}, {} being done",
                counted(*epoch, "epoch")
            ));
        }
        let steps = (epochs * steps_an_epoch).min(self.max_steps);
        let memory = step_bytes.map_or(String::new(), |bytes| {
            format!("; a step takes about {} of memory", amount(bytes))
        });
        console.detail(format_args!(
            "{} an epoch, {} in all{memory}",
            counted(*steps_an_epoch, "step"),
            counted(steps, "step")
        ));
        if let Some(said) = &self.said {
            console.detail(defaults(answers, said));
        }
        if let Some(folder) = folder {
            console.note(format_args!("the run is written to {}", folder.display()));
        }
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        if self.is_json {
            return self.print(step);
        }
        self.log(step);
        let steps = self.steps_an_epoch;
        // The run may end inside the epoch.
        let before = (step.epoch - 1) * steps;
        let steps = steps.min(self.max_steps.saturating_sub(before));
        // A step may have been left out, and a resumed run may be longer.
        self.view.done = [step.step.saturating_sub(before).min(steps), steps];
        self.view.remaining = self.remaining(step.step);
        self.view.step(step);
        self.show();
        Ok(())
    }

    fn looked_at(&mut self, what: &str, done: usize, total: usize) {
        self.view.looks = Some(what.to_owned());
        self.view.done = [done as u64, total as u64];
        self.show();
    }

    fn epoch(&mut self, epoch: &Epoch, is_best: bool) -> Result<()> {
        if self.is_json {
            return self.print(epoch);
        }
        self.view.epoch(epoch, is_best);
        let validated = match (epoch.val_loss, epoch.val_top1) {
            (Some(loss), Some(top1)) => {
                let best = if is_best {
                    format!(" {GREEN}(best){GREEN:#}")
                } else {
                    String::new()
                };
                format!("; val loss {}, top-1 {top1:.2} %{best}", short(loss))
            }
            _ => String::new(),
        };
        let line = format!(
            "epoch {}/{}: loss {}, top-1 {:.2} %{validated}; lr {:.2e}, {:.1} s",
            epoch.epoch,
            self.epochs,
            short(epoch.train_loss),
            epoch.train_top1,
            epoch.lr,
            epoch.seconds
        );
        self.console.progress(line, "epoch", epoch);
        Ok(())
    }

    fn unreadable(&mut self, error: &Error) {
        self.left_out += 1;
        self.console.warning(error);
    }

    fn wants_to_stop(&self) -> bool {
        self.lost.is_some() || self.stop.is_wanted()
    }
}

/// The answers that nobody gave, and what they follow from.
fn defaults(answers: &Recipe, said: &[String]) -> String {
    let written = answers.to_toml("").unwrap_or_default();
    let lines = written.lines().filter_map(|line| line.split_once(" = "));
    let chosen = lines.filter(|(key, _)| !said.contains(&format!("--{key}")));
    let chosen: Vec<String> = chosen
        .map(|(key, value)| format!("{key} {value}"))
        .collect();
    let purpose = match (&answers.model, answers.freeze) {
        (_, Some(Frozen::Backbone)) => "the last layer alone",
        (Some(_), _) => "a model's weights",
        (None, _) => "a new net",
    };
    format!(
        "chosen to suit the pictures and {purpose}: {}",
        chosen.join(", ")
    )
}

/// A loss with four digits that count.
fn short(number: f64) -> String {
    if number == 0.0 || (1e-3..1e4).contains(&number) {
        format!("{number:.4}")
    } else {
        format!("{number:.3e}")
    }
}
