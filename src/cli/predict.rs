//! `resnet predict`.
use super::Outcome;
use super::console::Console;
use super::device::DeviceChoice;
use anyhow::Result;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_: Args, _: &DeviceChoice, _: usize, _: &Console) -> Result<Outcome> {
    anyhow::bail!("next")
}
