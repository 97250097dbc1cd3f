//! How wide the terminal is.

use console::Term;
use std::io::{self, IsTerminal};

/// Columns of a terminal that does not say.
pub const COLUMNS: usize = 80;

/// Columns of the terminal that stdout is, if it is one.
pub fn stdout_columns() -> Option<usize> {
    let is_terminal = io::stdout().is_terminal();
    is_terminal.then(|| columns(&Term::stdout()))
}

/// Columns of the terminal that stderr is.
pub fn stderr_columns() -> usize {
    columns(&Term::stderr())
}

fn columns(terminal: &Term) -> usize {
    let size = terminal.size_checked();
    let columns = size.map(|(_, columns)| usize::from(columns));
    let said = || std::env::var("COLUMNS").ok()?.parse().ok();
    // Some pseudo-terminals have a size of nothing.
    let columns = columns.filter(|&columns| columns > 0);
    columns.or_else(said).unwrap_or(COLUMNS)
}
