//! Sums over the shards of all processes, in the order of their tree.
//!
//! Each process receives its chunk of all nodes, adds them in the tree's order and gives the sum to all: 2 (P - 1) / P of the values
//! are sent and received per process if each has a single node, as in a ring. MPI promises no order of a sum of its own.

use crate::distributed::transport::Transport;
use crate::distributed::tree::{Shards, TreeSum};
use anyhow::{Result, ensure};
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
    let (rank, size) = (transport.rank(), transport.size());
    let nodes = shards.nodes(used, rank);
    let fits = own
        .iter()
        .all(|(node, values)| nodes.contains(node) && values.len() == length);
    ensure!(
        own.len() == nodes.len() && fits,
        "process {rank} has other parts of a sum over {used} shards than its own"
    );
    let chunks: Vec<Range<usize>> = (0..size)
        .map(|rank| rank * length / size..(rank + 1) * length / size)
        .collect();
    let bytes = |values: usize| values * size_of::<T>();
    let mut own = own
        .into_iter()
        .map(|(_, values)| values)
        .collect::<Vec<_>>();
    let mut send = Vec::new();
    if own.len() > 1 {
        send.reserve(own.len() * length);
        for chunk in &chunks {
            for values in &own {
                send.extend_from_slice(&values[chunk.clone()]);
            }
        }
    }
    let mut total = own.pop().unwrap_or_else(|| vec![T::zeroed(); length]);
    let sent: &[T] = match nodes.len() {
        0 => &[],
        // The chunks of a single node are one after the other.
        1 => &total,
        _ => &send,
    };
    let send_lengths = chunks.iter().map(|chunk| bytes(nodes.len() * chunk.len()));
    let send_lengths: Vec<usize> = send_lengths.collect();
    let theirs: Vec<_> = (0..size).map(|rank| shards.nodes(used, rank)).collect();
    let mine = chunks[rank].len();
    let lengths = theirs.iter().map(|nodes| nodes.len() * mine);
    let lengths: Vec<usize> = lengths.collect();
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
    let mut tree = TreeSum::new(used);
    if mine > 0 {
        let nodes = theirs.into_iter().flatten();
        for (node, values) in nodes.zip(received.chunks_exact_mut(mine)) {
            tree.add(node, values);
        }
    }
    let chunk = tree.into_nodes().pop().map(|(_, values)| &*values);
    let lengths: Vec<usize> = chunks.iter().map(|chunk| bytes(chunk.len())).collect();
    transport.all_gather(
        bytemuck::cast_slice(chunk.unwrap_or_default()),
        bytemuck::cast_slice_mut(&mut total),
        &lengths,
    )?;
    Ok(total)
}
