//! `resnet eval`: not built yet.

use super::Outcome;
use crate::error::hinted;
use anyhow::Result;

/// The arguments are taken whatever they are, so that the answer is always the same.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<std::ffi::OsString>,
}

pub fn run(_: &Args) -> Result<Outcome> {
    Err(hinted(
        "`resnet eval` is not built yet",
        "`resnet summary` and `resnet predict` are",
    ))
}
