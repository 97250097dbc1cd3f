//! Several processes that work on one task: how they reach each other.
//!
//! [`Transport`] has the calls. [`threads`] makes one of threads.

pub mod threads;
mod transport;

pub use transport::{AbortHandle, Transport};
