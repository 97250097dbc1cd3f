//! What people read, on stderr: errors with their hints, warnings, notes, and the progress of downloads.

use crate::error::{hint_of, one_line};
use crate::hub::Progress;
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
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
    /// Of a download, or of pictures.
    bar: Mutex<Option<ProgressBar>>,
}

impl Console {
    pub fn new(quiet: bool, verbose: bool) -> Self {
        Self {
            quiet,
            verbose,
            bar: Mutex::new(None),
        }
    }

    /// An error with its causes, and the hint among them.
    pub fn error(&self, error: &anyhow::Error) {
        self.line(RED, "error", &one_line(error));
        if let Some(hint) = hint_of(error) {
            self.line(CYAN, "hint", &hint);
        }
    }

    /// An error that ends nothing, with its hint; not with `--quiet`.
    pub fn warning(&self, error: &anyhow::Error) {
        if self.quiet {
            return;
        }
        self.line(YELLOW, "warning", &one_line(error));
        if let Some(hint) = hint_of(error) {
            self.line(CYAN, "hint", &hint);
        }
    }

    /// Something to know; not with `--quiet`.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            self.line(CYAN, "note", &text);
        }
    }

    /// A line of progress, without a word before it; not with `--quiet`.
    pub fn progress(&self, text: impl Display) {
        if !self.quiet {
            self.suspended(|| {
                let _ = writeln!(anstream::stderr(), "{text}");
            });
        }
    }

    /// Whether errors alone are printed.
    pub fn is_quiet(&self) -> bool {
        self.quiet
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
            self.line(CYAN, "note", &text);
        }
    }

    /// A bar of so many pictures on a terminal, moved and ended as a download's; nothing elsewhere.
    pub fn start_pictures(&self, what: &str, total: usize) {
        if !self.quiet && std::io::stderr().is_terminal() {
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

    fn line(&self, style: Style, kind: &str, text: &dyn Display) {
        // A line that cannot be written to stderr has nowhere else to go.
        self.suspended(|| {
            let _ = writeln!(anstream::stderr(), "{style}{kind}{style:#}: {text}");
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
        if !std::io::stderr().is_terminal() {
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
