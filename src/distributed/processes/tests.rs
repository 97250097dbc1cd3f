//! Tests of the handle of a process on its group.

use super::*;
use crate::distributed::threads::in_processes;
use crate::distributed::tree::TreeSum;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Returns the sum over `used` of `count` shards, whose values need rounding.
fn total(processes: &Processes, count: usize, used: usize, length: usize) -> Vec<u32> {
    let shards = Shards::new(count, processes.size());
    let mut own = TreeSum::new(used);
    for shard in shards.own(processes.rank(), used) {
        let values =
            (0..length).map(|i| ((shard * 37 + i) as f32).sin() * 10_f32.powi(i as i32 % 9));
        own.add(shard..shard + 1, values.collect::<Vec<f32>>());
    }
    let sum = processes.start_sum(shards, used, own.into_nodes(), length);
    sum.wait().unwrap().into_iter().map(f32::to_bits).collect()
}

#[test]
fn a_sum_over_shards_has_the_same_bits_on_any_number_of_processes() {
    // Few values are gathered, many are summed in chunks.
    let (few, many) = (37, 70_001);
    for (count, used, length) in [
        (1, 1, few),
        (2, 2, few),
        (2, 2, many),
        (3, 3, few),
        (5, 5, many),
        (8, 8, few),
        (8, 5, many),
        (16, 16, few),
        (16, 16, many),
        (16, 3, few),
    ] {
        let alone = total(&Processes::alone(), count, used, length);
        for size in 1..=count {
            let sums =
                in_processes(size, |processes| total(processes, count, used, length)).unwrap();
            assert!(
                sums == vec![alone.clone(); size],
                "{length} values, {used} of {count} shards on {size} processes"
            );
        }
    }
}

#[test]
fn the_first_process_sends_its_bytes_and_all_are_gathered_in_order() {
    for size in [1, 2, 5] {
        let results = in_processes(size, |processes| {
            let rank = processes.rank();
            processes.barrier().unwrap();
            let sent = processes.broadcast(vec![7 + rank as u8; 3 * (rank + 1)]);
            (
                sent.unwrap(),
                processes.gather(vec![rank as u8; rank]).unwrap(),
            )
        })
        .unwrap();
        let gathered: Vec<Vec<u8>> = (0..size).map(|rank| vec![rank as u8; rank]).collect();
        assert_eq!(results, vec![(vec![7; 3], gathered); size]);
    }
}

#[test]
fn processes_that_fail_alike_find_each_other_while_others_wait() {
    let found = in_processes(4, |processes| match processes.rank() {
        0 => processes.barrier().unwrap_err().to_string(),
        rank => {
            let failure = if rank == 2 { 5 } else { 7 };
            let alike = processes.failed_alike(failure, Duration::from_secs(1));
            processes.abort(1);
            format!("{alike:?}")
        }
    });
    let found = found.unwrap();
    assert!(found[0].contains("aborted"), "{found:?}");
    assert_eq!(found[1..], ["[1, 3]", "[2]", "[1, 3]"]);
}

#[test]
fn a_long_wait_is_told_once_up_to_the_first_sum() {
    let told = Arc::new(AtomicUsize::new(0));
    let short = Duration::from_secs(1);
    for is_summed in [false, true] {
        told.store(0, Ordering::Relaxed);
        in_processes(2, |processes| {
            let told = Arc::clone(&told);
            let patience = Patience::new(short, move || _ = told.fetch_add(1, Ordering::Relaxed));
            let processes = if processes.is_first() {
                processes.clone().patient(patience)
            } else {
                processes.clone()
            };
            if is_summed {
                total(&processes, 2, 2, 1);
            }
            for _ in 0..if is_summed { 1 } else { 2 } {
                if !processes.is_first() {
                    thread::sleep(2 * short);
                }
                processes.barrier().unwrap();
            }
        })
        .unwrap();
        assert_eq!(told.load(Ordering::Relaxed), usize::from(!is_summed));
    }
}

#[test]
fn a_long_connecting_is_told() {
    let told = Arc::new(AtomicUsize::new(0));
    let of_telling = Arc::clone(&told);
    let patience = Patience::new(Duration::from_millis(20), move || {
        of_telling.fetch_add(1, Ordering::Relaxed);
    });
    let make = || {
        thread::sleep(Duration::from_millis(200));
        Err(anyhow!("late"))
    };
    assert!(Processes::with_patience(make, &patience).is_err());
    assert_eq!(told.load(Ordering::Relaxed), 1);
}

#[test]
fn a_transport_that_cannot_be_made_is_an_error() {
    let error = Processes::new(|| Err(anyhow!("no library"))).unwrap_err();
    assert_eq!(error.to_string(), "no library");
}
