//! The usage error of a value out of range.

use crate::error::{Message, setting, usage_error};
use crate::message;
use std::fmt::Display;

/// Returns the usage error for `key` with a value out of range; `is` completes `key must be ...`.
pub fn out_of_range(
    key: &'static str,
    value: impl Display,
    is: impl Into<Message>,
) -> anyhow::Error {
    usage_error(
        message!["cannot train with ", setting(key).to(value)],
        message![setting(key), " must be ", is.into()],
    )
}
