//! Errors of training.

use crate::error::{Error, WithKind, error_with_hint, setting};
use crate::message;

/// Returns the error of a run with infinite or NaN values.
pub(in crate::train) fn diverged(what: &str) -> anyhow::Error {
    error_with_hint(
        format!("training diverged: {what}"),
        message![
            "try a lower ",
            setting("lr"),
            ", a longer ",
            setting("warmup-epochs"),
            " or ",
            setting("clip-grad").to(1),
            "; the saved state is unchanged",
        ],
    )
    .with_kind(Error::NotFinite)
}
