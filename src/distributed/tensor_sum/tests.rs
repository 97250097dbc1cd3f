//! Tests of sums of tensors, by threads whose tensors are on the CPU.

use super::*;
use crate::distributed::processes::Processes;
use crate::distributed::threads::tensors::{ThreadExchange, in_connected_processes};
use crate::distributed::threads::{ThreadTransport, group, in_processes};
use crate::distributed::transport::Transport;
use crate::distributed::tree::{Shards, TreeSum};
use candle_core::{Device, WithDType};
use std::thread;

/// Returns the values of a shard, whose sums need rounding.
fn values(shard: usize, length: usize) -> Vec<f64> {
    let value = |i: usize| ((shard * 37 + i) as f64 * 0.7).sin() * 10_f64.powi(i as i32 % 9);
    (0..length).map(value).collect()
}

/// Returns the bits of the sum of values on the CPU over `used` of `count` shards.
fn cpu_total(processes: &Processes, count: usize, used: usize, length: usize) -> Vec<u32> {
    let shards = Shards::new(count, processes.size());
    let mut own = TreeSum::new(used);
    for shard in shards.own(processes.rank(), used) {
        let values = values(shard, length).into_iter();
        own.add(
            shard..shard + 1,
            values.map(|value| value as f32).collect::<Vec<_>>(),
        );
    }
    let sum = processes.start_sum(shards, used, own.into_nodes(), length);
    sum.wait().unwrap().into_iter().map(f32::to_bits).collect()
}

/// Returns the sum of tensors of type `T` over `used` of `count` shards.
fn tensor_total<T: WithDType>(
    processes: &Processes,
    count: usize,
    used: usize,
    length: usize,
) -> Vec<T> {
    let shards = Shards::new(count, processes.size());
    let mut own = TreeSum::new(used);
    for shard in shards.own(processes.rank(), used) {
        let values = Tensor::from_vec(values(shard, length), length, &Device::Cpu);
        own.add(
            shard..shard + 1,
            values.and_then(|values| values.to_dtype(T::DTYPE)),
        );
    }
    let own = own.into_nodes().into_iter();
    let own = own.map(|(node, values)| (node, values.unwrap())).collect();
    let sum = processes.start_tensor_sum(shards, used, own, length, T::DTYPE);
    sum.wait().unwrap().to_vec1().unwrap()
}

#[test]
fn a_sum_of_tensors_has_the_bits_of_the_sum_on_the_cpu_for_1_to_16_shards_on_any_number_of_processes()
 {
    for count in 1..=16_usize {
        // Few values are added by all, many in chunks.
        for (used, length) in [(count, 37), (count.div_ceil(2), 37), (count, 70_001)] {
            let expected = cpu_total(&Processes::alone(), count, used, length);
            let sizes: Vec<usize> = match length {
                37 => (1..=count).collect(),
                _ => vec![1, 2.min(count), count / 2 + 1, count],
            };
            for size in sizes {
                let totals = in_connected_processes(size, |processes| {
                    let total: Vec<f32> = tensor_total(processes, count, used, length);
                    total.into_iter().map(f32::to_bits).collect::<Vec<_>>()
                });
                assert!(
                    totals.unwrap() == vec![expected.clone(); size],
                    "{length} values, {used} of {count} shards on {size} processes"
                );
            }
        }
    }
}

#[test]
fn more_processes_than_values_add_them_too() {
    // Values of 4 KiB are many, though they are fewer than the processes: some have an empty chunk.
    let (count, length) = (40, 3);
    let shards = Shards::new(count, count);
    let total = |transport: ThreadTransport| {
        let rank = transport.rank();
        let plan = SumPlan::new(shards, count, rank, length, 4096);
        assert!(
            plan.is_divided() && plan.own_length() == usize::from(matches!(rank, 13 | 26 | 39))
        );
        let own = Tensor::from_vec(values(rank, length), length, &Device::Cpu).unwrap();
        let total = sum_tensors(&mut ThreadExchange(transport), &plan, DType::F64, &[own]);
        total.unwrap().to_vec1::<f64>().unwrap()
    };
    let expected: Vec<f64> = tensor_total(&Processes::alone(), count, count, length);
    thread::scope(|scope| {
        let start = |transport| scope.spawn(move || total(transport));
        let threads: Vec<_> = group(count).into_iter().map(start).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), expected);
        }
    });
}

#[test]
fn tensors_of_other_nodes_or_without_connected_devices_are_errors() {
    let error = |processes: &Processes, node| {
        let own = Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap();
        let shards = Shards::new(2, 2);
        let sum = processes.start_tensor_sum(shards, 2, vec![(node, own)], 3, DType::F32);
        sum.wait().unwrap_err().to_string()
    };
    let errors = in_processes(2, |processes| {
        error(processes, processes.rank()..processes.rank() + 1)
    });
    assert_eq!(
        errors.unwrap(),
        ["the devices of the processes are not connected"; 2]
    );
    let errors = in_connected_processes(2, |processes| error(processes, 0..2)).unwrap();
    for (rank, error) in errors.iter().enumerate() {
        let expected =
            format!("process {rank} has other parts of a sum over 2 shards than its own");
        assert_eq!(*error, expected);
    }
}
