//! The terminal: its width, its colors and what it can print.

use anstream::AutoStream;
use anstyle::Style;
use console::Term;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};

/// Columns if the terminal does not tell.
pub const COLUMNS: usize = 80;

/// True if a launcher passes stdout on.
static IS_PASSED_ON: AtomicBool = AtomicBool::new(false);

/// Takes stdout for no terminal from now on. A launcher passes it on to one or to a file, but Open MPI gives its processes a terminal of
/// their own in either case.
pub fn pass_stdout_on() {
    IS_PASSED_ON.store(true, Ordering::Relaxed);
}

/// The layout of text for people on stdout.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Columns of the terminal, or [`COLUMNS`] if stdout is none.
    pub columns: usize,
    /// True if colors are shown.
    pub colors: bool,
}

impl Look {
    /// Returns the look that suits stdout.
    pub fn of_stdout() -> Self {
        Self {
            columns: stdout_columns().unwrap_or(COLUMNS),
            colors: color_choice() != anstream::ColorChoice::Never,
        }
    }

    /// Returns `text` in this style, if colors are shown.
    pub fn paint(self, style: Style, text: &str) -> String {
        if self.colors && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

/// Returns how stdout is colored.
fn color_choice() -> anstream::ColorChoice {
    if IS_PASSED_ON.load(Ordering::Relaxed) {
        AutoStream::choice(&Vec::new())
    } else {
        AutoStream::choice(&io::stdout())
    }
}

/// Returns the columns of stdout, if it is a terminal.
pub fn stdout_columns() -> Option<usize> {
    let is_terminal = !IS_PASSED_ON.load(Ordering::Relaxed) && io::stdout().is_terminal();
    is_terminal.then(|| columns(&Term::stdout()))
}

/// Returns the columns of stderr.
pub fn stderr_columns() -> usize {
    columns(&Term::stderr())
}

fn columns(terminal: &Term) -> usize {
    let size = terminal.size_checked();
    let columns = size.map(|(_, columns)| usize::from(columns));
    let variable = || std::env::var("COLUMNS").ok()?.parse().ok();
    // Some pseudo-terminals have size 0.
    let columns = columns.filter(|&columns| columns > 0);
    columns.or_else(variable).unwrap_or(COLUMNS)
}

/// Returns a file name without characters that would control a terminal.
pub fn printable(name: &str) -> String {
    let escape = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    name.chars().map(escape).collect()
}
