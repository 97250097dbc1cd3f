//! The division of a sum over shards among processes: who sends what to whom, and who adds what.
//!
//! Each process receives its chunk of the values of all nodes, adds them in the order of the tree and gives the sum to all. Few values
//! are sent to all, and every process adds all of them: one round of messages instead of two.

use crate::distributed::tree::{Shards, Summand, TreeSum};
use anyhow::{Result, ensure};
use std::ops::Range;

/// Bytes of all nodes together up to which values are few.
pub(super) const FEW_BYTES: usize = 256 << 10;

/// The part of one process in a sum over shards, and those of the others.
#[derive(Debug)]
pub(super) struct SumPlan {
    rank: usize,
    used: usize,
    /// Values of each node.
    length: usize,
    /// The nodes of each process, in order.
    nodes: Vec<Vec<Range<usize>>>,
    /// The values that each process adds.
    chunks: Vec<Range<usize>>,
    is_divided: bool,
}

impl SumPlan {
    /// Plans the sum over the first `used` of `shards` in process `rank`; each node has `length` values of `value_bytes`.
    pub fn new(
        shards: Shards,
        used: usize,
        rank: usize,
        length: usize,
        value_bytes: usize,
    ) -> Self {
        let size = shards.processes();
        let nodes: Vec<_> = (0..size).map(|rank| shards.nodes(used, rank)).collect();
        let count: usize = nodes.iter().map(Vec::len).sum();
        let is_divided = count * length * value_bytes > FEW_BYTES;
        let chunk = |rank| {
            if is_divided {
                rank * length / size..(rank + 1) * length / size
            } else {
                0..length
            }
        };
        Self {
            rank,
            used,
            length,
            nodes,
            chunks: (0..size).map(chunk).collect(),
            is_divided,
        }
    }

    /// Returns true if each process adds a chunk; false if each adds all values.
    pub fn is_divided(&self) -> bool {
        self.is_divided
    }

    /// Returns the values that each process adds.
    pub fn chunks(&self) -> &[Range<usize>] {
        &self.chunks
    }

    /// Returns the number of values of which this process receives those of all nodes.
    pub fn own_length(&self) -> usize {
        self.chunks[self.rank].len()
    }

    /// Returns the number of nodes of each process.
    pub fn node_counts(&self) -> impl Iterator<Item = usize> {
        self.nodes.iter().map(Vec::len)
    }

    /// Returns the values of the nodes of this process, in order; `length` returns how many a node has.
    ///
    /// # Errors
    /// If the nodes are not those of this process, or a node has another number of values than everywhere.
    pub fn own_values<V>(
        &self,
        own: Vec<(Range<usize>, V)>,
        length: impl Fn(&V) -> usize,
    ) -> Result<Vec<V>> {
        let expected = &self.nodes[self.rank];
        let nodes = own.iter().map(|(node, _)| node);
        ensure!(
            nodes.eq(expected) && own.iter().all(|(_, values)| length(values) == self.length),
            "process {} has other parts of a sum over {} shards than its own",
            self.rank,
            self.used
        );
        Ok(own.into_iter().map(|(_, values)| values).collect())
    }

    /// Adds the `values` of all nodes, those of each process in order; `None` if there are none.
    pub fn add<V: Summand>(&self, values: impl IntoIterator<Item = V>) -> Option<V> {
        let mut tree = TreeSum::new(self.used);
        for (node, values) in self.nodes.iter().flatten().zip(values) {
            tree.add(node.clone(), values);
        }
        tree.into_nodes().pop().map(|(_, values)| values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_all_values_once_and_few_values_are_added_by_all() {
        let shards = Shards::new(5, 3);
        let few = SumPlan::new(shards, 5, 1, 10, 4);
        assert!(!few.is_divided());
        assert_eq!(few.chunks(), [0..10, 0..10, 0..10]);
        let many = SumPlan::new(shards, 5, 2, 100_000, 4);
        assert!(many.is_divided());
        assert_eq!(many.chunks(), [0..33_333, 33_333..66_666, 66_666..100_000]);
        assert_eq!(many.own_length(), 33_334);
        // Process 1 has shards 1 and 2, which are no node.
        assert_eq!(many.node_counts().collect::<Vec<_>>(), [1, 2, 2]);
    }

    #[test]
    fn nodes_of_another_process_or_of_another_length_are_refused() {
        let plan = SumPlan::new(Shards::new(4, 2), 4, 1, 3, 4);
        let own = |node, length| plan.own_values(vec![(node, vec![0_f32; length])], Vec::len);
        assert_eq!(own(2..4, 3).unwrap(), [[0.0; 3]]);
        for (node, length) in [(0..2, 3), (2..4, 2), (2..3, 3)] {
            let error = own(node, length).unwrap_err().to_string();
            assert_eq!(
                error,
                "process 1 has other parts of a sum over 4 shards than its own"
            );
        }
        assert!(
            plan.own_values(Vec::<(_, Vec<f32>)>::new(), Vec::len)
                .is_err()
        );
    }
}
