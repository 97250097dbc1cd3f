//! The execution environment of a run.

use crate::distributed::Processes;
use crate::hub::Progress;
use candle_core::Device;

/// Execution environment: device, worker threads, progress, processes. Does not affect results.
pub struct ExecutionContext<'a> {
    /// The device.
    pub device: Device,
    /// Data-loading threads.
    pub workers: usize,
    /// Receives the progress of downloads.
    pub progress: &'a dyn Progress,
    /// The processes that share the work.
    pub processes: Processes,
}

/// Returns the name of a device, as states and messages have it.
pub fn device_name(device: &Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    }
}
