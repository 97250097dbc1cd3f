//! Several processes that work on one task: how they reach each other, and sums that do not depend on their number.
//!
//! [`Processes`] is what a task uses. [`Transport`] has the calls below it: [`connect()`] makes one of MPI, loaded at run time, if a
//! launcher such as `mpirun` started this process, and [`threads`] makes one of threads. Tensors on GPUs are exchanged by NCCL where it was
//! built in.

mod arrival;
mod connect;
mod devices;
mod host;
mod launcher;
#[cfg(all(unix, feature = "mpi", not(target_feature = "crt-static")))]
mod mpi;
#[cfg(feature = "nccl")]
mod nccl;
mod patience;
mod pending;
pub mod processes;
pub mod share;
pub mod sum;
mod sum_plan;
mod tensor_sum;
pub mod threads;
mod transport;
pub mod tree;

pub use arrival::Arrival;
pub use connect::{LaunchedProcesses, Mode, connect};
pub(crate) use host::{Binding, host_name, local_rank, name_of, names_of, share_of_cores};
pub(crate) use launcher::unused_tasks;
pub use launcher::{Launch, Launcher};
pub use patience::Patience;
pub use pending::Pending;
pub use processes::Processes;
pub use share::{BatchResults, Share, Stopped};
pub use tensor_sum::DeviceValues;
pub use transport::{AbortHandle, Transport};
