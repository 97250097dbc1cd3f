//! Errors of training.

use crate::error::error_with_hint;

/// The error of a run with infinite or NaN values.
pub(in crate::train) fn diverged(what: &str) -> anyhow::Error {
    error_with_hint(
        format!("training diverged: {what}"),
        "try a lower --lr, a longer --warmup-epochs or --clip-grad 1; the saved state is unchanged",
    )
}
