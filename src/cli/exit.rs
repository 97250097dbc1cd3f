//! The exit status of a command that did not fail as a whole.

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

    /// Returns the number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::SomeFailed => 1,
            Self::Stopped(status) => status,
        }
    }
}
