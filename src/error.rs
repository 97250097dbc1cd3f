//! Errors with a message for what went wrong and a hint for what to do.
//!
//! The command line prints `error: <chain of contexts>` and, when any error in the chain is a
//! [`ErrorWithHint`], `hint: <its hint>`.

use std::fmt::Display;
use std::io;

/// An error with a hint for the user.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ErrorWithHint {
    message: String,
    hint: String,
    fault: Fault,
}

/// The cause of an error, which decides the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Something is missing or failed.
    Failure,
    /// The command line is wrong.
    Misuse,
}

/// Creates an error whose `hint` the command line prints on its own line; the exit status is 1.
pub fn error_with_hint(message: impl Display, hint: impl Display) -> anyhow::Error {
    with_fault(message, hint, Fault::Failure)
}

/// Creates a [`error_with_hint`] error for wrong usage: the exit status is 2.
pub fn usage_error(message: impl Display, hint: impl Display) -> anyhow::Error {
    with_fault(message, hint, Fault::Misuse)
}

/// Returns `error` as one error with another hint and the same exit status.
pub(crate) fn replace_hint(error: &anyhow::Error, hint: impl Display) -> anyhow::Error {
    let fault = if is_usage_error(error) {
        Fault::Misuse
    } else {
        Fault::Failure
    };
    with_fault(one_line(error), hint, fault)
}

fn with_fault(message: impl Display, hint: impl Display, fault: Fault) -> anyhow::Error {
    anyhow::Error::new(ErrorWithHint {
        message: message.to_string(),
        hint: hint.to_string(),
        fault,
    })
}

/// Returns true if any error in the chain is a [`usage_error`].
pub fn is_usage_error(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<ErrorWithHint>())
        .any(|error_with_hint| error_with_hint.fault == Fault::Misuse)
}

/// Returns the hint of the outermost [`ErrorWithHint`] in the chain of `error`, if any.
pub fn hint_of(error: &anyhow::Error) -> Option<&str> {
    error
        .chain()
        .find_map(|cause| cause.downcast_ref::<ErrorWithHint>())
        .map(|error_with_hint| error_with_hint.hint.as_str())
}

/// Returns the causes of `error` on one line, outermost first, without the backtraces in candle's errors.
pub fn one_line(error: &anyhow::Error) -> String {
    let causes = error
        .chain()
        .map(|cause| match cause.downcast_ref::<candle_core::Error>() {
            Some(error) => without_backtrace(error),
            None => cause.to_string(),
        });
    // Some errors repeat the message of their cause.
    let mut line: Vec<String> = causes.collect();
    line.dedup();
    line.join(": ")
}

/// Returns why a text file cannot be read.
pub fn why_unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        io::ErrorKind::InvalidData => "it is not a text file".to_owned(),
        _ => error.to_string(),
    }
}

/// Returns the message of a candle error without its backtrace.
pub fn without_backtrace(error: &candle_core::Error) -> String {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => without_backtrace(inner),
        candle_core::Error::Context { inner, context } => {
            format!("{context}: {}", without_backtrace(inner))
        }
        candle_core::Error::WithPath { inner, path } => {
            format!("{}: {}", path.display(), without_backtrace(inner))
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_hint_survives_added_context() {
        let error = Err::<(), _>(error_with_hint(
            "tensor `fc.bias` is missing",
            "pass the whole file",
        ))
        .context("cannot load weights `x.safetensors`")
        .unwrap_err();
        assert_eq!(hint_of(&error), Some("pass the whole file"));
        assert_eq!(
            one_line(&error),
            "cannot load weights `x.safetensors`: tensor `fc.bias` is missing"
        );
    }
}
