//! Sums over the shards of all processes, in the order of their tree.
//!
//! Each process receives its chunk of all nodes, adds them in the tree's order and gives the sum to all: 2 (P - 1) / P of the values
//! are sent and received per process if each has a single node, as in a ring. MPI promises no order of a sum of its own.

use crate::distributed::sum_plan::{FEW_BYTES, SumPlan};
use crate::distributed::transport::Transport;
use crate::distributed::tree::Shards;
use anyhow::Result;
use bytemuck::Pod;
use std::ops::{AddAssign, Range};

/// An element of a sum.
pub trait Element: Pod + AddAssign + Send + 'static {}

impl Element for f32 {}
impl Element for f64 {}

/// The sum of the values of a node of the tree.
pub type NodeSum<T> = (Range<usize>, Vec<T>);

/// Memory for the values that sums receive, kept from sum to sum.
#[derive(Debug, Default)]
pub(super) struct Scratch(Vec<u64>);

impl Scratch {
    /// Returns `length` values, which are those of an earlier sum.
    fn values<T: Element>(&mut self, length: usize) -> &mut [T] {
        let words = (length * size_of::<T>()).div_ceil(size_of::<u64>());
        if self.0.len() < words {
            self.0.resize(words, 0);
        }
        &mut bytemuck::cast_slice_mut(&mut self.0)[..length]
    }
}

/// Returns the bytes that a sum over `shards` takes in process `rank` beside its nodes, each of `bytes` bytes: the values that it receives,
/// and a copy of those that it sends if it has several nodes.
pub fn buffer_bytes(shards: Shards, rank: usize, bytes: u64) -> u64 {
    let nodes = |rank| shards.nodes(shards.count(), rank).len() as u64;
    let processes = shards.processes();
    let all = bytes.saturating_mul((0..processes).map(nodes).sum());
    match nodes(rank) {
        _ if processes == 1 => 0,
        own if all <= FEW_BYTES as u64 => all + own * bytes,
        1 => all / processes as u64,
        own => (all / processes as u64).saturating_add(own.saturating_mul(bytes)),
    }
}

/// Returns the sum over the first `used` of `shards`, of which `own` has this process's part: its nodes, each with the same number of
/// values as everywhere.
///
/// # Errors
/// If another process is gone, or the nodes are not those of this process.
pub(super) fn sum<T: Element>(
    transport: &mut dyn Transport,
    scratch: &mut Scratch,
    shards: Shards,
    used: usize,
    own: Vec<NodeSum<T>>,
    length: usize,
) -> Result<Vec<T>> {
    let plan = SumPlan::new(shards, used, transport.rank(), length, size_of::<T>());
    let own = plan.own_values(own, Vec::len)?;
    if plan.is_divided() {
        sum_in_chunks(transport, scratch, &plan, own, length)
    } else {
        sum_of_gathered(transport, scratch, &plan, &own, length)
    }
}

/// Gathers the values of all nodes and adds them.
fn sum_of_gathered<T: Element>(
    transport: &mut dyn Transport,
    scratch: &mut Scratch,
    plan: &SumPlan,
    own: &[Vec<T>],
    length: usize,
) -> Result<Vec<T>> {
    let lengths: Vec<usize> = plan.node_counts().map(|nodes| nodes * length).collect();
    let received = scratch.values::<T>(lengths.iter().sum());
    let lengths: Vec<usize> = lengths
        .iter()
        .map(|values| values * size_of::<T>())
        .collect();
    transport.all_gather(
        bytemuck::cast_slice(&own.concat()),
        bytemuck::cast_slice_mut(received),
        &lengths,
    )?;
    let total = plan.add(nodes_in(received, length));
    Ok(total.map_or_else(|| vec![T::zeroed(); length], |values| values.to_vec()))
}

/// Returns the values of each node, `length` of each.
fn nodes_in<T>(values: &mut [T], length: usize) -> impl Iterator<Item = &mut [T]> {
    // Without values there are no nodes either.
    values.chunks_exact_mut(length.max(1))
}

/// Receives the own chunk of all nodes, adds these, and gathers the sums.
fn sum_in_chunks<T: Element>(
    transport: &mut dyn Transport,
    scratch: &mut Scratch,
    plan: &SumPlan,
    mut own: Vec<Vec<T>>,
    length: usize,
) -> Result<Vec<T>> {
    let (nodes, chunks) = (own.len(), plan.chunks());
    let bytes = |values: usize| values * size_of::<T>();
    let mut send = Vec::new();
    if own.len() > 1 {
        send.reserve(own.len() * length);
        for chunk in chunks {
            for values in &own {
                send.extend_from_slice(&values[chunk.clone()]);
            }
        }
    }
    let mut total = own.pop().unwrap_or_else(|| vec![T::zeroed(); length]);
    let sent: &[T] = match nodes {
        0 => &[],
        // The chunks of a single node are one after the other.
        1 => &total,
        _ => &send,
    };
    let send_lengths = chunks.iter().map(|chunk| bytes(nodes * chunk.len()));
    let send_lengths: Vec<usize> = send_lengths.collect();
    let mine = plan.own_length();
    let lengths: Vec<usize> = plan.node_counts().map(|nodes| nodes * mine).collect();
    // The others may still compute. Waiting for them takes no core, unlike waiting for bytes.
    transport.barrier()?;
    let received = scratch.values::<T>(lengths.iter().sum());
    let receive_lengths: Vec<usize> = lengths.iter().map(|&values| bytes(values)).collect();
    transport.all_to_all(
        bytemuck::cast_slice(sent),
        &send_lengths,
        bytemuck::cast_slice_mut(received),
        &receive_lengths,
    )?;
    let chunk = plan.add(nodes_in(received, mine)).map(|values| &*values);
    let lengths: Vec<usize> = chunks.iter().map(|chunk| bytes(chunk.len())).collect();
    transport.all_gather(
        bytemuck::cast_slice(chunk.unwrap_or_default()),
        bytemuck::cast_slice_mut(&mut total),
        &lengths,
    )?;
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributed::threads::group;
    use std::thread;

    #[test]
    fn the_buffers_of_a_sum_are_those_that_it_is_known_to_take() {
        // Many values, and few.
        for (length, is_few) in [(1_200_000, false), (1200, true)] {
            for (count, size) in [(2, 2), (4, 4), (8, 4), (6, 2), (5, 4), (3, 1)] {
                let shards = Shards::new(count, size);
                let connections = group(size).into_iter().enumerate();
                thread::scope(|scope| {
                    for (rank, mut transport) in connections {
                        scope.spawn(move || {
                            let nodes = shards.nodes(count, rank);
                            let sent = nodes.len();
                            let own = nodes.into_iter().map(|node| (node, vec![1_f32; length]));
                            let (own, mut scratch) = (own.collect(), Scratch::default());
                            sum(&mut transport, &mut scratch, shards, count, own, length).unwrap();
                            let copied = match sent {
                                1 if !is_few => 0,
                                sent => 4 * length * sent,
                            };
                            let taken = size_of_val(&scratch.0[..]) + copied;
                            let known = buffer_bytes(shards, rank, 4 * length as u64);
                            let expected = if size == 1 { 0 } else { taken as u64 };
                            assert_eq!(known, expected, "{count} on {size}");
                        });
                    }
                });
            }
        }
    }
}
