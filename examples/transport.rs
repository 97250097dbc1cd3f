//! Checks the transport between the processes that a launcher of MPI started.
//!
//!     cargo build --release --example transport
//!     mpirun -n 4 target/release/examples/transport exchange
//!
//! - `exchange` makes all calls with parts of many lengths and checks what arrives.
//! - `abort RANK` has one process abort with exit status 7 while the others wait, `handle RANK` from another
//!   thread while it waits itself, and `idle RANK` from another thread while it makes no call.
//! - `exit RANK` has one process end with exit status 7 without a word to the others.
//! - `delay` measures the time of small and large calls.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use anyhow::{Context, Result, bail, ensure};
use resnet::distributed::{LaunchedProcesses, Mode, Transport, connect};
use std::time::{Duration, Instant};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().context("no task")?;
    let rank = arguments.next().map(|rank| rank.parse::<usize>());
    let is_chosen = |own| rank.as_ref() == Some(&Ok(own));
    let plan = LaunchedProcesses::detect(Mode::Auto, |name| std::env::var(name).ok())?;
    let mut transport = connect(&plan.context("one process")?)?;
    let (own, size) = (transport.rank(), transport.size());
    match task.as_str() {
        "exchange" => {
            for round in 0..40 {
                exchange(&mut *transport, round)?;
            }
            large(&mut *transport)?;
            transport.barrier()?;
            println!("process {own} of {size} exchanged");
        }
        "abort" if is_chosen(own) => transport.abort(7),
        "handle" if is_chosen(own) => {
            let handle = transport.abort_handle();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(100));
                handle.abort(7);
            });
            transport.broadcast(&mut [0], (own + 1) % size)?;
        }
        "exit" if is_chosen(own) => std::process::exit(7),
        "idle" if is_chosen(own) => {
            let handle = transport.abort_handle();
            std::thread::spawn(move || handle.abort(7));
            std::thread::sleep(Duration::from_mins(1));
        }
        "abort" | "handle" | "idle" | "exit" => {
            transport.barrier()?;
            println!("process {own} was not ended");
        }
        "delay" => delay(&mut *transport)?,
        _ => bail!("no task `{task}`"),
    }
    Ok(())
}

/// Returns what process `from` sends process `to`: another length and other bytes for each pair and round.
fn part(from: usize, to: usize, round: usize) -> Vec<u8> {
    let length = (from * 7 + to * 3 + round * round * 11) % (1 + round * 97);
    let byte = |index: usize| (from * 31 + to * 17 + round + index) as u8;
    (0..length).map(byte).collect()
}

/// Makes each call once.
fn exchange(transport: &mut dyn Transport, round: usize) -> Result<()> {
    let (own, size) = (transport.rank(), transport.size());
    let sent: Vec<_> = (0..size).map(|to| part(own, to, round)).collect();
    let expected: Vec<_> = (0..size).map(|from| part(from, own, round)).collect();
    let lengths = |parts: &[Vec<u8>]| parts.iter().map(Vec::len).collect::<Vec<_>>();
    let mut received = vec![0; expected.concat().len()];
    transport.all_to_all(
        &sent.concat(),
        &lengths(&sent),
        &mut received,
        &lengths(&expected),
    )?;
    ensure!(received == expected.concat(), "all_to_all, round {round}");
    let expected: Vec<_> = (0..size).map(|from| part(from, 0, round)).collect();
    let mut received = vec![0; expected.concat().len()];
    transport.all_gather(&expected[own], &mut received, &lengths(&expected))?;
    ensure!(received == expected.concat(), "all_gather, round {round}");
    let root = round % size;
    let expected = part(root, 1, round);
    let mut bytes = if own == root {
        expected.clone()
    } else {
        vec![0; expected.len()]
    };
    transport.broadcast(&mut bytes, root)?;
    ensure!(bytes == expected, "broadcast, round {round}");
    transport.barrier()
}

/// Sends more than one call of MPI takes at once.
fn large(transport: &mut dyn Transport) -> Result<()> {
    let (own, size) = (transport.rank(), transport.size());
    let bytes = |from: usize, length: usize| -> Vec<u8> {
        (0..length)
            .map(|index| (index / 1000 + from) as u8)
            .collect()
    };
    let lengths: Vec<usize> = (0..size).map(|rank| 20_000_000 * rank + 3).collect();
    let mut received = vec![0; lengths.iter().sum()];
    transport.all_gather(&bytes(own, lengths[own]), &mut received, &lengths)?;
    let parts = lengths.iter().enumerate();
    let expected: Vec<_> = parts.map(|(from, length)| bytes(from, *length)).collect();
    ensure!(received == expected.concat(), "a large all_gather");
    let expected = bytes(9, 70_000_001);
    let mut received = if own == 0 {
        expected.clone()
    } else {
        vec![0; expected.len()]
    };
    transport.broadcast(&mut received, 0)?;
    ensure!(received == expected, "a large broadcast");
    Ok(())
}

/// Prints the median time of calls in process 0.
fn delay(transport: &mut dyn Transport) -> Result<()> {
    let (own, size) = (transport.rank(), transport.size());
    for length in [0, 1 << 10, 1 << 20, 1 << 24] {
        let (sent, mut received) = (vec![1; length * size], vec![0; length * size]);
        let lengths = vec![length; size];
        let mut times = Vec::new();
        for _ in 0..if length > 1 << 20 { 20 } else { 200 } {
            transport.barrier()?;
            let start = Instant::now();
            transport.all_to_all(&sent, &lengths, &mut received, &lengths)?;
            times.push(start.elapsed());
        }
        times.sort();
        if own == 0 {
            println!("{length} bytes to each: {:?}", times[times.len() / 2]);
        }
    }
    Ok(())
}
