//! What people read, on stderr: errors with their hints, warnings, notes, and the progress of downloads. With
//! `--log-format json` all of it is lines of JSON, for services.

use super::log::{self, Level, LogFormat};
use crate::error::{hint_of, one_line};
use crate::hub::Progress;
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;

const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default().bold();

/// The person's side of the program.
#[derive(Debug)]
pub struct Console {
    quiet: bool,
    verbose: bool,
    log: LogFormat,
    /// Of a download, or of pictures.
    bar: Mutex<Option<ProgressBar>>,
}

impl Console {
    pub fn new(quiet: bool, verbose: bool, log: LogFormat) -> Self {
        Self {
            quiet,
            verbose,
            log,
            bar: Mutex::new(None),
        }
    }

    /// An error with its causes, and the hint among them.
    pub fn error(&self, error: &anyhow::Error) {
        self.line(Level::Error, &one_line(error), hint_of(error));
    }

    /// An error that ends nothing, with its hint; not with `--quiet`.
    pub fn warning(&self, error: &anyhow::Error) {
        if !self.quiet {
            self.line(Level::Warning, &one_line(error), hint_of(error));
        }
    }

    /// Something to know; not with `--quiet`.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            self.line(Level::Note, &text, None);
        }
    }

    /// A line of progress, without a word before it; not with `--quiet`. In a log of JSON it is the event called `name` with the
    /// fields of `of`.
    pub fn progress(&self, text: impl Display, name: &str, of: &impl Serialize) {
        if self.quiet {
            return;
        }
        match self.log {
            LogFormat::Text => self.suspended(|| {
                let _ = writeln!(anstream::stderr(), "{text}");
            }),
            LogFormat::Json => {
                let text = anstream::adapter::strip_str(&text.to_string()).to_string();
                log::write(log::event(name, &text, of));
            }
        }
    }

    /// Whether a log of JSON is told of progress.
    pub fn logs_progress(&self) -> bool {
        self.log == LogFormat::Json && !self.quiet
    }

    /// Whether a person watches who wants to see bars.
    pub fn is_watched(&self) -> bool {
        !self.quiet && self.log == LogFormat::Text && std::io::stderr().is_terminal()
    }

    /// Prints what follows above `bar`.
    pub fn attach(&self, bar: &ProgressBar) {
        if let Ok(mut shown) = self.bar.lock() {
            *shown = Some(bar.clone());
        }
    }

    /// Forgets the bar.
    pub fn detach(&self) {
        if let Ok(mut shown) = self.bar.lock() {
            *shown = None;
        }
    }

    /// Each of `notes` as a [`Console::note`].
    pub fn notes(&self, notes: &[String]) {
        for note in notes {
            self.note(note);
        }
    }

    /// Something to know with `--verbose`.
    pub fn detail(&self, text: impl Display) {
        if self.verbose {
            self.line(Level::Note, &text, None);
        }
    }

    /// A bar of so many pictures on a terminal, moved and ended as a download's; nothing elsewhere.
    pub fn start_pictures(&self, what: &str, total: usize) {
        if self.is_watched() {
            let template = "{msg} [{bar:24}] {pos}/{len} {per_sec} {eta}";
            self.show(ProgressBar::new(total as u64), what, template);
        }
    }

    fn show(&self, bar: ProgressBar, message: &str, template: &str) {
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("=> "));
        bar.set_message(message.to_owned());
        if let Ok(mut shown) = self.bar.lock() {
            *shown = Some(bar);
        }
    }

    fn line(&self, level: Level, text: &dyn Display, hint: Option<&str>) {
        if self.log == LogFormat::Json {
            return log::write(log::record(level, &text.to_string(), hint));
        }
        let (style, kind) = match level {
            Level::Error => (RED, "error"),
            Level::Warning => (YELLOW, "warning"),
            Level::Note => (CYAN, "note"),
        };
        // A line that cannot be written to stderr has nowhere else to go.
        self.suspended(|| {
            let mut stderr = anstream::stderr();
            let _ = writeln!(stderr, "{style}{kind}{style:#}: {text}");
            if let Some(hint) = hint {
                let _ = writeln!(stderr, "{CYAN}hint{CYAN:#}: {hint}");
            }
        });
    }

    /// Prints by `print` above the bar, if there is one.
    fn suspended(&self, print: impl FnOnce()) {
        match self.bar.lock().ok().as_deref() {
            Some(Some(bar)) => bar.suspend(print),
            _ => print(),
        }
    }
}

impl Progress for Console {
    fn start(&self, file: &str, total_bytes: Option<u64>) {
        if self.quiet {
            return;
        }
        if !self.is_watched() {
            self.note(format_args!("downloading {file}"));
            return;
        }
        let template = "{msg} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        let bar = total_bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        self.show(bar, file, template);
    }

    fn advance(&self, bytes: u64) {
        if let Ok(Some(bar)) = self.bar.lock().as_deref() {
            bar.set_position(bytes);
        }
    }

    fn finish(&self) {
        if let Some(bar) = self.bar.lock().ok().and_then(|mut bar| bar.take()) {
            bar.finish_and_clear();
        }
    }
}
