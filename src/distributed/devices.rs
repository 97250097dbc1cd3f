//! The GPUs of several processes: sums of tensors go from GPU to GPU by NCCL, where each process has one of its own.

use crate::distributed::Processes;
use crate::distributed::pending::{Pending, ready};
use crate::distributed::sum_plan::SumPlan;
use crate::distributed::tensor_sum::{TensorExchange, sum_tensors};
use crate::distributed::transport::Transport;
use crate::distributed::tree::Shards;
use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use std::ops::Range;

impl Processes {
    /// Lets the sums of tensors stay on the devices, of which `device` is this process's: by NCCL, if it was built in and each process
    /// has a GPU of its own. Returns why not if it was built in; sums then go by MPI. All processes have devices of one kind.
    ///
    /// # Errors
    /// If another process is gone, or the device fails.
    pub fn connect_devices(&self, device: &Device) -> Result<Option<String>> {
        if self.size() == 1 || !device.is_cuda() {
            return Ok(None);
        }
        let gpus = self.gather_values(&gpu(device)?)?;
        let Some(gpus) = gpus.into_iter().collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        if let Some([first, second]) = sharing(&gpus) {
            return Ok(Some(format!(
                "gradients are summed by MPI: processes {first} and {second} compute on one GPU, and NCCL needs one for each"
            )));
        }
        let device = device.clone();
        let connected = self.connect_by(move |transport| open(transport, &device));
        let failure = connected.err().map(|error| format!("{error:#}"));
        let failures = self.gather_values(&failure)?;
        let Some((rank, why)) = (0..)
            .zip(failures)
            .find_map(|(rank, why)| Some((rank, why?)))
        else {
            return Ok(None);
        };
        self.disconnect()?;
        Ok(Some(format!(
            "gradients are summed by MPI: NCCL cannot connect the GPU of process {rank}: {why} (with `NCCL_DEBUG=INFO` it tells more)"
        )))
    }

    /// Lets the sums of tensors go by the exchange that `make` creates in the thread of the transport.
    ///
    /// # Errors
    /// Those of `make`.
    pub(super) fn connect_by(
        &self,
        make: impl FnOnce(&mut dyn Transport) -> Result<Box<dyn TensorExchange>> + Send + 'static,
    ) -> Result<()> {
        let connected = self.start_with(|transport, resources| {
            resources.exchange = Some(make(transport)?);
            Ok(())
        });
        connected.wait()?;
        self.set_connected_devices(true);
        Ok(())
    }

    /// Lets the sums of tensors go by the transport.
    fn disconnect(&self) -> Result<()> {
        self.set_connected_devices(false);
        let ended = self.start_with(|_, resources| {
            resources.exchange = None;
            Ok(())
        });
        ended.wait()
    }

    /// Returns true if the values of tensors on `device` are summed there, by [`Processes::start_tensor_sum`]. A single process then adds
    /// there, too, so that the bits do not depend on the number of processes.
    pub fn sums_on(&self, device: &Device) -> bool {
        self.has_connected_devices()
            || self.size() == 1 && cfg!(feature = "nccl") && device.is_cuda()
    }

    /// Starts the sum over the first `used` of `shards`; `own` has this process's nodes, vectors of `length` values of type `dtype` on its
    /// device.
    ///
    /// The sum is computed in another thread, which has another CUDA stream: this waits until the device has computed `own`.
    pub fn start_tensor_sum(
        &self,
        shards: Shards,
        used: usize,
        own: Vec<(Range<usize>, Tensor)>,
        length: usize,
        dtype: DType,
    ) -> Pending<Tensor> {
        if self.size() == 1 {
            let total = own.into_iter().next().map(|(_, values)| values);
            return ready(total.context("a sum over no shards"));
        }
        let computed = own.first().map(|(_, values)| values.device().synchronize());
        if let Some(Err(error)) = computed {
            return ready(Err(error.into()));
        }
        self.start_with(move |transport, resources| {
            let exchange = resources.exchange.as_deref_mut();
            let exchange = exchange.context("the devices of the processes are not connected")?;
            let value_bytes = dtype.size_in_bytes();
            let plan = SumPlan::new(shards, used, transport.rank(), length, value_bytes);
            let own = plan.own_values(own, Tensor::elem_count)?;
            let total = sum_tensors(exchange, &plan, dtype, &own)?;
            total.device().synchronize()?;
            Ok(total)
        })
    }
}

/// Returns the first two processes that have one GPU.
fn sharing(gpus: &[Vec<u8>]) -> Option<[usize; 2]> {
    (0..gpus.len()).find_map(|second| {
        let first = gpus[..second].iter().position(|gpu| *gpu == gpus[second]);
        Some([first?, second])
    })
}

/// Returns the number of a GPU, which no other has.
#[cfg(feature = "nccl")]
fn gpu(device: &Device) -> Result<Option<Vec<u8>>> {
    super::nccl::unique_number(device.as_cuda_device()?).map(Some)
}

/// Returns `None`: this build has no NCCL.
#[cfg(not(feature = "nccl"))]
#[expect(clippy::unnecessary_wraps, reason = "with NCCL there are errors")]
fn gpu(_: &Device) -> Result<Option<Vec<u8>>> {
    Ok(None)
}

/// Connects `device` to those of the other processes.
#[cfg(feature = "nccl")]
fn open(transport: &mut dyn Transport, device: &Device) -> Result<Box<dyn TensorExchange>> {
    let exchange = super::nccl::NcclExchange::connect(transport, device.as_cuda_device()?)?;
    Ok(Box::new(exchange))
}

/// Fails: this build has no NCCL.
#[cfg(not(feature = "nccl"))]
fn open(_: &mut dyn Transport, _: &Device) -> Result<Box<dyn TensorExchange>> {
    anyhow::bail!("this binary was built without it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributed::threads::in_processes;
    use crate::distributed::threads::tensors::in_connected_processes;

    #[test]
    fn processes_that_share_a_gpu_are_found() {
        let gpus = |numbers: &[u8]| -> Vec<Vec<u8>> {
            numbers.iter().map(|&number| vec![number; 16]).collect()
        };
        assert_eq!(sharing(&gpus(&[3, 1, 2])), None);
        assert_eq!(sharing(&gpus(&[3, 1, 2, 1, 3])), Some([1, 3]));
        assert_eq!(sharing(&gpus(&[])), None);
    }

    #[test]
    fn processes_on_cpus_sum_by_the_transport_and_need_no_agreement() {
        let on_devices = in_processes(2, |processes| {
            // One process alone: a call that both have to make would wait for the other for ever.
            if processes.is_first() {
                assert_eq!(processes.connect_devices(&Device::Cpu).unwrap(), None);
            }
            processes.sums_on(&Device::Cpu)
        });
        assert_eq!(on_devices.unwrap(), [false; 2]);
        assert!(!Processes::alone().sums_on(&Device::Cpu));
        let on_devices = in_connected_processes(2, |processes| {
            let connected = processes.sums_on(&Device::Cpu);
            processes.disconnect().unwrap();
            [connected, processes.sums_on(&Device::Cpu)]
        });
        assert_eq!(on_devices.unwrap(), [[true, false]; 2]);
    }
}
