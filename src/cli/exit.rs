//! The exit status of a command that did not fail as a whole.

use std::process::ExitCode;

/// The end of a command that did not fail as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Everything was done.
    Done,
    /// Some inputs failed, each with its own message.
    SomeFailed,
    /// A signal stopped it and its work is saved; the exit status.
    Stopped(u8),
}

impl ExitStatus {
    /// Returns [`ExitStatus::SomeFailed`] if any of the inputs `failed`.
    pub fn of_inputs(failed: bool) -> Self {
        if failed { Self::SomeFailed } else { Self::Done }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Done => Self::SUCCESS,
            ExitStatus::SomeFailed => Self::from(1),
            ExitStatus::Stopped(status) => Self::from(status),
        }
    }
}
