//! The integration tests: one binary, so that linking is paid once.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod hub;
mod hub_server;
