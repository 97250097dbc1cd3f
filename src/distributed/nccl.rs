//! Tensors from GPU to GPU by NCCL: groups of sends and receives alone, as NCCL's own sums add in an order that depends on the number of
//! processes.
//!
//! All calls are made by the thread of the transport, in its CUDA stream: candle gives each thread one of its own.

use crate::distributed::tensor_sum::TensorExchange;
use crate::distributed::transport::Transport;
use anyhow::{Context, Result, anyhow, bail, ensure};
use candle_core::cuda::cudarc::driver::{CudaSlice, DeviceRepr, ValidAsZeroBits};
use candle_core::cuda::cudarc::nccl::result::NcclError;
use candle_core::cuda::cudarc::nccl::{Comm, Id, NcclType, group_end, group_start};
use candle_core::cuda_backend::CudaDType;
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, CudaStorage, DType, Storage, Tensor};
use std::ffi::c_char;
use std::mem;

/// Bytes of the identifier by which the processes of a group find each other.
const ID_BYTES: usize = 128;

/// The connection of a GPU to those of all processes.
#[derive(Debug)]
pub(super) struct NcclExchange {
    comm: Comm,
    device: CudaDevice,
}

/// Returns the number of a GPU, which no other has.
///
/// # Errors
/// If the driver fails.
pub(super) fn unique_number(device: &CudaDevice) -> Result<Vec<u8>> {
    let number = device.cuda_stream().context().uuid();
    let number = number.context("cannot read the number of the GPU")?;
    Ok(bytemuck::cast_slice::<c_char, u8>(&number.bytes).to_vec())
}

impl NcclExchange {
    /// Connects the GPU of this process; the first one sends NCCL's identifier by `transport`.
    ///
    /// # Errors
    /// If NCCL fails, or another process is gone.
    pub fn connect(transport: &mut dyn Transport, device: &CudaDevice) -> Result<Self> {
        let stream = device.cuda_stream();
        // NCCL takes the device that is current in its thread.
        stream.context().bind_to_thread()?;
        let (rank, size) = (transport.rank(), transport.size());
        // The others wait for the identifier, even if there is none.
        let mut failure = None;
        let mut sent = [0; 1 + ID_BYTES];
        if rank == 0 {
            match Id::new() {
                Ok(id) => {
                    sent[0] = 1;
                    sent[1..].copy_from_slice(bytemuck::cast_slice(id.internal()));
                }
                Err(error) => failure = Some(failed(&error)),
            }
        }
        transport.broadcast(&mut sent, 0)?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let [has_id, id @ ..] = sent;
        ensure!(has_id == 1, "process 0 cannot start it");
        let id = Id::uninit(bytemuck::cast::<[u8; ID_BYTES], [c_char; ID_BYTES]>(id));
        let comm = Comm::from_rank(stream, rank, size, id).map_err(|error| failed(&error))?;
        let device = device.clone();
        Ok(Self { comm, device })
    }

    fn exchange_as<T: CudaDType + NcclType + DeviceRepr + ValidAsZeroBits>(
        &self,
        mut send: Vec<Vec<Tensor>>,
        lengths: &[Vec<usize>],
    ) -> Result<Vec<Vec<Tensor>>> {
        let rank = self.comm.rank();
        let mut own = mem::take(&mut send[rank]);
        let buffers = lengths.iter().enumerate().map(|(peer, lengths)| {
            let lengths = lengths.iter().filter(|_| peer != rank);
            let buffers = lengths.map(|&length| self.device.alloc_zeros::<T>(length));
            buffers.collect::<candle_core::Result<Vec<_>>>()
        });
        let mut buffers: Vec<_> = buffers.collect::<candle_core::Result<_>>()?;
        // Sends and receives of a group are one operation, which begins at its end.
        group_start().map_err(|error| failed(&error))?;
        let queued = self.queue(&send, &mut buffers);
        let ended = group_end().map_err(|error| failed(&error));
        queued?;
        ended?;
        let received = buffers.into_iter().enumerate().map(|(peer, buffers)| {
            if peer == rank {
                return mem::take(&mut own);
            }
            let tensors = buffers.into_iter().map(|buffer| self.tensor(buffer));
            tensors.collect()
        });
        Ok(received.collect())
    }

