//! The message and the hint in the chain of an error, and if it is a usage error.

use super::message::Message;
use super::typed::{Error, ErrorWithHint, Fault, with_fault};
use std::fmt::{self, Display, Formatter};
use std::io;

/// Returns true if any error in the chain is one of wrong usage.
pub fn is_usage_error(error: &anyhow::Error) -> bool {
    has_cause(error, |cause| {
        let error = cause.downcast_ref::<ErrorWithHint>();
        error.is_some_and(|error| error.fault == Fault::Usage)
    })
}

/// Returns true if `is_match` holds for any error in the chain, or in that of an [`Error`] there.
pub(crate) fn has_cause(
    error: &anyhow::Error,
    is_match: fn(&(dyn std::error::Error + 'static)) -> bool,
) -> bool {
    error
        .chain()
        .any(|cause| match cause.downcast_ref::<Error>() {
            Some(error) => has_cause(error.inner(), is_match),
            None => is_match(cause),
        })
}

/// Returns the hint of the outermost error in the chain of `error` that has one, if any.
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

/// Returns `error` as one error with another hint and the same exit status.
pub(crate) fn replace_hint(error: &anyhow::Error, hint: impl Into<Message>) -> anyhow::Error {
    let fault = if is_usage_error(error) {
        Fault::Usage
    } else {
        Fault::Failure
    };
    with_fault(message_of(error), hint.into(), fault)
}

impl Error {
    /// Returns the way out, if one is known.
    pub fn hint(&self) -> Option<&Message> {
        hint_of(self.inner())
    }
}

impl std::error::Error for Error {}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(self.inner()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{WithKind, error_with_hint, setting, usage_error};
    use crate::message;
    use anyhow::{Context, anyhow};

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

    #[test]
    fn the_first_kind_that_an_error_is_given_holds() {
        let error = Err::<(), _>(error_with_hint("not an image", "pass a JPEG"))
            .with_kind(Error::Image)
            .context("cannot read `x`")
            .with_kind(Error::Dataset)
            .context("cannot predict")
            .unwrap_err();
        let error = Error::classify(error, Error::Other);
        assert!(matches!(error, Error::Image(_)), "{error:?}");
        assert_eq!(
            error.to_string(),
            "cannot predict: cannot read `x`: not an image"
        );
        assert_eq!(error.hint().unwrap().to_string(), "pass a JPEG");
    }

    #[test]
    fn an_unclassified_error_is_io_or_what_the_caller_says() {
        let missing = std::fs::read("no/such/file")
            .context("cannot read")
            .unwrap_err();
        assert!(matches!(
            Error::classify(missing, Error::Other),
            Error::Io(_)
        ));
        let error = Error::classify(anyhow!("bad"), Error::DamagedWeights);
        assert!(matches!(error, Error::DamagedWeights(_)));
        assert!(error.hint().is_none());
    }
}
