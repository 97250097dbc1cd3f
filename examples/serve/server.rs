//! The routes, and their responses in JSON.

use crate::batcher::{Batcher, Failure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::io;
use std::num::NonZeroUsize;
use tokio::net::TcpListener;

/// Predictions per image, unless the request has `k`.
const TOP: usize = 5;

/// Serves on `listener` until `stop` is ready and all requests in flight have their responses. Bodies have at most
/// `body_limit` bytes.
///
/// # Errors
/// If the system refuses connections.
pub async fn serve(
    listener: TcpListener,
    batcher: Batcher,
    body_limit: usize,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = Router::new()
        .route("/classify", post(classify))
        .route("/healthz", get(health))
        .fallback(async || error(StatusCode::NOT_FOUND, "there is no such path", None))
        .layer(DefaultBodyLimit::max(body_limit))
        .with_state(batcher);
    axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .await
}

async fn health() -> Response {
    respond(StatusCode::OK, &json!({ "status": "ok" }))
}

async fn classify(
    State(batcher): State<Batcher>,
    RawQuery(query): RawQuery,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let k = match top(query.as_deref().unwrap_or_default()) {
        Ok(k) => k,
        Err(message) => return error(StatusCode::BAD_REQUEST, &message, None),
    };
    let image = match body {
        Ok(image) => image,
        Err(rejection) => return error(rejection.status(), &rejection.body_text(), None),
    };
    match batcher.classify(image, k).await {
        Ok(predictions) => respond(StatusCode::OK, &json!({ "predictions": predictions })),
        Err(failure) => {
            let (status, hint) = match &failure {
                Failure::QueueFull => (StatusCode::SERVICE_UNAVAILABLE, Some("try again".into())),
                Failure::Model(error @ resnet::Error::Image(_)) => (
                    StatusCode::BAD_REQUEST,
                    error.hint().map(ToString::to_string),
                ),
                Failure::Model(_) | Failure::Worker => (StatusCode::INTERNAL_SERVER_ERROR, None),
            };
            error(status, &failure.to_string(), hint)
        }
    }
}

/// Returns the number of predictions that a query asks for.
fn top(query: &str) -> Result<usize, String> {
    let mut k = TOP;
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let Some(value) = option.strip_prefix("k=") else {
            return Err(format!("unknown option `{option}`: only `k=` is known"));
        };
        let value: NonZeroUsize = value
            .parse()
            .map_err(|_| format!("`k={value}` is not a number of predictions, 1 or more"))?;
        k = value.get();
    }
    Ok(k)
}

fn error(status: StatusCode, message: &str, hint: Option<String>) -> Response {
    let mut body = json!({ "error": message });
    if let Some(hint) = hint {
        body["hint"] = hint.into();
    }
    respond(status, &body)
}

fn respond(status: StatusCode, body: &Value) -> Response {
    let json = [(CONTENT_TYPE, "application/json")];
    (status, json, body.to_string()).into_response()
}
