//! The observer of a run: a live view and lines for people on stderr, JSON lines for programs on stdout.

use crate::cli::output::console::Console;
use crate::cli::output::flags::{error_line, with_flags};
use crate::cli::output::live::View;
use crate::cli::output::stdout::{is_broken_pipe, print};
use crate::cli::output::survey;
use crate::cli::output::terminal::stderr_columns;
use crate::cli::stop::Stop;
use crate::data::DatasetSurvey;
use crate::error::Message;
use crate::eval::history::Epoch;
use crate::model::Frozen;
use crate::text::{format_bytes, pluralize};
use crate::train::observe::observer::{RunStarted, Step};
use crate::train::{Observer, Recipe};
use anstyle::{AnsiColor, Style};
use anyhow::{Error, Result};
use chrono::{Local, TimeDelta};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const GREEN: Style = AnsiColor::Green.on_default();
/// Time between two updates of the live view.
const BETWEEN_VIEWS: Duration = Duration::from_millis(60);
/// Time between two steps in a JSON log.
const BETWEEN_LOGGED: Duration = Duration::from_secs(1);

/// Shows a run to people and programs.
pub struct TrainObserver<'a> {
    console: &'a Console,
    is_json: bool,
    stop: &'a Stop,
    /// The live view and the time of its last update.
    shown: Option<(ProgressBar, Instant)>,
    view: View,
    /// The time and number of the first step of this process.
    first: Option<(Instant, u64)>,
    /// When a step was last logged.
    logged: Option<Instant>,
    epochs: u64,
    steps_an_epoch: u64,
    max_steps: u64,
    /// Keys of a new run's recipe that flags or a file set.
    overrides: Option<Vec<&'static str>>,
    /// The errors in reading images that were named at the start.
    known_unreadable: BTreeSet<String>,
    /// Images that were skipped, beside these.
    left_out: usize,
    /// Why nothing more can be written to stdout, if so.
    lost: Option<String>,
}

