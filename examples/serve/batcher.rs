//! The queue of requests, and the thread that classifies them in batches.
//!
//! A forward pass keeps all cores busy for milliseconds, so that it has a thread of its own: the executor's threads only
//! read and write sockets.

use axum::body::Bytes;
use resnet::{Model, Prediction};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Limits of batches and of the queue.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Maximum images per batch.
    pub batch: NonZeroUsize,
    /// Maximum requests that wait for a batch.
    pub queue: usize,
    /// Time for which a batch that is not full waits for more images.
    pub wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            batch: NonZeroUsize::MIN.saturating_add(15),
            queue: 256,
            wait: Duration::from_millis(1),
        }
    }
}

/// The reason for which a request has no predictions.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The queue is full.
    #[error("the queue is full")]
    QueueFull,
    /// The model's thread panicked in this batch, or has ended.
    #[error("the model's thread failed")]
    Worker,
    /// The model refuses the image.
    #[error(transparent)]
    Model(#[from] resnet::Error),
}

/// An image that waits for its predictions.
struct Request {
    image: Bytes,
    k: usize,
    arrival: Instant,
    response: oneshot::Sender<Result<Vec<Prediction>, resnet::Error>>,
}

/// The batches so far and their images.
#[derive(Debug, Default)]
pub struct Counts {
    pub batches: AtomicUsize,
    pub images: AtomicUsize,
}

/// The sending half of the queue.
#[derive(Debug, Clone)]
pub struct Batcher {
    queue: SyncSender<Request>,
    counts: Arc<Counts>,
}

impl Batcher {
    /// Creates a queue, and the worker that empties it by `model`.
    pub fn new(model: Model, limits: Limits) -> (Self, Worker) {
        let (queue, requests) = sync_channel(limits.queue);
        let counts = Arc::new(Counts::default());
        let worker = Worker {
            model,
            limits,
            requests,
            counts: Arc::clone(&counts),
        };
        (Self { queue, counts }, worker)
    }

    /// Returns the `k` most probable classes of the image in `image`, as [`Model::classify`] does, when its batch is done.
    ///
    /// # Errors
    /// At once if the queue is full; if the image cannot be read, or the model fails.
    pub async fn classify(&self, image: Bytes, k: usize) -> Result<Vec<Prediction>, Failure> {
        let (response, predictions) = oneshot::channel();
        let request = Request {
            image,
            k,
            arrival: Instant::now(),
            response,
        };
        self.queue.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => Failure::QueueFull,
            TrySendError::Disconnected(_) => Failure::Worker,
        })?;
        Ok(predictions.await.map_err(|_| Failure::Worker)??)
    }

    /// Returns the counts of batches and images, which the worker keeps up to date.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }
}

/// The receiving half of the queue, and the model.
pub struct Worker {
    model: Model,
    limits: Limits,
    requests: Receiver<Request>,
    counts: Arc<Counts>,
}

impl Worker {
    /// Classifies the queue's images, until all its [`Batcher`]s are dropped.
    pub fn run(self) {
        while let Ok(first) = self.requests.recv() {
            let mut batch = self.fill(first);
            // A client that closed its connection needs no answer.
            batch.retain(|request| !request.response.is_closed());
            self.classify(batch);
        }
    }

    /// Returns the batch that begins with `first`: what waits in the queue, or arrives within the time to wait.
    fn fill(&self, first: Request) -> Vec<Request> {
        let end = first.arrival + self.limits.wait;
        let mut batch = vec![first];
        while batch.len() < self.limits.batch.get() {
            let rest = end.saturating_duration_since(Instant::now());
            let Ok(request) = self.requests.recv_timeout(rest) else {
                break;
            };
            batch.push(request);
        }
        batch
    }

    /// Classifies the images of a batch and responds to each; an image that cannot be read fails alone.
    fn classify(&self, batch: Vec<Request>) {
        let Some(k) = batch.iter().map(|request| request.k).max() else {
            return;
        };
        let images: Vec<&[u8]> = batch.iter().map(|request| &request.image[..]).collect();
        // After a panic, the requests of this batch fail, and the worker takes the next one.
        let classify = AssertUnwindSafe(|| self.model.classify_batch(&images, k));
        let Ok(results) = catch_unwind(classify) else {
            return;
        };
        self.counts.batches.fetch_add(1, Ordering::Relaxed);
        self.counts.images.fetch_add(batch.len(), Ordering::Relaxed);
        for (request, mut result) in batch.into_iter().zip(results) {
            if let Ok(predictions) = &mut result {
                predictions.truncate(request.k);
            }
            // An error: the client has gone.
            let _ = request.response.send(result);
        }
    }
}
