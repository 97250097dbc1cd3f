//! What a run tells of itself: a bar and lines for people on stderr, JSON lines for programs on stdout.

use super::console::Console;
use super::stop::Stop;
use super::{is_broken_pipe, print};
use crate::error::one_line;
use crate::model::Frozen;
use crate::report::thousands;
use crate::train::watch::{Beginning, Epoch, Step};
use crate::train::{Recipe, Watch};
use crate::words::{amount, counted};
use anyhow::{Error, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::IsTerminal;

/// The side of a run that people and programs see.
pub struct Screen<'a> {
    console: &'a Console,
    is_json: bool,
    stop: &'a Stop,
    bar: Option<ProgressBar>,
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
            bar: None,
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

    /// Takes the bar away, and says how many pictures were left out.
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
        if let Some(bar) = self.bar.take() {
            self.console.detach();
            bar.finish_and_clear();
        }
    }

    /// The bar for `total` of something, where a person watches.
    fn bar(&mut self, total: u64, template: &str) -> Option<&ProgressBar> {
        if self.bar.is_none() && !self.console.is_quiet() && std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new(total);
            bar.set_style(style.progress_chars("=> "));
            self.console.attach(&bar);
            self.bar = Some(bar);
        }
        self.bar.as_ref()
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
            best: _,
            folder,
        } = beginning;
        (self.epochs, self.steps_an_epoch) = (*epochs, *steps_an_epoch);
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
        let (epochs, steps) = (self.epochs, self.steps_an_epoch);
        // The run may end inside the epoch.
        let before = (step.epoch - 1) * steps;
        let steps = steps.min(self.max_steps.saturating_sub(before));
        if let Some(bar) = self.bar(
            steps,
            "epoch {prefix} [{bar:16}] {pos}/{len} {msg} ETA {eta}",
        ) {
            bar.set_prefix(format!("{}/{epochs}", step.epoch));
            bar.set_message(format!(
                "loss {:.4} top-1 {:.1} % {:.0} img/s",
                step.loss, step.top1, step.images_per_second
            ));
            // A step may have been left out, and a resumed run may be longer.
            bar.set_position(step.step.saturating_sub(before));
        }
        Ok(())
    }

    fn looked_at(&mut self, what: &str, done: usize, total: usize) {
        if done == total {
            return self.clear();
        }
        let is_other = self.bar.as_ref().is_some_and(|bar| bar.prefix() != what);
        if is_other {
            self.clear();
        }
        if let Some(bar) = self.bar(total as u64, "{prefix} [{bar:20}] {pos}/{len} {eta}") {
            bar.set_prefix(what.to_owned());
            bar.set_position(done as u64);
        }
    }

    fn epoch(&mut self, epoch: &Epoch, is_best: bool) -> Result<()> {
        self.clear();
        if self.is_json {
            return self.print(epoch);
        }
        let validated = match (epoch.val_loss, epoch.val_top1) {
            (Some(loss), Some(top1)) => {
                let best = if is_best { " (best)" } else { "" };
                format!("; val loss {}, top-1 {top1:.2} %{best}", short(loss))
            }
            _ => String::new(),
        };
        self.console.progress(format_args!(
            "epoch {}/{}: loss {}, top-1 {:.2} %{validated}; lr {:.2e}, {:.1} s",
            epoch.epoch,
            self.epochs,
            short(epoch.train_loss),
            epoch.train_top1,
            epoch.lr,
            epoch.seconds
        ));
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