impl<'a> TrainObserver<'a> {
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
            overrides: None,
            known_unreadable: BTreeSet::new(),
            left_out: 0,
            lost: None,
        }
    }

    /// Records explicitly set options, so that the others are named as defaults.
    pub fn set_overrides(&mut self, keys: Vec<&'static str>) {
        self.overrides = Some(keys);
    }

    /// Removes the live view, and notes how many images were skipped that were not announced at the start.
    pub fn end(&mut self) {
        self.clear();
        if self.left_out > 0 {
            let what = if self.known_unreadable.is_empty() {
                "unreadable image"
            } else {
                "more unreadable image"
            };
            let images = pluralize(self.left_out, what);
            self.console.note(format_args!("{images} skipped"));
        }
    }

    /// Returns why nothing more can be written to stdout, if so.
    pub fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// Prints `value` as a line of JSON; if that fails, the run stops in order.
    fn print(&mut self, value: &impl Serialize) -> Result<()> {
        let printed = print(&format!("{}\n", serde_json::to_string(value)?));
        self.lost = self.lost.take().or_else(|| match printed {
            Err(error) if is_broken_pipe(&error) => Some("standard output was closed".to_owned()),
            Err(error) => Some(error_line(&error)),
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

    /// Updates the view on a terminal, unless that was done a moment ago.
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
            let has_colors = anstream::AutoStream::choice(&std::io::stderr());
            let has_colors = has_colors != anstream::ColorChoice::Never;
            let lines = self.view.lines(stderr_columns(), has_colors);
            bar.set_message(lines.join("\n"));
            *when = Instant::now();
        }
    }

    /// Returns the time that the run will still take after `step`, by that of all steps but the first, validation included.
    fn remaining(&mut self, step: u64) -> Option<Duration> {
        let (begun, first) = *self.first.get_or_insert((Instant::now(), step));
        let all = (self.epochs * self.steps_an_epoch).min(self.max_steps);
        let done = step.checked_sub(first).filter(|&done| done > 0)?;
        let left = all.saturating_sub(step);
        Duration::try_from_secs_f64(begun.elapsed().as_secs_f64() * left as f64 / done as f64).ok()
    }

    /// Writes a step to a JSON log, unless one was written a moment ago.
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

/// Errors are printed in place of the view.
impl Drop for TrainObserver<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Observer for TrainObserver<'_> {
    fn note(&mut self, note: &Message) {
        self.console.note(with_flags(note));
    }

    fn warning(&mut self, error: &Error) {
        self.console.warning(error);
    }

    fn detail(&mut self, text: &str) {
        self.console.detail(text);
    }

    fn surveyed(&mut self, survey: &DatasetSurvey, recipe: &Recipe) {
        self.clear();
        let overrides = self.overrides.as_deref().unwrap_or_default();
        survey::announce(survey, recipe, overrides, self.console);
        let unreadable = survey.unreadable.iter();
        self.known_unreadable = unreadable
            .map(|image| survey::cannot_read(&image.image))
            .collect();
    }

    fn started(&mut self, run: &RunStarted) {
        let RunStarted {
            description,
            recipe,
            epochs,
            steps_an_epoch,
            step_bytes,
            ..
        } = run;
        self.clear();
        (self.epochs, self.steps_an_epoch) = (*epochs, *steps_an_epoch);
        self.max_steps = recipe.max_steps.unwrap_or(u64::MAX);
        self.view.begin(run);
        let console = self.console;
        console.block("start", description);
        let steps = (epochs * steps_an_epoch).min(self.max_steps);
        let memory = step_bytes.map_or(String::new(), |bytes| {
            format!("; a step needs about {} of memory", format_bytes(bytes))
        });
        console.detail(format_args!("{} in all{memory}", pluralize(steps, "step")));
        if let Some(overrides) = &self.overrides {
            console.detail(defaults(recipe, overrides));
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
        // A step may have been skipped, and a resumed run may be longer.
        self.view.done = [step.step.saturating_sub(before).min(steps), steps];
        self.view.remaining = self.remaining(step.step);
        self.view.ends_at = self.view.remaining.and_then(time_of_end);
        self.view.step(step);
        self.show();
        Ok(())
    }

    fn progress(&mut self, what: &str, done: usize, total: usize) {
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
        // The error of another process has its causes in its message.
        let text = error.to_string();
        let mut known = self.known_unreadable.iter();
        let is_known = known.any(|known| {
            let rest = text.strip_prefix(known.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(": "))
        });
        if !is_known {
            self.left_out += 1;
            self.console.warning(error);
        }
    }

    fn should_stop(&self) -> bool {
        self.lost.is_some() || self.stop.is_wanted()
    }
}

/// Returns the local time at which a run ends, such as `21:34`; with the date if that is not today.
fn time_of_end(remaining: Duration) -> Option<String> {
    let now = Local::now();
    let end = now + TimeDelta::from_std(remaining).ok()?;
    let is_today = end.date_naive() == now.date_naive();
    let format = if is_today { "%H:%M" } else { "%b %-d %H:%M" };
    Some(end.format(format).to_string())
}

/// Returns the settings that were chosen by default, and why.
fn defaults(recipe: &Recipe, overrides: &[&str]) -> String {
    let written = recipe.to_toml("").unwrap_or_default();
    let lines = written.lines().filter_map(|line| line.split_once(" = "));
    let chosen = lines.filter(|(key, _)| !overrides.contains(key));
    let chosen: Vec<String> = chosen
        .map(|(key, value)| format!("{key} {value}"))
        .collect();
    let purpose = match (&recipe.model, recipe.freeze) {
        (_, Some(Frozen::Backbone)) => "the last layer only",
        (Some(_), _) => "fine-tuning",
        (None, _) => "training from scratch",
    };
    format!(
        "defaults for these images and {purpose}: {}",
        chosen.join(", ")
    )
}

/// Returns a loss with four decimals or significant digits.
fn short(number: f64) -> String {
    if number == 0.0 || (1e-3..1e4).contains(&number) {
        format!("{number:.4}")
    } else {
        format!("{number:.3e}")
    }
}
