//! Several processes, started by the launchers of MPICH and Open MPI.

mod support;
mod training;
mod transport;
