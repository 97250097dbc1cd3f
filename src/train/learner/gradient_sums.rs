//! Sums of gradients over the shards of all processes, which begin during the backward pass.
//!
//! The variables are divided into buckets, those of the last layers first, as the backward pass computes them. A bucket is summed as soon as
//! all shards of this process have its gradients, unless all processes are on one machine: what moves the values there are the cores that
//! compute, so that nothing would be hidden. The division does not change the bits, as each value has a sum of its own.

use crate::distributed::sum::Element;
use crate::distributed::tree::{Shards, TreeSum};
use crate::distributed::{Pending, Processes};
use crate::train::learner::forward_backward::Gradient;
use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Storage, Tensor, Var, WithDType};
use std::cmp::Reverse;
use std::mem;
use std::ops::Range;

/// The fewest bytes of a bucket with several variables, except the last: each costs a round of messages.
pub(in crate::train) const BUCKET_BYTES: usize = 4 << 20;

/// The part of a bucket from which on a variable has one of its own.
const LARGE: f64 = 0.5;

/// The part of a network that follows its stages.
const HEAD: &str = "fc";

/// The sums of the running statistics and of the gradients over the shards of a batch.
pub(super) struct GradientSums<'a, T> {
    variables: &'a [(String, Var)],
    statistics: &'a [Var],
    shards: Shards,
    /// Shards with images.
    used: usize,
    processes: &'a Processes,
    buckets: Vec<Bucket<T>>,
    /// The ranges of the statistics and of the variables in the buckets, in their order.
    places: Vec<BucketRange>,
    /// True if sums begin before the end of the backward pass.
    early: bool,
    /// Shards of this process that have not ended.
    left: usize,
    /// The sums that have begun, in the order of the buckets.
    begun: Vec<Pending<Vec<T>>>,
}

/// The values of a variable in a bucket.
struct BucketRange {
    bucket: usize,
    values: Range<usize>,
}

/// Values that are summed together.
struct Bucket<T> {
    length: usize,
    /// The sums over the shards of this process, of which some are left to be added.
    sum: TreeSum<Vec<T>>,
    left: usize,
    /// The values of the shard that is being added, of which some are missing.
    values: Vec<T>,
    missing: usize,
}

impl<T: Element + WithDType> Bucket<T> {
    /// Takes the values of a variable in shard `shard`, times `factor`.
    fn add(&mut self, shard: usize, place: Range<usize>, read: &[T], factor: T) {
        if self.values.is_empty() {
            self.values = vec![T::from_f64(0.0); self.length];
            self.missing = self.length;
        }
        self.missing -= place.len();
        for (value, read) in self.values[place].iter_mut().zip(read) {
            *value = *read * factor;
        }
        if self.missing == 0 {
            self.end_shard(shard);
        }
    }

    /// Ends a shard with the values that were added, or zeros.
    fn end_shard(&mut self, shard: usize) {
        let mut values = mem::take(&mut self.values);
        values.resize(self.length, T::from_f64(0.0));
        self.sum.add(shard..shard + 1, values);
        self.left -= 1;
    }
}

impl<'a, T: Element + WithDType> GradientSums<'a, T> {
    /// Creates the sums over the first `used` of `shards`. `variables` are sorted by name.
    pub fn new(
        variables: &'a [(String, Var)],
        statistics: &'a [Var],
        used: usize,
        shards: Shards,
        processes: &'a Processes,
    ) -> Self {
        Self {
            early: !processes.is_on_one_machine(),
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
        let values = |item: usize| match item.checked_sub(statistics.len()) {
            None => statistics[item].elem_count(),
            Some(variable) => variables[variable].1.elem_count(),
        };
        // The forward pass ends with the statistics.
        let groups = groups((0..statistics.len()).chain(order), |item| {
            (values(item) * size_of::<T>()) as f64 / bucket_bytes as f64
        });
        let left = shards.own(processes.rank(), used).len();
        let (mut buckets, mut places) = (Vec::new(), Vec::new());
        for (bucket, items) in groups.into_iter().enumerate() {
            let mut length = 0;
            for item in items {
                let start = length;
                length += values(item);
                let values = start..length;
                places.push((item, BucketRange { bucket, values }));
            }
            buckets.push(Bucket {
                length,
                sum: TreeSum::new(used),
                left,
                values: Vec::new(),
                missing: 0,
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
            let (bucket, values) = (&mut self.buckets[place.bucket], place.values.clone());
            read(statistic, |read| {
                bucket.add(shard, values, read, T::from_f64(1.0));
            })?;
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
        let (bucket, values) = (&mut self.buckets[*bucket], values.clone());
        let factor = T::from_f64(factor);
        match gradient {
            // A bucket of its own takes them as they are.
            Gradient::Values(own, _) if T::DTYPE == DType::F32 && values.len() == bucket.length => {
                bucket.values = bytemuck::cast_vec(own);
                scale(&mut bucket.values, factor);
                bucket.end_shard(shard);
            }
            gradient => {
                let tensor = gradient.into_tensor()?;
                read(&tensor, |read| bucket.add(shard, values, read, factor))?;
            }
        }
        if self.early {
            self.begin();
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
        let mut totals: Vec<Vec<T>> = totals.collect::<Result<_>>()?;
        let variables = self.variables.iter().map(|(_, variable)| variable);
        let likes = self.statistics.iter().chain(variables).zip(&self.places);
        let tensors = likes.enumerate().map(|(item, (like, place))| {
            let factor = if item < self.statistics.len() {
                of_statistics
            } else {
                of_gradients
            };
            let total = &mut totals[place.bucket];
            let mut values = if place.values.len() == total.len() {
                mem::take(total)
            } else {
                total[place.values.clone()].to_vec()
            };
            let factor = T::from_f64(factor);
            scale(&mut values, factor);
            let tensor = Tensor::from_vec(values, like.shape(), &Device::Cpu)?;
            Ok(tensor.to_dtype(like.dtype())?.to_device(like.device())?)
        });
        let mut statistics: Vec<Tensor> = tensors.collect::<Result<_>>()?;
        let gradients = statistics.split_off(self.statistics.len());
        Ok([gradients, statistics])
    }

    /// Begins the sums of the next buckets that have the values of all shards of this process: all, if it has no shards. All processes begin them
    /// in one order.
    pub fn begin(&mut self) {
        while let Some(bucket) = self
            .buckets
            .get_mut(self.begun.len())
            .filter(|bucket| bucket.left == 0)
        {
            let own = mem::replace(&mut bucket.sum, TreeSum::new(self.used)).into_nodes();
            let sum = self
                .processes
                .start_sum(self.shards, self.used, own, bucket.length);
            self.begun.push(sum);
        }
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

/// Multiplies values by `factor`; spares memory the work if it is 1.
fn scale<T: WithDType>(values: &mut [T], factor: T) {
    if factor == T::from_f64(1.0) {
        return;
    }
    for value in values {
        *value *= factor;
    }
}

/// Lets `take` have the values of a tensor.
fn read<T: WithDType>(tensor: &Tensor, take: impl FnOnce(&[T])) -> Result<()> {
    let tensor = tensor
        .detach()
        .to_dtype(T::DTYPE)?
        .to_device(&Device::Cpu)?
        .contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let (Storage::Cpu(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets())
    else {
        bail!("a tensor on the CPU has no values");
    };
    take(&T::cpu_storage_as_slice(storage)?[start..end]);
    Ok(())
}

#[cfg(test)]
mod tests;
