//! Messages for people, on stderr: errors with their hints, warnings, notes, and the progress of downloads.
//!
//! On a terminal they wrap at words; elsewhere each is one line. With `--log-format json` all of them are lines of JSON.

use crate::cli::output::flags::{error_line, hint_line, with_flags};
use crate::cli::output::log::{self, Level, LogFormat};
use crate::cli::output::terminal::stderr_columns;
use crate::cli::output::wrap::{two_columns, wrapped};
use crate::error::Message;
use crate::hub::Progress;
use crate::text::cut_middle;
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt::{self, Display};
use std::io::{IsTerminal, Write};
use std::sync::Mutex;

const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default().bold();
const LABEL: Style = AnsiColor::Cyan.on_default();

/// Spaces before what a line of progress continues with.
const PROGRESS_INDENT: usize = 2;

/// Columns at which messages wrap: those of a terminal.
fn width() -> Option<usize> {
    std::io::stderr().is_terminal().then(stderr_columns)
}

/// Writes messages to stderr.
#[derive(Debug)]
pub struct Console {
    /// True if not even errors are printed.
    silent: bool,
    quiet: bool,
    verbose: bool,
    log: LogFormat,
    /// Progress of a download, or of images.
    bar: Mutex<Option<ProgressBar>>,
}

impl Console {
    pub fn new(quiet: bool, verbose: bool, log: LogFormat) -> Self {
        Self {
            silent: false,
            quiet,
            verbose,
            log,
            bar: Mutex::new(None),
        }
    }

    /// Creates a console that prints nothing, for a process that another one speaks for.
    pub fn silent() -> Self {
        Self {
            silent: true,
            ..Self::new(true, false, LogFormat::Text)
        }
    }

    /// Prints an error with its causes and its hint.
    pub fn error(&self, error: &anyhow::Error) {
        self.line(
            Level::Error,
            &error_line(error),
            hint_line(error).as_deref(),
        );
    }

    /// Prints an error that ends nothing, with its hint; not with `--quiet`.
    pub fn warning(&self, error: &anyhow::Error) {
        if !self.quiet {
            self.line(
                Level::Warning,
                &error_line(error),
                hint_line(error).as_deref(),
            );
        }
    }

