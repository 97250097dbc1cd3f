//! Support of the integration tests: running the binary, golden files, sample data.

pub mod command;
pub mod fixture;
pub mod hostile;
pub mod hub_server;
pub mod shards;
