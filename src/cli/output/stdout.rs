//! Writing to stdout, whose reader may close it.

use anyhow::{Context, Result};
use std::io::{self, Write};

/// Marks an error in writing to stdout.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
struct Stdout;

/// Writes `text` to stdout.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    written.context(Stdout)
}

/// Returns true if the reader of stdout has closed it.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.is::<Stdout>()
        && error
            .chain()
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
