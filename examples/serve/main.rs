//! Serves classification over HTTP. Requests that arrive within a millisecond are one batch.
//!
//!     cargo run --release --example serve [-- MODEL [ADDRESS [MAX_BATCH]]]
//!     curl --data-binary @assets/images/boot.png 'http://127.0.0.1:8080/classify?k=3'
//!
//! `POST /classify?k=5` takes the bytes of an image and returns its predictions as `resnet predict --format json` does;
//! `GET /healthz` returns 200. Errors are JSON too: 400 for an image that cannot be read, 413 for a body above 16 MiB,
//! 503 if the queue is full. Ctrl-C ends the server after the requests in flight.
//!
//!     cargo run --release --example serve -- --load-test [SECONDS [MODEL]]
//!
//! measures requests per second and their latency over loopback, with batching and without.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

mod batcher;
mod load_test;
mod server;
#[cfg(test)]
mod tests;

use batcher::{Batcher, Limits};
use resnet::Model;
use std::error::Error;
use std::time::Duration;

/// Largest body of a request, in bytes.
const BODY_LIMIT: usize = 16 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).peekable();
    let is_load_test = arguments.next_if_eq("--load-test").is_some();
    if is_load_test {
        let seconds = arguments.next().map_or(Ok(5.0), |text| text.parse())?;
        let model = arguments.next().unwrap_or("sample".to_owned());
        return load_test::run(&model, Duration::try_from_secs_f64(seconds)?);
    }
    let model = arguments.next().unwrap_or("sample".to_owned());
    let address = arguments.next().unwrap_or("127.0.0.1:8080".to_owned());
    let mut limits = Limits::default();
    if let Some(batch) = arguments.next() {
        limits.batch = batch.parse()?;
    }
    // Before the runtime starts, because a download blocks its thread.
    let model = Model::builder(model)
        .batch_size(limits.batch.get())
        .load()?;
    let (batcher, worker) = Batcher::new(model, limits);
    let worker = std::thread::spawn(move || worker.run());
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(&address).await?;
        println!("listening on http://{}", listener.local_addr()?);
        let stop = async {
            // Without a handler for Ctrl-C, the signal itself ends the process.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        server::serve(listener, batcher, BODY_LIMIT, stop).await
    })?;
    // The server held the last sender of the queue.
    worker.join().map_err(|_| "the model's thread panicked")?;
    Ok(())
}
