//! Benchmark of the convolution kernels at every shape of the family: the time of each algorithm, whether the selected
//! one is the fastest, how close it comes to the limits of the machine, and its accuracy.
//!
//!     cargo bench --bench kernels [-- --rounds 15 --cases 1x224,8x224] [-- --exactness]
//!
//! Exits with 1 if the selected algorithm takes more than a tenth longer than the fastest, or if the logits of a
//! network differ from those in f64 by more than 1e-4 of the largest. Measure on an idle machine. `RESNET_ISA=avx2`
//! measures the loops of that set. The memory limit is exceeded if weights stay in the caches.

#![expect(clippy::print_stdout, reason = "a benchmark prints its tables")]

mod exactness;
mod limits;
mod shapes;
mod speed;

use anyhow::{Context, Result};
use clap::Parser;
use resnet_kernels::cpu;
use shapes::Case;
use std::process::ExitCode;

#[derive(Parser)]
struct Options {
    /// Number of rounds over all shapes; a time is the lower quartile over the rounds.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Batches of images, as `BATCHxSIDE`.
    #[arg(long, value_delimiter = ',', default_values = ["1x224", "8x224", "16x224", "32x224", "1x32", "64x32", "128x32"])]
    cases: Vec<Case>,
    /// Measures errors instead of times.
    #[arg(long)]
    exactness: bool,
    /// Passed by cargo to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let name = std::env::var("RESNET_ISA").unwrap_or_default();
    let isa = cpu::select(&name)
        .map_err(anyhow::Error::msg)
        .context("RESNET_ISA")?;
    println!("{isa:?}, threads: {}\n", rayon::current_num_threads());
    if options.exactness {
        return exactness::print().map(|holds| ExitCode::from(u8::from(!holds)));
    }
    let limits = limits::measure();
    println!("{limits}\n");
    let mut lagging = Vec::new();
    for case in options.cases {
        lagging.extend(speed::print(case, options.rounds, &limits)?);
    }
    for line in &lagging {
        println!("LAGS: {line}");
    }
    Ok(ExitCode::from(u8::from(!lagging.is_empty())))
}
