//! An error of one process as another one reports it.

use super::chain::{hint_of, is_usage_error, message_of};
use super::message::Message;
use super::typed::{Fault, with_fault};
use serde::{Deserialize, Serialize};

/// An error on its way between processes: its causes on one line, its hint, and if it is one of wrong usage. Settings are named by
/// their keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SentError {
    message: Message,
    hint: Option<Message>,
    is_usage: bool,
}

impl From<&anyhow::Error> for SentError {
    fn from(error: &anyhow::Error) -> Self {
        Self {
            message: message_of(error),
            hint: hint_of(error).cloned(),
            is_usage: is_usage_error(error),
        }
    }
}

impl SentError {
    /// Returns the error.
    pub fn into_error(self) -> anyhow::Error {
        let fault = if self.is_usage {
            Fault::Usage
        } else {
            Fault::Failure
        };
        match self.hint {
            Some(hint) => with_fault(self.message, hint, fault),
            None => anyhow::Error::msg(self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{error_with_hint, one_line, usage_error};
    use anyhow::anyhow;

    #[test]
    fn an_error_arrives_with_its_causes_its_hint_and_its_exit_status() {
        for error in [
            anyhow!("no such file").context("cannot read image `a.png`"),
            error_with_hint("it is empty", "copy it again").context("cannot read image `b.png`"),
            usage_error("0 images", "pass one"),
        ] {
            let json = serde_json::to_string(&SentError::from(&error)).unwrap();
            let sent: SentError = serde_json::from_str(&json).unwrap();
            let arrived = sent.into_error();
            assert_eq!(one_line(&arrived), one_line(&error));
            assert_eq!(hint_of(&arrived), hint_of(&error));
            assert_eq!(is_usage_error(&arrived), is_usage_error(&error));
        }
    }
}
