//! The binary tree in which the values of shards are summed: the order of the additions depends on the shards alone, not on the
//! processes that hold them.
//!
//! A node covers the shards from a multiple of a power of two to the next one, or to the last shard. Its sum is that of its left half
//! plus that of its right half.

use std::ops::{AddAssign, Range};

/// The division of the shards of a batch among processes: each holds consecutive ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards {
    count: usize,
    processes: usize,
}

impl Shards {
    /// Divides `count` shards among `processes`.
    ///
    /// # Panics
    /// If there are fewer shards than processes, or no process.
    pub fn new(count: usize, processes: usize) -> Self {
        assert!(
            processes > 0 && count >= processes,
            "{count} shards for {processes} processes"
        );
        Self { count, processes }
    }

    /// Returns the number of shards.
    pub fn count(self) -> usize {
        self.count
    }

    /// Returns the number of processes.
    pub fn processes(self) -> usize {
        self.processes
    }

    /// Returns the shards of process `rank`.
    pub fn of(self, rank: usize) -> Range<usize> {
        let start = |rank| rank * self.count / self.processes;
        start(rank)..start(rank + 1)
    }

    /// Returns the shards of process `rank` if the first `used` have values.
    pub fn own(self, rank: usize, used: usize) -> Range<usize> {
        let own = self.of(rank);
        own.start..own.end.min(used)
    }

    /// Returns the number of shards into which a batch of `images` is cut, so that each has at least `fewest` if possible.
    pub fn used(self, images: usize, fewest: usize) -> usize {
        self.count.min(images / fewest.max(1)).max(1)
    }

    /// Returns the largest nodes that process `rank` can sum by itself if the first `used` shards have values, in order.
    pub fn nodes(self, used: usize, rank: usize) -> Vec<Range<usize>> {
        let mut sum = TreeSum::<[f32; 0]>::new(used);
        for shard in self.own(rank, used) {
            sum.add(shard..shard + 1, []);
        }
        sum.into_nodes().into_iter().map(|(node, _)| node).collect()
    }

    /// Returns the largest number of nodes that process `rank` has at a time while it adds its shards in order.
    pub fn most_nodes(self, rank: usize) -> usize {
        let mut sum = TreeSum::<[f32; 0]>::new(self.count);
        let counts = self.of(rank).map(|shard| {
            sum.add(shard..shard + 1, []);
            sum.nodes.len()
        });
        counts.max().unwrap_or(0)
    }
}

/// Returns the images of shard `shard` of a batch of `images` that is cut into `used`.
pub fn part(images: usize, used: usize, shard: usize) -> Range<usize> {
    images * shard / used..images * (shard + 1) / used
}

/// Values that can be added to others of their kind.
pub trait Summand {
    /// Adds `other` to these values.
    fn add(&mut self, other: Self);
}

impl<T: AddAssign> Summand for Vec<T> {
    fn add(&mut self, other: Self) {
        assert_eq!(self.len(), other.len(), "sums of different lengths");
        for (value, other) in self.iter_mut().zip(other) {
            *value += other;
        }
    }
}

impl<T: AddAssign + Copy> Summand for &mut [T] {
    fn add(&mut self, other: Self) {
        assert_eq!(self.len(), other.len(), "sums of different lengths");
        for (value, other) in self.iter_mut().zip(other) {
            *value += *other;
        }
    }
}

impl<T: AddAssign, const N: usize> Summand for [T; N] {
    fn add(&mut self, other: Self) {
        for (value, other) in self.iter_mut().zip(other) {
            *value += other;
        }
    }
}

/// Sums the values of nodes that come in order, as far as their tree allows.
#[derive(Debug)]
pub struct TreeSum<T> {
    shards: usize,
    nodes: Vec<(Range<usize>, T)>,
}

impl<T: Summand> TreeSum<T> {
    /// Creates the sum over `shards` shards.
    pub fn new(shards: usize) -> Self {
        Self {
            shards,
            nodes: Vec::new(),
        }
    }

