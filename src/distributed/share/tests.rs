//! Tests of shared work.

use super::*;
use crate::distributed::threads;
use crate::error::hint_of;
use anyhow::{anyhow, bail};

/// Runs `work` in `size` processes, and returns their results. One that ends with an error stays, as a program does until it has
/// printed it.
fn in_processes<R: Send>(size: usize, work: impl Fn(&Processes) -> R + Sync) -> Vec<R> {
    let results = threads::in_processes(size, |processes| {
        let result = work(processes);
        // The calls of all match, and nobody waits for another one.
        processes.barrier().unwrap();
        result
    });
    results.unwrap()
}

/// Returns values whose bits a text would lose.
fn values(items: Range<usize>) -> Vec<f64> {
    items
        .map(|item| match item % 4 {
            0 => -0.0,
            1 => f64::NAN,
            2 => f64::NEG_INFINITY,
            _ => (item as f64).sin() * 1e-300,
        })
        .collect()
}

/// Works on `items` items in batches of 3, of which 4 cannot be read; returns what `each` received.
fn worked(items: usize, processes: &Processes) -> Vec<(Range<usize>, Vec<String>, Vec<u64>)> {
    let share = Share::new(items, 3, processes);
    let mut own = share.own().into_iter();
    let mut received = Vec::new();
    share
        .run(
            |batch| {
                assert!(own.by_ref().take(batch.len()).eq(batch.clone()));
                let item = |item: usize| match item {
                    4 => Err(error_with_hint("it is empty", "copy it").context("cannot read")),
                    item => Ok(10 * item),
                };
                Ok(BatchResults {
                    items: batch.clone().map(item).collect(),
                    values: values(batch),
                })
            },
            |batch, results| {
                let shown = results.items.iter().map(|item| match item {
                    Ok(fact) => fact.to_string(),
                    Err(error) => format!("{error:#}; {}", hint_of(error).unwrap()),
                });
                let bits = results.values.iter().map(|value| value.to_bits());
                received.push((batch, shown.collect(), bits.collect()));
                Ok(())
            },
        )
        .unwrap();
    assert_eq!(own.next(), None);
    received
}

#[test]
fn all_processes_receive_the_batches_of_one_process_in_order() {
    for items in [0, 1, 3, 7, 12, 25] {
        let alone = worked(items, &Processes::alone());
        assert_eq!(alone.len(), items.div_ceil(3));
        for size in 1..=4 {
            let all = in_processes(size, move |processes| worked(items, processes));
            assert_eq!(all, vec![alone.clone(); size], "{items} on {size}");
        }
    }
}

/// Works on 11 batches of one item; the batches in `failing` cannot be computed, and process `leaver` stops after `stop`. Returns the
/// batches that `each` received, and the error.
fn ended(
    processes: &Processes,
    failing: &[usize],
    leaver: usize,
    stop: usize,
) -> (Vec<usize>, Option<String>) {
    let mut received = Vec::new();
    let done = Share::new(11, 1, processes).run(
        |batch| {
            if failing.contains(&batch.start) {
                bail!("cannot compute {}", batch.start);
            }
            Ok(BatchResults {
                items: vec![Ok(())],
                values: Vec::new(),
            })
        },
        |batch, _| {
            received.push(batch.start);
            if processes.rank() == leaver && batch.start == stop {
                return Err(anyhow!("full"));
            }
            Ok(())
        },
    );
    (received, done.err().map(|error| error.to_string()))
}

#[test]
fn the_first_error_in_the_order_of_the_batches_ends_all_processes() {
    let alone = ended(&Processes::alone(), &[5, 6], 9, 0);
    assert_eq!(alone.0, [0, 1, 2, 3, 4]);
    assert_eq!(alone.1.as_deref(), Some("cannot compute 5"));
    for size in 1..=4 {
        let all = in_processes(size, |processes| ended(processes, &[6, 5], 9, 0));
        assert_eq!(all, vec![alone.clone(); size]);
    }
}

#[test]
fn a_process_that_stops_stops_the_others_in_the_next_round_even_after_the_last_batch() {
    for size in 2..=4 {
        for stop in [0, 4, 7, 10] {
            for leaver in 0..size {
                let all = in_processes(size, move |processes| ended(processes, &[], leaver, stop));
                for (rank, (received, error)) in all.into_iter().enumerate() {
                    let (last, message) = if rank == leaver {
                        (stop, "full")
                    } else {
                        (((stop / size + 1) * size - 1).min(10), "stopped")
                    };
                    assert!(received.into_iter().eq(0..=last));
                    assert_eq!(error.as_deref(), Some(message), "{leaver} of {size}");
                }
            }
        }
    }
}

#[test]
fn a_process_that_stops_in_the_round_of_an_error_ends_with_its_own() {
    let all = in_processes(3, |processes| ended(processes, &[5], 0, 3));
    let errors: Vec<_> = all.iter().map(|(_, error)| error.as_deref()).collect();
    let other = Some("cannot compute 5");
    assert_eq!(errors, [Some("full"), other, other]);
}

#[test]
fn lists_of_different_lengths_are_an_error_of_all_processes() {
    let errors = in_processes(3, |processes| {
        let items = if processes.rank() == 2 { 40 } else { 7 };
        let nothing = |_| bail!("computes");
        let done = Share::new(items, 3, processes).run::<()>(nothing, |_, _| Ok(()));
        done.unwrap_err().to_string()
    });
    let expected =
        "process 2 has 40 images in batches of 3, process 0 has 7 images in batches of 3";
    assert_eq!(errors, [expected; 3]);
}

#[test]
fn items_that_are_not_the_same_are_an_error_of_all_processes() {
    let errors = in_processes(2, |processes| {
        let hash = || Ok(format!("hash {}", processes.rank()));
        let nothing = |_| bail!("computes");
        let share = Share::new(7, 3, processes);
        let share = share.with_common("weights", hash).unwrap();
        let done = share.run::<()>(nothing, |_, _| Ok(()));
        done.unwrap_err().to_string()
    });
    let expected = "process 1 has other weights than process 0";
    assert_eq!(errors, [expected; 2]);
}

#[test]
fn a_result_is_ok_if_it_is_in_all_processes() {
    let results = in_processes(3, |processes| {
        let fine = processes.all_ok(Ok(processes.rank())).unwrap();
        let failed = match processes.rank() {
            0 => Ok(()),
            rank => Err(anyhow!("process {rank} lacks memory")),
        };
        let error = processes.all_ok(failed).unwrap_err();
        (fine, error.to_string())
    });
    let texts: Vec<&str> = results.iter().map(|(_, error)| error.as_str()).collect();
    assert_eq!(
        texts,
        [
            "process 1 lacks memory",
            "process 1 lacks memory",
            "process 2 lacks memory"
        ]
    );
    assert!(results.iter().map(|(fine, _)| *fine).eq(0..3));
}
