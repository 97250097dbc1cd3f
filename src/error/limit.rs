//! Limits of the numbers of settings. A limit is defined once, with the type that has the number, and recipes refer to it.

use super::{Message, setting, usage_error};
use crate::message;
use anyhow::Result;

/// A limit of a number.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Returns true for a number within the limit; false for NaN.
    pub allows: fn(f64) -> bool,
    /// Completes `must be ...`.
    pub is: &'static str,
}

/// Returns a limit.
pub const fn limit(allows: fn(f64) -> bool, is: &'static str) -> Limit {
    Limit { allows, is }
}

impl Limit {
    /// Rejects a `value` of the setting `key` beyond the limit.
    ///
    /// # Errors
    /// Wrong usage: `cannot <task> with <key> = <value>`, and the limit as its hint.
    pub fn check(&self, task: &str, key: &'static str, value: f64) -> Result<()> {
        if (self.allows)(value) {
            return Ok(());
        }
        let hint: Message = message![setting(key), " must be ", self.is];
        let task = format!("cannot {task} with ");
        Err(usage_error(message![task, setting(key).to(value)], hint))
    }
}
