//! Sums of gradients over the shards of all processes, which begin during the backward pass.
//!
//! The variables are divided into buckets, those of the last layers first, as the backward pass computes them. A bucket is summed as soon as
//! all shards of this process have its gradients, unless all processes are on one machine: what moves the values there are the cores that
//! compute, so that nothing would be hidden. The division does not change the bits, as each value has a sum of its own.

mod values;

pub(super) use values::Values;

use crate::distributed::tree::{Shards, TreeSum};
use crate::distributed::{Pending, Processes};
use crate::train::learner::forward_backward::Gradient;
use anyhow::{Context, Result};
use candle_core::{Tensor, Var};
use std::cmp::Reverse;
use std::mem;
use std::ops::Range;
use values::sum_dtype;

/// The fewest bytes of a bucket with several variables, except the last: each costs a round of messages.
pub(in crate::train) const BUCKET_BYTES: usize = 4 << 20;

/// The part of a bucket from which on a variable has one of its own.
const LARGE: f64 = 0.5;

/// The part of a network that follows its stages.
const HEAD: &str = "fc";

/// The sums of the running statistics and of the gradients over the shards of a batch.
pub(super) struct GradientSums<'a, V: Values> {
    variables: &'a [(String, Var)],
    statistics: &'a [Var],
    shards: Shards,
    /// Shards with images.
    used: usize,
    processes: &'a Processes,
    buckets: Vec<Bucket<V>>,
    /// The ranges of the statistics and of the variables in the buckets, in their order.
    places: Vec<BucketRange>,
    /// True if sums begin before the end of the backward pass.
    early: bool,
    /// Shards of this process that have not ended.
    left: usize,
    /// The sums that have begun, in the order of the buckets.
    begun: Vec<Pending<V::Total>>,
}

/// The values of a variable in a bucket.
struct BucketRange {
    bucket: usize,
    values: Range<usize>,
}

/// Values that are summed together.
struct Bucket<V> {
    length: usize,
    /// The sums over the shards of this process, of which some are left to be added.
    sum: TreeSum<V>,
    left: usize,
    /// The values of the shard that is being added, of which some are missing.
    values: Option<V>,
    missing: usize,
    /// A tensor of the type and on the device of the variables.
    like: Tensor,
}

impl<V: Values> Bucket<V> {
    /// Takes the gradient of a variable in shard `shard`, times `factor`.
    fn add(
        &mut self,
        shard: usize,
        place: Range<usize>,
        gradient: Gradient,
        factor: f64,
    ) -> Result<()> {
        if self.values.is_none() {
            self.missing = self.length;
        }
        self.missing -= place.len();
        V::set(
            &mut self.values,
            self.length,
            place,
            gradient,
            factor,
            &self.like,
        )?;
        if self.missing == 0 {
            self.end_shard(shard);
        }
        Ok(())
    }

    /// Ends a shard with the values that were added, or zeros.
    fn end_shard(&mut self, shard: usize) {
        let values = self.values.take();
        let values = values.unwrap_or_else(|| V::zeros(self.length, &self.like));
        self.sum.add(shard..shard + 1, values);
        self.left -= 1;
    }
}

impl<'a, V: Values> GradientSums<'a, V> {
    /// Creates the sums over the first `used` of `shards`. `variables` are sorted by name.
    pub fn new(
        variables: &'a [(String, Var)],
        statistics: &'a [Var],
        used: usize,
        shards: Shards,
        processes: &'a Processes,
    ) -> Self {
        Self {
            early: V::ON_DEVICE || !processes.is_on_one_machine(),
            ..Self::in_buckets(variables, statistics, used, shards, processes, BUCKET_BYTES)
        }
    }

    /// Creates the sums in buckets of at least `bucket_bytes`.
    fn in_buckets(
        variables: &'a [(String, Var)],
        statistics: &'a [Var],
        used: usize,
        shards: Shards,
        processes: &'a Processes,
        bucket_bytes: usize,
    ) -> Self {
        let mut order: Vec<usize> = (0..variables.len()).collect();
        order.sort_by_key(|&i| Reverse(layer(&variables[i].0)));
        let order = order.into_iter().map(|i| statistics.len() + i);
        let of = |item: usize| match item.checked_sub(statistics.len()) {
            None => &statistics[item],
            Some(variable) => &variables[variable].1,
        };
        // The forward pass ends with the statistics.
        let groups = groups((0..statistics.len()).chain(order), |item| {
            let value_bytes = sum_dtype(of(item)).size_in_bytes();
            (of(item).elem_count() * value_bytes) as f64 / bucket_bytes as f64
        });
        let left = shards.own(processes.rank(), used).len();
        let (mut buckets, mut places) = (Vec::new(), Vec::new());
        for (bucket, items) in groups.into_iter().enumerate() {
            let like = of(items[0]).as_detached_tensor();
            let mut length = 0;
            for item in items {
                let start = length;
                length += of(item).elem_count();
                let values = start..length;
                places.push((item, BucketRange { bucket, values }));
            }
            buckets.push(Bucket {
                length,
                sum: TreeSum::new(used),
                left,
                values: None,
                missing: 0,
                like,
            });
        }
        places.sort_by_key(|(item, _)| *item);
        Self {
            variables,
            statistics,
            shards,
            used,
            processes,
            buckets,
            places: places.into_iter().map(|(_, place)| place).collect(),
            early: true,
            left,
            begun: Vec::new(),
        }
    }