    /// Adds the values of `node`, a shard or the sum of a node, which follows the nodes before.
    pub fn add(&mut self, node: Range<usize>, values: T) {
        let (mut node, mut values) = (node, values);
        while let Some((left, mut sum)) = self.nodes.pop_if(|(left, _)| {
            debug_assert!(left.end <= node.start, "{node:?} after {left:?}");
            let half = left.len();
            left.end == node.start
                && half.is_power_of_two()
                && left.start.is_multiple_of(2 * half)
                && node.end == (left.start + 2 * half).min(self.shards)
        }) {
            sum.add(values);
            (node, values) = (left.start..node.end, sum);
        }
        self.nodes.push((node, values));
    }

    /// Returns the nodes that are left, in order: a single one if all shards were added.
    pub fn into_nodes(self) -> Vec<(Range<usize>, T)> {
        self.nodes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order of the additions in words.
    #[derive(Debug, Clone)]
    struct Words(String);

    impl Summand for Words {
        fn add(&mut self, other: Self) {
            self.0 = format!("({}+{})", self.0, other.0);
        }
    }

    /// Returns the sum over `count` shards, of which each process sums its own first.
    fn summed(count: usize, used: usize, processes: usize) -> String {
        let shards = Shards::new(count, processes);
        let mut total = TreeSum::new(used);
        for rank in 0..processes {
            let mut own = TreeSum::new(used);
            for shard in shards.own(rank, used) {
                own.add(shard..shard + 1, Words(shard.to_string()));
            }
            let own = own.into_nodes();
            let nodes: Vec<_> = own.iter().map(|(node, _)| node.clone()).collect();
            assert_eq!(nodes, shards.nodes(used, rank));
            for (node, words) in own {
                total.add(node, words);
            }
        }
        let [(node, words)] = &total.into_nodes()[..] else {
            panic!("{used} of {count} shards on {processes} processes leave several nodes")
        };
        assert_eq!(*node, 0..used);
        words.0.clone()
    }

    #[test]
    fn sums_have_one_order_whatever_process_holds_which_shard() {
        assert_eq!(summed(1, 1, 1), "0");
        assert_eq!(summed(3, 3, 1), "((0+1)+2)");
        assert_eq!(summed(4, 4, 3), "((0+1)+(2+3))");
        assert_eq!(summed(7, 7, 2), "(((0+1)+(2+3))+((4+5)+6))");
        assert_eq!(summed(8, 5, 4), "(((0+1)+(2+3))+4)");
        for count in 1..=20 {
            for used in 1..=count {
                let alone = summed(count, used, 1);
                for processes in 2..=count {
                    assert_eq!(summed(count, used, processes), alone);
                }
            }
        }
    }

    #[test]
    fn a_batch_is_cut_into_even_parts_of_enough_images() {
        let shards = Shards::new(4, 2);
        let sizes = |images, fewest| -> Vec<usize> {
            let used = shards.used(images, fewest);
            (0..used)
                .map(|shard| part(images, used, shard).len())
                .collect()
        };
        assert_eq!(sizes(8, 1), [2, 2, 2, 2]);
        assert_eq!(sizes(7, 1), [1, 2, 2, 2]);
        assert_eq!(sizes(7, 2), [2, 2, 3]);
        assert_eq!(sizes(2, 1), [1, 1]);
        assert_eq!(sizes(1, 2), [1]);
    }

    #[test]
    fn shards_are_divided_evenly_in_order() {
        let shards = Shards::new(7, 3);
        let all: Vec<_> = (0..3).map(|rank| shards.of(rank)).collect();
        assert_eq!(all, [0..2, 2..4, 4..7]);
        assert_eq!(shards.nodes(7, 1).first(), Some(&(2..4)));
        assert_eq!(shards.nodes(7, 2).first(), Some(&(4..7)));
        assert_eq!(Shards::new(6, 2).nodes(6, 1), [3..4, 4..6]);
        assert!(shards.nodes(4, 2).is_empty());
    }

    #[test]
    fn the_nodes_that_wait_for_others_are_few() {
        let most = |count, processes| -> Vec<usize> {
            let shards = Shards::new(count, processes);
            (0..processes).map(|rank| shards.most_nodes(rank)).collect()
        };
        assert_eq!(most(1, 1), [1]);
        assert_eq!(most(4, 4), [1; 4]);
        // 0, 01, 01 2, 0123.
        assert_eq!(most(4, 1), [2]);
        assert_eq!(most(8, 1), [3]);
        assert_eq!(most(6, 2), [2, 2]);
    }
}
