//! Writing to stdout, whose reader may close it.

use crate::error::has_cause;
use anyhow::Result;
use std::io::{self, Write};

/// An error in writing to stdout.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
struct StdoutError(#[source] io::Error);

/// Writes `text` to stdout.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    Ok(written.map_err(StdoutError)?)
}

/// Returns true if the reader of stdout has closed it.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    has_cause(error, |cause| {
        let error = cause.downcast_ref::<StdoutError>();
        error.is_some_and(|error| error.0.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, one_line};
    use anyhow::Context;

    #[test]
    fn a_closed_stdout_is_recognized_in_an_error_of_the_library_and_other_closed_pipes_are_not() {
        for (kind, is_closed) in [
            (io::ErrorKind::BrokenPipe, true),
            (io::ErrorKind::StorageFull, false),
        ] {
            let failed = || anyhow::Error::new(StdoutError(kind.into()));
            let text = format!("cannot write to standard output: {}", io::Error::from(kind));
            assert_eq!(one_line(&failed()), text);
            assert_eq!(is_broken_pipe(&failed()), is_closed);
            let error = Error::classify(failed(), Error::Other);
            assert!(matches!(error, Error::Io(_)), "{error:?}");
            let of_library = Err::<(), _>(error).context("cannot train").unwrap_err();
            assert_eq!(is_broken_pipe(&of_library), is_closed);
        }
        let other = anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(!is_broken_pipe(&other));
    }
}
