//! Every integration test is a module of this one binary, so that it is linked once.
#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at what it does not expect"
)]

mod cli;
mod data;
mod distributed;
mod docs;
mod eval;
mod hub;
mod library;
mod parity;
mod report;
mod support;
mod train;
mod weights;
