//! Tests of the sums of gradients.

use super::*;
use crate::distributed::DeviceValues;
use crate::distributed::threads::in_processes;
use crate::distributed::threads::tensors::in_connected_processes;
use candle_core::{Device, Shape};

/// Returns the variables of a network, sorted by name, and its statistics.
fn network() -> (Vec<(String, Var)>, Vec<Var>) {
    let variable = |count: usize| {
        Var::from_tensor(&Tensor::zeros(count, candle_core::DType::F32, &Device::Cpu).unwrap())
    };
    let names = [
        ("bn1.bias", 2),
        ("conv1.weight", 5),
        ("fc.weight", 3),
        ("layer3.10.conv1.weight", 4),
        ("layer3.9.conv1.weight", 6),
    ];
    let variables = names.map(|(name, count)| (name.to_owned(), variable(count).unwrap()));
    (variables.into(), vec![variable(3).unwrap()])
}

/// Returns the bits of the sums over 3 of `4` shards, of which the second is not trained, on `size` processes. If sums
/// begin `early`, the gradients come from a compiled step, except those of the head.
fn totals<V: Values>(size: usize, bucket_bytes: usize, early: bool) -> Vec<Vec<u32>> {
    let process = |processes: &Processes| {
        let ((variables, statistics), shards) = (network(), Shards::new(4, size));
        let mut sums: GradientSums<V> = GradientSums {
            early,
            ..GradientSums::in_buckets(&variables, &statistics, 3, shards, processes, bucket_bytes)
        };
        for shard in shards.own(processes.rank(), 3) {
            let value = |i: usize| ((shard * 37 + i) as f32).sin() * 10_f32.powi(i as i32);
            let values = |count| (0..count).map(value).collect::<Vec<_>>();
            if shard != 1 {
                let statistic = Tensor::from_vec(values(3), 3, &Device::Cpu).unwrap();
                statistics[0].set(&statistic).unwrap();
                sums.add_statistics(shard).unwrap();
                for (name, variable) in variables.iter().rev() {
                    let count = variable.elem_count();
                    let gradient = if early && name != "fc.weight" {
                        Gradient::Values(values(count), Shape::from(count))
                    } else {
                        let gradient = Tensor::from_vec(values(count), count, &Device::Cpu);
                        Gradient::Tensor(gradient.unwrap())
                    };
                    sums.add(shard, name, gradient, 0.3).unwrap();
                }
            }
            sums.end_shard(shard);
        }
        sums.begin().unwrap();
        let totals = sums.finish(1.5, 0.5).unwrap();
        let bits = |tensor: Tensor| {
            tensor
                .to_vec1::<f32>()
                .unwrap()
                .into_iter()
                .map(f32::to_bits)
        };
        totals
            .into_iter()
            .flatten()
            .map(|tensor| bits(tensor).collect())
            .collect()
    };
    let all = if V::ON_DEVICE {
        in_connected_processes(size, process)
    } else {
        in_processes(size, process)
    };
    let mut all: Vec<Vec<Vec<u32>>> = all.unwrap();
    all.dedup();
    assert_eq!(all.len(), 1, "processes have different sums");
    all.remove(0)
}

#[test]
fn sums_have_the_same_bits_in_buckets_of_any_size_on_any_number_of_processes_and_on_devices() {
    let expected = totals::<Vec<f32>>(1, usize::MAX, false);
    assert!(
        expected
            .iter()
            .all(|values| values.iter().all(|&bits| bits != 0))
    );
    for size in 1..=4 {
        for (bucket_bytes, early) in [(1, true), (20, true), (40, false), (usize::MAX, true)] {
            for totals in [totals::<Vec<f32>>, totals::<DeviceValues>] {
                let found = totals(size, bucket_bytes, early);
                assert_eq!(found, expected, "{size} {bucket_bytes}");
            }
        }
    }
}

#[test]
fn layers_are_ordered_as_the_forward_pass_computes_them() {
    let names = [
        "bn1.bias",
        "layer1.0.conv1.weight",
        "layer3.9.bn1.bias",
        "layer3.10.conv1.weight",
        "layer4.0.bn1.bias",
        "fc.bias",
    ];
    assert!(names.is_sorted_by_key(|name| layer(name)));
    assert_eq!(layer("conv1.weight"), layer("bn1.bias"));
}
