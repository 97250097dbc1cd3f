//! Errors: a message for what went wrong, and a hint for what to do.
//!
//! The command line prints `error: <chain of contexts>` and, when any error in the chain has one, `hint: <its hint>`.

mod chain;
mod limit;
mod message;
mod sent;
mod typed;

pub(crate) use chain::{has_cause, replace_hint};
pub use chain::{hint_of, is_usage_error, message_of, one_line};
pub(crate) use chain::{why_unreadable, without_backtrace};
pub(crate) use limit::{Limit, limit};
pub use message::{Command, Help, Message, Part, Setting, command, help, setting};
pub(crate) use sent::SentError;
pub use typed::{Cause, Error, Kind};
pub(crate) use typed::{WithKind, error_with_hint, usage_error};
