//! The server on a free port of loopback. A worker that is not started yet, and batches that wait for a minute, leave nothing
//! to the machine's speed.

use crate::BODY_LIMIT;
use crate::batcher::{Batcher, Counts, Limits, Worker};
use crate::load_test::measure;
use crate::server::serve;
use axum::body::Bytes;
use resnet::Model;
use serde_json::{Value, json};
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

const BOOT: &str = "assets/images/boot.png";
const CAT: &str = "assets/images/cat.png";

fn model() -> Model {
    Model::builder("sample").offline(true).load().unwrap()
}

fn read(path: &str) -> Bytes {
    std::fs::read(path).unwrap().into()
}

/// Returns limits with full batches: one that is not full waits for a minute.
fn limits(batch: usize, queue: usize) -> Limits {
    Limits {
        batch: NonZeroUsize::new(batch).unwrap(),
        queue,
        wait: Duration::from_mins(1),
    }
}

struct Server {
    http: reqwest::Client,
    url: String,
    counts: Arc<Counts>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl Server {
    async fn start(limits: Limits, body_limit: usize) -> (Self, Worker) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (batcher, worker) = Batcher::new(model(), limits);
        let counts = batcher.counts();
        let (stop, stopped) = oneshot::channel();
        let stopped = async { _ = stopped.await };
        let server = Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            url,
            counts,
            stop,
            task: tokio::spawn(serve(listener, batcher, body_limit, stopped)),
        };
        (server, worker)
    }

    /// Sends `body` to `path`, and returns the status and the response's JSON.
    fn post(&self, path: &str, body: Bytes) -> impl Future<Output = (u16, Value)> + use<> {
        response(self.http.post(self.url.clone() + path).body(body))
    }

    /// Returns the numbers of batches and of images.
    fn counts(&self) -> [usize; 2] {
        [&self.counts.batches, &self.counts.images].map(|count| count.load(Ordering::Relaxed))
    }
}

async fn response(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

/// Returns the response with the predictions of [`Model::classify`].
fn expected(image: &Bytes, k: usize) -> (u16, Value) {
    let predictions = model().classify(&image[..], k).unwrap();
    // As text, because a parsed number may differ in its last bit.
    let text = json!({ "predictions": predictions }).to_string();
    (200, serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn an_image_has_the_predictions_of_the_model() {
    let (server, worker) = Server::start(limits(1, 1), BODY_LIMIT).await;
    std::thread::spawn(|| worker.run());
    for image in [read(BOOT), read(CAT)] {
        let three = server.post("/classify?k=3", image.clone()).await;
        assert_eq!(three, expected(&image, 3));
        let five = server.post("/classify", image.clone()).await;
        assert_eq!(five, expected(&image, 5));
    }
}

#[tokio::test]
async fn requests_at_once_are_one_batch_in_which_a_bad_image_fails_alone() {
    let (server, worker) = Server::start(limits(4, 4), BODY_LIMIT).await;
    std::thread::spawn(|| worker.run());
    let (boot, cat) = (read(BOOT), read(CAT));
    let (one, two, bad, four) = tokio::join!(
        server.post("/classify?k=1", boot.clone()),
        server.post("/classify?k=10", cat.clone()),
        server.post("/classify?k=2", Bytes::from_static(b"not an image")),
        server.post("/classify?k=4", boot.clone()),
    );
    assert_eq!(server.counts(), [1, 4]);
    assert_eq!(one, expected(&boot, 1));
    assert_eq!(two, expected(&cat, 10));
    assert_eq!(four, expected(&boot, 4));
    let (status, body) = bad;
    assert_eq!(status, 400);
    let error = model().classify(&b"not an image"[..], 2).unwrap_err();
    assert_eq!(body["error"], error.to_string());
}

#[tokio::test]
async fn a_body_above_the_limit_and_wrong_requests_are_errors_in_json() {
    let (server, _worker) = Server::start(limits(1, 1), 1000).await;
    let (status, body) = server.post("/classify", vec![0; 1001].into()).await;
    assert_eq!(status, 413);
    assert!(body["error"].as_str().unwrap().contains("limit"), "{body}");
    for query in ["k=0", "k=-1", "k=", "top=3"] {
        let path = format!("/classify?{query}");
        let (status, body) = server.post(&path, Bytes::new()).await;
        assert_eq!(status, 400, "{query}");
        assert!(body["error"].as_str().unwrap().contains("k="), "{body}");
    }
    assert_eq!(server.post("/predict", Bytes::new()).await.0, 404);
    let health = response(server.http.get(server.url.clone() + "/healthz")).await;
    assert_eq!(health, (200, json!({ "status": "ok" })));
}

#[tokio::test]
async fn a_full_queue_refuses_a_request_and_its_own_are_classified_before_the_server_ends() {
    let (server, worker) = Server::start(limits(2, 2), BODY_LIMIT).await;
    let image = read(BOOT);
    let mut requests = JoinSet::new();
    for _ in 0..3 {
        requests.spawn(server.post("/classify?k=1", image.clone()));
    }
    let (status, body) = requests.join_next().await.unwrap().unwrap();
    assert_eq!(
        (status, body["error"].as_str()),
        (503, Some("the queue is full"))
    );
    server.stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!server.task.is_finished());
    let worker = std::thread::spawn(|| worker.run());
    for answer in requests.join_all().await {
        assert_eq!(answer, expected(&image, 1));
    }
    server.task.await.unwrap().unwrap();
    // The queue has no sender any more.
    worker.join().unwrap();
}

#[test]
fn a_load_test_measures_what_its_clients_receive() {
    let limits = Limits::default();
    let time = Duration::from_millis(300);
    let result = measure(model(), limits, &[read(BOOT)], 4, time).unwrap();
    assert!(result.rate > 0.0 && result.latencies.is_sorted());
    assert!(result.latencies.len() >= 4);
    assert!((1.0..=4.0).contains(&result.mean_batch));
}
