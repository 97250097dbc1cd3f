//! Several processes that work on one task: how they reach each other.
//!
//! [`Transport`] has the calls. [`connect()`] makes one of MPI, loaded at run time, if a launcher such as `mpirun` started this
//! process, and [`threads`] makes one of threads.

mod connect;
mod launcher;
#[cfg(all(unix, feature = "mpi", not(target_feature = "crt-static")))]
mod mpi;
pub mod threads;
mod transport;

pub use connect::{Mode, Plan, connect};
pub use launcher::{Launch, Launcher, unused_tasks};
pub use transport::{AbortHandle, Transport};