    /// Prints a note; not with `--quiet`.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            self.line(Level::Note, &text, None);
        }
    }

    /// Prints a line of progress, without a prefix; not with `--quiet`. In a JSON log it is the event `name` with the fields
    /// of `of`.
    pub fn progress(&self, text: impl Display, name: &str, of: &impl Serialize) {
        if self.quiet {
            return;
        }
        match self.log {
            LogFormat::Text => self.suspended(|| {
                let text = wrapped(&text.to_string(), PROGRESS_INDENT, width());
                let _ = writeln!(anstream::stderr(), "{text}");
            }),
            LogFormat::Json => {
                let text = anstream::adapter::strip_str(&text.to_string()).to_string();
                log::write(log::event(name, &text, of));
            }
        }
    }

    /// Prints lines that fit the terminal already, such as a table; not with `--quiet`. In a JSON log they are the event `name`
    /// with the fields of `of`.
    pub fn lines(&self, text: &str, name: &str, of: &impl Serialize) {
        match self.log {
            _ if self.quiet => {}
            LogFormat::Text => self.suspended(|| {
                let _ = write!(anstream::stderr(), "{text}");
            }),
            LogFormat::Json => log::write(log::event(name, text, of)),
        }
    }

    /// Prints labels and values as two aligned columns; not with `--quiet`. Values wrap within their column.
    ///
    /// In a JSON log it is the event `name` with a field for each label.
    pub fn block(&self, name: &str, rows: &[(&str, String)]) {
        if self.quiet {
            return;
        }
        match self.log {
            LogFormat::Text => self.suspended(|| {
                let label = |label: &str| format!("{LABEL}{label}{LABEL:#}");
                let _ = write!(anstream::stderr(), "{}", two_columns(rows, width(), label));
            }),
            LogFormat::Json => {
                let plain = |value: &str| anstream::adapter::strip_str(value).to_string();
                let rows: Vec<(&str, String)> = rows
                    .iter()
                    .map(|(label, value)| (*label, plain(value)))
                    .collect();
                let message: Vec<String> = rows
                    .iter()
                    .map(|(label, value)| format!("{label}: {value}"))
                    .collect();
                let fields: Map<String, Value> = rows
                    .into_iter()
                    .map(|(label, value)| (label.to_owned(), value.into()))
                    .collect();
                log::write(log::event(name, &message.join("; "), &fields));
            }
        }
    }

    /// Prints a [`Console::block`] with `--verbose` only.
    pub fn details(&self, name: &str, rows: &[(&str, String)]) {
        if self.verbose {
            self.block(name, rows);
        }
    }

    /// Returns true if progress goes to a JSON log.
    pub fn logs_progress(&self) -> bool {
        self.log == LogFormat::Json && !self.quiet
    }

    /// Returns true if progress bars are shown: on a terminal, without `--quiet`.
    pub fn is_watched(&self) -> bool {
        !self.quiet && self.log == LogFormat::Text && std::io::stderr().is_terminal()
    }

    /// Prints later messages above `bar`.
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

    /// Prints each of `notes` as a [`Console::note`].
    pub fn notes(&self, notes: &[String]) {
        for note in notes {
            self.note(note);
        }
    }

    /// Prints each of `notes` as a [`Console::note`], with its settings as flags.
    pub fn messages(&self, notes: &[Message]) {
        for note in notes {
            self.note(with_flags(note));
        }
    }

    /// Prints a note with `--verbose` only.
    pub fn detail(&self, text: impl Display) {
        if self.verbose {
            self.line(Level::Note, &text, None);
        }
    }

    /// Shows a bar of `total` images on a terminal, which [`Progress::advance`] moves and [`Progress::finish`] removes.
    pub fn start_images(&self, what: &str, total: usize) {
        if self.is_watched() {
            let tail = "{pos}/{len}  {rate}  ETA {eta}";
            self.show(ProgressBar::new(total as u64), what, tail);
        }
    }

    /// Shows `bar` between `message` and the figures of the template `tail`, in the characters of the live view.
    fn show(&self, bar: ProgressBar, message: &str, tail: &str) {
        let color = match anstream::AutoStream::choice(&std::io::stderr()) {
            anstream::ColorChoice::Never => "",
            _ => ":.magenta",
        };
        let template = format!("{{msg}}  {{wide_bar{color}}}  {tail}");
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key(
                "rate",
                |state: &ProgressState, text: &mut dyn fmt::Write| {
                    let _ = write!(text, "{:.0} img/s", state.per_sec());
                },
            );
        bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏░"));
        bar.set_message(cut_middle(message, stderr_columns() / 3));
        if let Ok(mut shown) = self.bar.lock() {
            *shown = Some(bar);
        }
    }

    fn line(&self, level: Level, text: &dyn Display, hint: Option<&str>) {
        if self.silent {
            return;
        }
        if self.log == LogFormat::Json {
            return log::write(log::record(level, &text.to_string(), hint));
        }
        let (style, kind) = match level {
            Level::Error => (RED, "error"),
            Level::Warning => (YELLOW, "warning"),
            Level::Note => (CYAN, "note"),
        };
        // A line that cannot be written to stderr has nowhere else to go.
        let write = |style: Style, kind: &str, text: &str| {
            let text = wrapped(text, kind.len() + ": ".len(), width());
            let _ = writeln!(anstream::stderr(), "{style}{kind}{style:#}: {text}");
        };
        self.suspended(|| {
            write(style, kind, &text.to_string());
            if let Some(hint) = hint {
                write(CYAN, "hint", hint);
            }
        });
    }

    /// Runs `print` with the bar out of the way, if there is one.
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
        let tail = "{bytes}/{total_bytes}  {bytes_per_sec}  ETA {eta}";
        let bar = total_bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        self.show(bar, file, tail);
    }

    fn wait(&self, repo: &str) {
        self.note(format_args!(
            "waiting for another process, which downloads from `{repo}`"
        ));
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
