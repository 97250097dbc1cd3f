//! The usage error of a value out of range.

use crate::error::usage_error;
use std::fmt::Display;

/// Returns the usage error for `flag` with a value out of range; `is` completes `--flag must be ...`.
pub fn out_of_range(flag: &str, value: impl Display, is: &str) -> anyhow::Error {
    usage_error(
        format!("cannot train with --{flag} {value}"),
        format!("--{flag} must be {is}"),
    )
}
