//! Several processes, started by the launchers of MPICH and Open MPI.

mod disagreeing;
#[cfg(target_os = "linux")]
mod ended;
#[cfg(target_os = "linux")]
mod launched;
mod not_started;
mod prepared;
mod refused;
mod sharing;
mod support;
mod training;
mod transport;
mod unreadable;
#[cfg(target_os = "linux")]
mod waiting;
