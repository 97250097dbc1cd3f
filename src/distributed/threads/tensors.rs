//! The exchange of tensors between threads that stand for processes, each with a device of its own.

use super::{ThreadTransport, group, in_processes};
use crate::distributed::processes::Processes;
use crate::distributed::tensor_sum::TensorExchange;
use crate::distributed::transport::Transport;
use anyhow::{Result, bail, ensure};
use bytemuck::Pod;
use candle_core::{DType, Device, Tensor, WithDType};
use std::sync::Mutex;

/// The connection of a thread, whose tensors are on the CPU.
pub struct ThreadExchange(pub ThreadTransport);

impl TensorExchange for ThreadExchange {
    fn exchange(
        &mut self,
        send: Vec<Vec<Tensor>>,
        dtype: DType,
        lengths: &[Vec<usize>],
    ) -> Result<Vec<Vec<Tensor>>> {
        let is_empty = |tensor: &Tensor| tensor.elem_count() == 0;
        ensure!(
            !send.iter().flatten().any(is_empty),
            "NCCL cannot send an empty tensor"
        );
        match dtype {
            DType::F32 => self.exchange_as::<f32>(&send, lengths),
            DType::F64 => self.exchange_as::<f64>(&send, lengths),
            _ => bail!("{dtype:?} is not summed"),
        }
    }
}

impl ThreadExchange {
    fn exchange_as<T: WithDType + Pod>(
        &mut self,
        send: &[Vec<Tensor>],
        lengths: &[Vec<usize>],
    ) -> Result<Vec<Vec<Tensor>>> {
        let (mut bytes, mut sent) = (Vec::new(), Vec::new());
        for tensors in send {
            let start = bytes.len();
            for tensor in tensors {
                bytes.extend_from_slice(bytemuck::cast_slice(&tensor.to_vec1::<T>()?));
            }
            sent.push(bytes.len() - start);
        }
        let counts: Vec<usize> = lengths.iter().map(|lengths| lengths.iter().sum()).collect();
        let mut values = vec![T::zeroed(); counts.iter().sum()];
        let expected: Vec<usize> = counts.iter().map(|count| count * size_of::<T>()).collect();
        let received = bytemuck::cast_slice_mut(&mut values);
        self.0.all_to_all(&bytes, &sent, received, &expected)?;
        let mut values = values.into_iter();
        let mut tensor = |&length: &usize| {
            let values: Vec<T> = values.by_ref().take(length).collect();
            Ok(Tensor::from_vec(values, length, &Device::Cpu)?)
        };
        let mut tensors = |lengths: &Vec<usize>| lengths.iter().map(&mut tensor).collect();
        lengths.iter().map(&mut tensors).collect()
    }
}

/// Runs `work` as [`in_processes`] does, in processes that sum tensors where they are.
///
/// # Errors
/// If no thread can be started.
pub fn in_connected_processes<R: Send>(
    size: usize,
    work: impl Fn(&Processes) -> R + Sync,
) -> Result<Vec<R>> {
    let transports = group(size)
        .into_iter()
        .map(|transport| Mutex::new(Some(transport)));
    let transports: Vec<_> = transports.collect();
    in_processes(size, |processes| {
        let transport = transports[processes.rank()].lock().unwrap().take().unwrap();
        processes
            .connect_by(move |_| Ok(Box::new(ThreadExchange(transport))))
            .unwrap();
        work(processes)
    })
}
