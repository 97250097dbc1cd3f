//! The convolution kernels at every shape of the family: how long each algorithm takes, whether the one that is chosen is the
//! fastest, how near it comes to the machine's limits, and how exact it is.
//!
//!     cargo bench --bench kernels [-- --rounds 15 --cases 1x224,8x224] [-- --exactness]
//!
//! Exits with 1 where the choice takes more than a tenth longer than the fastest, or where a net's logits are further from f64's
//! than 1e-4 of the largest. Measure on a machine that does nothing else. `RESNET_ISA=avx2` measures the loops of that set. More
//! than the whole limit of memory is reached where weights stay in the caches.

#![expect(clippy::print_stdout, reason = "a benchmark prints its tables")]

mod exactness;
mod limits;
mod shapes;
mod speed;

use anyhow::{Context, Result};
use clap::Parser;
use resnet::kernels::isa;
use shapes::Case;
use std::process::ExitCode;

#[derive(Parser)]
struct Options {
    /// Rounds over all shapes; a time is the lower quartile of its rounds.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Pictures by their side.
    #[arg(long, value_delimiter = ',', default_values = ["1x224", "8x224", "16x224", "32x224", "1x32", "64x32", "128x32"])]
    cases: Vec<Case>,
    /// Measures errors instead of times.
    #[arg(long)]
    exactness: bool,
    /// What cargo passes to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let name = std::env::var("RESNET_ISA").unwrap_or_default();
    let isa = isa::select(&name)
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
