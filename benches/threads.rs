//! Throughput of one [`Model`] that 1, 2, 4 and 8 threads share.
//!
//!     cargo bench --bench threads [-- --model resnet50] [--image cat.png] [--seconds 3]
//!
//! Every thread classifies the same image, one at a time, by the same weights. Measure on an idle machine.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use clap::Parser;
use resnet::{Error, Model};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[derive(Parser)]
struct Options {
    /// Hub name, folder, file or `sample`.
    #[arg(long, default_value = "sample")]
    model: String,
    /// Image that is classified.
    #[arg(long, default_value = "assets/images/boot.png")]
    image: String,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Passed by cargo to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Error> {
    let options = Options::parse();
    let model = Model::builder(&options.model).batch_size(1).load()?;
    let image = model.decode(&options.image)?;
    model.logits(&image)?;
    println!("threads  images/s  of one thread");
    let mut one = None;
    for threads in [1, 2, 4, 8] {
        let images = AtomicUsize::new(0);
        let start = Instant::now();
        let until = start + Duration::from_secs_f64(options.seconds);
        std::thread::scope(|scope| {
            let work = || {
                while Instant::now() < until {
                    model.logits(&image)?;
                    images.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<(), Error>(())
            };
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let join = |worker: std::thread::ScopedJoinHandle<Result<(), Error>>| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            workers.into_iter().try_for_each(join)
        })?;
        let rate = images.into_inner() as f64 / start.elapsed().as_secs_f64();
        let one = *one.get_or_insert(rate);
        println!("{threads:>7}  {rate:>8.1}  {:>13.2}", rate / one);
    }
    Ok(())
}
