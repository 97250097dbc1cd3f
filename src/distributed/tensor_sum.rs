//! Sums of tensors over the shards of all processes, where the tensors are: devices send each other their parts and add them.
//!
//! Parts, order and so the bits are those of [`sum`](super::sum()), whose values are on the CPU: both follow one
//! [`SumPlan`]. A library's own sum of all processes would add in an order that depends on their number.

use crate::distributed::sum_plan::SumPlan;
use crate::distributed::tree::Summand;
use anyhow::{Context, Result};
use candle_core::{DType, Tensor};

/// The connection of a process's device to those of all processes. All processes make the same calls in the same order.
pub(super) trait TensorExchange {
    /// Sends each process its tensors of `send`, one list per process, and returns those that each sends to this one, of
    /// `lengths` values. The tensors are vectors of `dtype`, none of them empty.
    ///
    /// # Errors
    /// If the device lacks memory, or another process is gone.
    fn exchange(
        &mut self,
        send: Vec<Vec<Tensor>>,
        dtype: DType,
        lengths: &[Vec<usize>],
    ) -> Result<Vec<Vec<Tensor>>>;
}

/// A vector on a device, or the error of its computation.
pub type DeviceValues = candle_core::Result<Tensor>;

impl Summand for DeviceValues {
    fn add(&mut self, other: Self) {
        if let Ok(values) = self {
            *self = other.and_then(|other| &*values + other);
        }
    }
}

/// Returns the sum over all shards; `own` has the nodes of this process, vectors of `dtype` on its device.
///
/// # Errors
/// If the device lacks memory, or another process is gone.
pub(super) fn sum_tensors(
    exchange: &mut dyn TensorExchange,
    plan: &SumPlan,
    dtype: DType,
    own: &[Tensor],
) -> Result<Tensor> {
    let send = plan.chunks().iter().map(|chunk| {
        let parts = own.iter().filter(|_| !chunk.is_empty());
        parts
            .map(|values| values.narrow(0, chunk.start, chunk.len()))
            .collect()
    });
    let send = send.collect::<candle_core::Result<_>>()?;
    let own_length = plan.own_length();
    let lengths = plan.node_counts().map(|nodes| match own_length {
        0 => Vec::new(),
        _ => vec![own_length; nodes],
    });
    let lengths: Vec<_> = lengths.collect();
    let received = exchange.exchange(send, dtype, &lengths)?;
    let total = plan.add(received.into_iter().flatten().map(Ok));
    let total: Option<Tensor> = total.transpose()?;
    if !plan.is_divided() {
        return total.context("a sum over no shards");
    }
    let lengths = plan.chunks().iter().map(|chunk| match chunk.len() {
        0 => Vec::new(),
        length => vec![length],
    });
    let lengths: Vec<_> = lengths.collect();
    let total: Vec<Tensor> = total.into_iter().collect();
    let totals = exchange.exchange(vec![total; lengths.len()], dtype, &lengths)?;
    Ok(Tensor::cat(&totals.concat(), 0)?)
}

#[cfg(test)]
mod tests;
