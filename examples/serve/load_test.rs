//! Requests per second and latency of the server over loopback, with batching and without.

use crate::BODY_LIMIT;
use crate::batcher::{Batcher, Limits};
use crate::server::serve;
use axum::body::Bytes;
use resnet::Model;
use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Images that the clients send in turn.
const IMAGES: [&str; 3] = [
    "assets/images/boot.png",
    "assets/images/cat.png",
    "assets/images/rocket.jpg",
];

/// Share of the time of a measurement that comes before it, uncounted.
const WARM_UP: u32 = 10;

/// Prints a table for 1, 8 and 32 concurrent clients, each row measured for `time`.
///
/// # Errors
/// If the model or an image cannot be read, or a request fails.
pub fn run(model: &str, time: Duration) -> Result<(), Box<dyn Error>> {
    let images: Vec<Bytes> = IMAGES
        .iter()
        .map(|path| Ok(std::fs::read(path)?.into()))
        .collect::<std::io::Result<_>>()?;
    let processors = std::thread::available_parallelism()?;
    println!("model {model}; {processors} processors, shared by the server and its clients");
    println!("clients  max batch  requests/s  p50 ms  p99 ms  mean batch");
    for clients in [1, 8, 32] {
        for batch in [NonZeroUsize::MIN, Limits::default().batch] {
            let limits = Limits {
                batch,
                ..Limits::default()
            };
            let model = Model::builder(model).batch_size(batch.get()).load()?;
            let Measurement {
                rate,
                latencies,
                mean_batch,
            } = measure(model, limits, &images, clients, time)?;
            let [p50, p99] = [0.5, 0.99].map(|share| 1e3 * quantile(&latencies, share));
            println!(
                "{clients:>7}  {batch:>9}  {rate:>10.1}  {p50:>6.2}  {p99:>6.2}  {mean_batch:>10.2}"
            );
        }
    }
    Ok(())
}

/// The result of one load.
pub struct Measurement {
    /// Requests per second.
    pub rate: f64,
    /// Seconds of each request, ascending.
    pub latencies: Vec<f64>,
    /// Mean images per batch.
    pub mean_batch: f64,
}

/// Starts a server, and `clients` that each send one image after the other for `time`.
///
/// # Errors
/// If a request fails.
pub fn measure(
    model: Model,
    limits: Limits,
    images: &[Bytes],
    clients: usize,
    time: Duration,
) -> Result<Measurement, Box<dyn Error>> {
    let (batcher, worker) = Batcher::new(model, limits);
    let counts = batcher.counts();
    let worker = std::thread::spawn(move || worker.run());
    let (stop, stopped) = oneshot::channel::<()>();
    let runtime = tokio::runtime::Runtime::new()?;
    let (mut latencies, seconds) = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/classify", listener.local_addr()?);
        let stopped = async { _ = stopped.await };
        let server = tokio::spawn(serve(listener, batcher, BODY_LIMIT, stopped));
        let http = reqwest::Client::builder().no_proxy().build()?;
        load(&http, &url, images, clients, time / WARM_UP).await?;
        counts.batches.store(0, Ordering::Relaxed);
        counts.images.store(0, Ordering::Relaxed);
        let start = Instant::now();
        let latencies = load(&http, &url, images, clients, time).await?;
        let seconds = start.elapsed().as_secs_f64();
        // Idle connections close.
        drop((http, stop));
        server.await??;
        Ok::<_, Box<dyn Error>>((latencies, seconds))
    })?;
    worker.join().map_err(|_| "the model's thread panicked")?;
    latencies.sort_by(f64::total_cmp);
    let [batches, images] =
        [&counts.batches, &counts.images].map(|count| count.load(Ordering::Relaxed));
    Ok(Measurement {
        rate: latencies.len() as f64 / seconds,
        latencies,
        mean_batch: images as f64 / batches.max(1) as f64,
    })
}

/// Returns the seconds of each request that `clients` send in `time`.
async fn load(
    http: &reqwest::Client,
    url: &str,
    images: &[Bytes],
    clients: usize,
    time: Duration,
) -> Result<Vec<f64>, reqwest::Error> {
    let end = Instant::now() + time;
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let (http, url, images) = (http.clone(), url.to_owned(), images.to_vec());
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            for image in images.iter().cycle().skip(client) {
                let start = Instant::now();
                if start >= end {
                    break;
                }
                let response = http.post(&url).body(image.clone()).send().await?;
                response.error_for_status()?.bytes().await?;
                latencies.push(start.elapsed().as_secs_f64());
            }
            Ok(latencies)
        });
    }
    let results: Vec<Result<Vec<f64>, reqwest::Error>> = tasks.join_all().await;
    let latencies: Result<Vec<Vec<f64>>, _> = results.into_iter().collect();
    Ok(latencies?.concat())
}

/// Returns the smallest value that is not less than the share `share` of the ascending `values`.
fn quantile(values: &[f64], share: f64) -> f64 {
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}