    /// Adds the running statistics of shard `shard`.
    ///
    /// # Errors
    /// If the device lacks memory.
    pub fn add_statistics(&mut self, shard: usize) -> Result<()> {
        for (statistic, place) in self.statistics.iter().zip(&self.places) {
            let values = Gradient::Tensor(statistic.as_detached_tensor());
            self.buckets[place.bucket].add(shard, place.values.clone(), values, 1.0)?;
        }
        Ok(())
    }

    /// Adds the gradient of the variable `name` in shard `shard`, times `factor`.
    ///
    /// # Errors
    /// If there is no such variable, or the device lacks memory.
    pub fn add(&mut self, shard: usize, name: &str, gradient: Gradient, factor: f64) -> Result<()> {
        let number = self
            .variables
            .binary_search_by(|(other, _)| other.as_str().cmp(name));
        let number = number
            .ok()
            .with_context(|| format!("`{name}` is no variable"))?;
        let BucketRange { bucket, values } = &self.places[self.statistics.len() + number];
        self.buckets[*bucket].add(shard, values.clone(), gradient, factor)?;
        if self.early {
            self.begin()?;
        }
        Ok(())
    }

    /// Ends shard `shard`; what was not added counts as zeros.
    pub fn end_shard(&mut self, shard: usize) {
        for bucket in &mut self.buckets {
            if bucket.left == self.left {
                bucket.end_shard(shard);
            }
        }
        self.left -= 1;
    }

    /// Waits for the sums, and returns those of the gradients times `of_gradients`, in the order of the variables, and those of the
    /// statistics times `of_statistics`.
    ///
    /// # Errors
    /// If another process is gone, or the device lacks memory.
    pub fn finish(mut self, of_gradients: f64, of_statistics: f64) -> Result<[Vec<Tensor>; 2]> {
        let totals = self.begun.drain(..).map(Pending::wait);
        let mut totals: Vec<V::Total> = totals.collect::<Result<_>>()?;
        let variables = self.variables.iter().map(|(_, variable)| variable);
        let likes = self.statistics.iter().chain(variables).zip(&self.places);
        let tensors = likes.enumerate().map(|(item, (like, place))| {
            let factor = if item < self.statistics.len() {
                of_statistics
            } else {
                of_gradients
            };
            let total = &mut totals[place.bucket];
            V::take(total, place.values.clone(), factor, like)
        });
        let mut statistics: Vec<Tensor> = tensors.collect::<Result<_>>()?;
        let gradients = statistics.split_off(self.statistics.len());
        Ok([gradients, statistics])
    }

    /// Begins the sums of the next buckets that have the values of all shards of this process: all, if it has no shards. All processes begin them
    /// in one order.
    ///
    /// # Errors
    /// If the device lacks memory.
    pub fn begin(&mut self) -> Result<()> {
        while let Some(bucket) = self
            .buckets
            .get_mut(self.begun.len())
            .filter(|bucket| bucket.left == 0)
        {
            let own = mem::replace(&mut bucket.sum, TreeSum::new(self.used)).into_nodes();
            let (length, like) = (bucket.length, &bucket.like);
            let sum = V::start_sum(self.processes, self.shards, self.used, own, length, like)?;
            self.begun.push(sum);
        }
        Ok(())
    }
}

/// Divides items of given sizes into groups of at least size 1, except the last. A large item has a group of its own, so that its sum need not be
/// copied. Groups are in the order of their last items.
fn groups(items: impl Iterator<Item = usize>, size: impl Fn(usize) -> f64) -> Vec<Vec<usize>> {
    let (mut groups, mut open, mut open_size) = (Vec::new(), Vec::new(), 0.0);
    for item in items {
        let size = size(item);
        if size >= LARGE {
            groups.push(vec![item]);
            continue;
        }
        open.push(item);
        open_size += size;
        if open_size >= 1.0 {
            groups.push(mem::take(&mut open));
            open_size = 0.0;
        }
    }
    groups.extend(Some(open).filter(|open| !open.is_empty()));
    groups
}

/// Returns the place of a variable's layer in the forward pass: the stem, the blocks in their order, the head.
fn layer(name: &str) -> [usize; 2] {
    let mut parts = name.split('.');
    let stage = parts.next().unwrap_or_default();
    match stage.strip_prefix("layer").map(str::parse) {
        Some(Ok(stage)) => [
            stage,
            parts
                .next()
                .and_then(|block| block.parse().ok())
                .unwrap_or(0),
        ],
        _ if stage == HEAD => [usize::MAX, 0],
        _ => [0, 0],
    }
}

#[cfg(test)]
mod tests;
