//! Errors: a message for what went wrong, and a hint for what to do.
//!
//! The command line prints `error: <chain of contexts>` and, when any error in the chain is a
//! [`ErrorWithHint`], `hint: <its hint>`.

mod message;
mod typed;

pub use message::{Command, Message, Part, Setting, command, setting};
pub use typed::{Cause, Error, Kind, WithKind};

use std::io;

/// An error with a hint for the user.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ErrorWithHint {
    message: Message,
    hint: Message,
    fault: Fault,
    /// Variant of [`Error`], if known.
    kind: Option<Kind>,
}

/// The cause of an error, which decides the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Something is missing or failed.
    Failure,
    /// The command line is wrong.
    Usage,
}

/// Creates an error whose `hint` the command line prints on its own line; the exit status is 1.
///
/// Text is `&str`, `String` or, if it names settings, a [`message!`](crate::message).
pub fn error_with_hint(message: impl Into<Message>, hint: impl Into<Message>) -> anyhow::Error {
    with_fault(message.into(), hint.into(), Fault::Failure)
}

/// Creates an [`error_with_hint`] for wrong usage: the exit status is 2.
pub fn usage_error(message: impl Into<Message>, hint: impl Into<Message>) -> anyhow::Error {
    let error = with_fault(message.into(), hint.into(), Fault::Usage);
    error.with_kind(Error::InvalidConfiguration)
}

/// Returns `error` as one error with another hint and the same exit status.
pub(crate) fn replace_hint(error: &anyhow::Error, hint: impl Into<Message>) -> anyhow::Error {
    let fault = if is_usage_error(error) {
        Fault::Usage
    } else {
        Fault::Failure
    };
    with_fault(message_of(error), hint.into(), fault)
}

fn with_fault(message: Message, hint: Message, fault: Fault) -> anyhow::Error {
    anyhow::Error::new(ErrorWithHint {
        message,
        hint,
        fault,
        kind: None,
    })
}

/// Returns true if any error in the chain is a [`usage_error`].
pub fn is_usage_error(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        if let Some(error) = cause.downcast_ref::<Error>() {
            return is_usage_error(error.inner());
        }
        let error = cause.downcast_ref::<ErrorWithHint>();
        error.is_some_and(|error| error.fault == Fault::Usage)
    })
}

/// Returns the hint of the outermost [`ErrorWithHint`] in the chain of `error`, if any.
pub fn hint_of(error: &anyhow::Error) -> Option<&Message> {
    error
        .chain()
        .find_map(|cause| match cause.downcast_ref::<Error>() {
            Some(error) => error.hint(),
            None => Some(&cause.downcast_ref::<ErrorWithHint>()?.hint),
        })
}

/// Returns the causes of `error` as one message, outermost first, without the backtraces in candle's errors.
pub fn message_of(error: &anyhow::Error) -> Message {
    let causes = error.chain().map(|cause| {
        if let Some(error) = cause.downcast_ref::<ErrorWithHint>() {
            return error.message.clone();
        }
        if let Some(error) = cause.downcast_ref::<Error>() {
            return message_of(error.inner());
        }
        match cause.downcast_ref::<candle_core::Error>() {
            Some(error) => without_backtrace(error).into(),
            None => cause.to_string().into(),
        }
    });
    // Some errors repeat the message of their cause.
    let mut causes: Vec<Message> = causes.collect();
    causes.dedup();
    let mut line = Message::default();
    for (index, cause) in causes.into_iter().enumerate() {
        if index > 0 {
            line.push(": ");
        }
        line.push(cause);
    }
    line
}

/// Returns the text of [`message_of`]: the causes of `error` on one line, with settings named by their keys.
pub fn one_line(error: &anyhow::Error) -> String {
    message_of(error).to_string()
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
    use crate::message;
    use anyhow::Context;

    #[test]
    fn an_error_of_the_library_keeps_its_hint_and_message_as_a_cause_of_another() {
        let message = message!["no ", setting("depth")];
        let inner = usage_error(message.clone(), setting("model")).context("cannot load");
        let error = anyhow::Error::new(Error::classify(inner, Error::Other));
        assert!(is_usage_error(&error));
        assert_eq!(hint_of(&error), Some(&setting("model").into()));
        assert_eq!(message_of(&error), message!["cannot load: ", message]);
    }

    #[test]
    fn a_hint_survives_added_context() {
        let error = Err::<(), _>(error_with_hint(
            "tensor `fc.bias` is missing",
            "pass the whole file",
        ))
        .context("cannot load weights `x.safetensors`")
        .unwrap_err();
        assert_eq!(hint_of(&error), Some(&"pass the whole file".into()));
        assert_eq!(
            one_line(&error),
            "cannot load weights `x.safetensors`: tensor `fc.bias` is missing"
        );
    }
}
