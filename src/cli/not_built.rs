//! Subcommands that are in the help and not built yet: `train`.

use super::Outcome;
use crate::error::hinted;
use anyhow::Result;

/// Taken whatever they are, so that the answer is always the same.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<std::ffi::OsString>,
}

/// Says so of `command`.
pub fn run(command: &str) -> Result<Outcome> {
    Err(hinted(
        format!("`resnet {command}` is not built yet"),
        "`resnet eval`, `resnet predict` and `resnet summary` are",
    ))
}