    /// Queues the sends and receives of a group, which must end before the tensors and buffers are dropped.
    fn queue<T: CudaDType + NcclType>(
        &self,
        send: &[Vec<Tensor>],
        buffers: &mut [Vec<CudaSlice<T>>],
    ) -> Result<()> {
        for (peer, tensors) in (0..).zip(send) {
            for tensor in tensors {
                let (storage, layout) = tensor.storage_and_layout();
                let values = match (&*storage, layout.contiguous_offsets()) {
                    (Storage::Cuda(storage), Some((start, end))) => {
                        storage.as_cuda_slice::<T>()?.slice(start..end)
                    }
                    _ => bail!("a tensor to be sent is no vector on the GPU"),
                };
                let sent = self.comm.send(&values, peer);
                sent.map_err(|error| failed(&error))?;
            }
        }
        for (peer, buffers) in (0..).zip(buffers) {
            for buffer in buffers {
                let received = self.comm.recv(buffer, peer);
                received.map_err(|error| failed(&error))?;
            }
        }
        Ok(())
    }

    /// Returns a vector of the values in `buffer`.
    fn tensor<T: CudaDType>(&self, buffer: CudaSlice<T>) -> Tensor {
        let length = buffer.len();
        let storage = CudaStorage::wrap_cuda_slice(buffer, self.device.clone());
        Tensor::from_storage(Storage::Cuda(storage), length, BackpropOp::none(), false)
    }
}

impl TensorExchange for NcclExchange {
    fn exchange(
        &mut self,
        send: Vec<Vec<Tensor>>,
        dtype: DType,
        lengths: &[Vec<usize>],
    ) -> Result<Vec<Vec<Tensor>>> {
        match dtype {
            DType::F32 => self.exchange_as::<f32>(send, lengths),
            DType::F64 => self.exchange_as::<f64>(send, lengths),
            _ => bail!("values of type {} are not summed", dtype.as_str()),
        }
    }
}

/// Returns the error of a failed call.
fn failed(error: &NcclError) -> anyhow::Error {
    anyhow!("{:?}", error.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributed::threads::in_processes;
    use crate::distributed::tree::{Shards, TreeSum};
    use candle_core::Device;
    use candle_core::cuda::cudarc::driver::CudaContext;

    #[test]
    #[ignore = "needs a GPU, and for sums between GPUs two or more"]
    fn sums_between_gpus_have_the_bits_of_sums_on_the_cpu() {
        let gpus = usize::try_from(CudaContext::device_count().unwrap()).unwrap();
        let count = 7;
        for length in [37, 300_001] {
            let values = |shard: usize| -> Vec<f32> {
                let value = |i: usize| ((shard * 37 + i) as f32).sin() * 10_f32.powi(i as i32 % 9);
                (0..length).map(value).collect()
            };
            let mut expected = TreeSum::new(count);
            for shard in 0..count {
                expected.add(shard..shard + 1, values(shard));
            }
            let [(_, expected)] = &expected.into_nodes()[..] else {
                panic!("several nodes are left")
            };
            for size in 1..=gpus.min(count) {
                let totals = in_processes(size, |processes| {
                    let device = Device::new_cuda(processes.rank()).unwrap();
                    assert_eq!(processes.connect_devices(&device).unwrap(), None);
                    assert!(processes.sums_on(&device));
                    let shards = Shards::new(count, size);
                    let mut own = TreeSum::new(count);
                    for shard in shards.own(processes.rank(), count) {
                        let values = Tensor::from_vec(values(shard), length, &device);
                        own.add(shard..shard + 1, values);
                    }
                    let own = own.into_nodes().into_iter();
                    let own = own.map(|(node, values)| (node, values.unwrap())).collect();
                    let sum = processes.start_tensor_sum(shards, count, own, length, DType::F32);
                    sum.wait().unwrap().to_vec1::<f32>().unwrap()
                });
                assert!(
                    totals.unwrap() == vec![expected.clone(); size],
                    "{length} values, {size} GPUs"
                );
            }
        }
    }
}
