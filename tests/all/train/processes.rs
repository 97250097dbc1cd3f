//! Training in shards: the same bits on any number of processes, which are threads here.

mod unreadable;

use resnet::distributed::{Processes, threads};
use resnet::train::{Recipe, StopReason, Trainer, TrainerBuilder};
use std::path::Path;

pub(super) const SMALL: &str = "depth = 20\nwidth = 4\nimage-size = 12\nseed = 5\n";

/// Runs `work` in `size` processes and returns their results; an error ends all.
pub(super) fn in_processes<R: Send>(
    size: usize,
    work: impl Fn(Processes) -> anyhow::Result<R> + Sync,
) -> Vec<anyhow::Result<R>> {
    let results = threads::in_processes(size, |processes| {
        let done = work(processes.clone());
        if done.is_err() {
            processes.abort(1);
        }
        done
    });
    results.unwrap()
}

/// Returns the builder of a run of the recipe `keys` that `processes` share.
pub(super) fn shared<'a>(keys: &str, processes: Processes) -> anyhow::Result<TrainerBuilder<'a>> {
    let builder = Trainer::from_recipe(Recipe::parse(keys)?);
    Ok(builder.workers(1).processes(processes))
}

/// Trains the recipe `keys`, beside [`SMALL`], in the run folder `run` on `size` processes.
pub(super) fn train(keys: &str, run: &Path, size: usize) {
    train_recipe(&format!("{SMALL}{keys}"), run, size);
}

/// Trains a whole recipe.
pub(super) fn train_recipe(keys: &str, run: &Path, size: usize) {
    let done = in_processes(size, |processes| {
        Ok(shared(keys, processes)?.output(run).start()?.run()?)
    });
    for outcome in done {
        assert_eq!(outcome.unwrap().reason, StopReason::Done);
    }
}

/// Resumes a run, to be of this many epochs.
fn resume(run: &Path, epochs: u64, size: usize) {
    let done = in_processes(size, |processes| {
        let builder = Trainer::resume(run).workers(1).processes(processes);
        Ok(builder.epochs(epochs).start()?.run()?)
    });
    for outcome in done {
        outcome.unwrap();
    }
}

/// Trains `keys` in a number of shards on each number of processes up to it, in folders below `folder` that begin with `name`, and compares
/// the results.
#[track_caller]
pub(super) fn assert_same_bits(folder: &Path, name: &str, keys: &str, shards: usize) {
    let keys = format!("{keys}\nshards = {shards}");
    let run = |size: usize| folder.join(format!("{name}-{size}"));
    train(&keys, &run(1), 1);
    let alone = results(&run(1));
    for size in 2..=shards {
        train(&keys, &run(size), size);
        assert!(results(&run(size)) == alone, "{name} on {size} processes");
    }
}

/// Ends runs of `keys`, of two epochs, after two steps on the first number of processes of each pair, resumes them on the second, and compares
/// the weights with those of a whole run.
#[track_caller]
pub(super) fn assert_resumes(folder: &Path, keys: &str, numbers: [[usize; 2]; 3]) {
    let keys = format!("{keys}\nepochs = 2");
    let whole = folder.join("whole");
    train(&keys, &whole, 1);
    for [first, second] in numbers {
        let run = folder.join(format!("{first}-{second}"));
        train(&format!("{keys}\nmax-steps = 2"), &run, first);
        resume(&run, 2, second);
        assert!(
            results(&run).0 == results(&whole).0,
            "on {first}, then on {second}"
        );
    }
}

/// Returns the saved weights, and the losses of `metrics.csv` without its times.
pub(super) fn results(run: &Path) -> (Vec<u8>, Vec<String>) {
    let metrics = std::fs::read_to_string(run.join("metrics.csv")).unwrap();
    let lines = metrics
        .lines()
        .map(|line| line.split(',').take(4).collect::<Vec<_>>().join(","));
    let weights = std::fs::read(run.join("last/model.safetensors")).unwrap();
    (weights, lines.collect())
}

#[test]
fn a_recipe_in_shards_trains_to_the_same_bits_on_any_number_of_processes() {
    let folder = tempfile::tempdir().unwrap();
    for (name, keys, shards) in [
        (
            "plain",
            "data = 'fake:22:3'\nepochs = 2\nbatch-size = 8\nlr = 0.05",
            4,
        ),
        (
            "all",
            "data = 'fake:30:3'\nepochs = 2\nbatch-size = 9\nlr = 0.05\nmixup = 0.3\nema = 0.9\nclip-grad = 0.5\ngrad-accumulation = 2\noptimizer = 'adamw'",
            3,
        ),
        (
            "weights",
            "data = 'fake:24:3'\nepochs = 1\nbatch-size = 8\nlr = 0.05\nclass-weights = 'auto'\nfreeze = 'layer1'",
            2,
        ),
        (
            "f64",
            "data = 'fake:12:3'\nepochs = 1\nbatch-size = 6\nlr = 0.05\ndtype = 'f64'",
            3,
        ),
        (
            "probe",
            "data = 'fake:24:3'\nepochs = 2\nbatch-size = 8\nlr = 0.05\nfreeze = 'backbone'",
            4,
        ),
        (
            "whole",
            "data = 'fake:12:3'\nepochs = 1\nbatch-size = 6\nlr = 0.05",
            1,
        ),
    ] {
        assert_same_bits(folder.path(), name, keys, shards);
    }
}

#[test]
fn a_run_resumes_on_another_number_of_processes_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let keys = "data = 'fake:24:3'\nbatch-size = 8\nlr = 0.05\nscheduler = 'constant'\nshards = 4";
    assert_resumes(folder.path(), keys, [[4, 1], [1, 4], [2, 3]]);
}

#[test]
fn shards_differ_from_a_whole_batch_by_their_statistics() {
    let folder = tempfile::tempdir().unwrap();
    let weights = |shards: usize| {
        let run = folder.path().join(shards.to_string());
        let keys = "data = 'fake:16:3'\nepochs = 1\nbatch-size = 8\nlr = 0.05\nno-shuffle = true";
        train(&format!("{keys}\nshards = {shards}"), &run, 1);
        results(&run).0
    };
    let [whole, halves, quarters] = [1, 2, 4].map(weights);
    assert!(whole != halves && halves != quarters);
}

#[test]
fn more_processes_than_shards_are_refused() {
    let errors = in_processes(3, |processes| {
        let keys = format!("{SMALL}data = 'fake:16:3'\nbatch-size = 8\nshards = 2");
        let prepared = shared(&keys, processes)?.dry_run().start();
        Ok(prepared.map(drop)?)
    });
    let error = errors[0].as_ref().unwrap_err();
    assert_eq!(
        error.to_string(),
        "2 shards cannot be shared by 3 processes"
    );
}

#[test]
fn a_process_with_other_data_stops_the_run_by_its_number() {
    let errors = in_processes(2, |processes| {
        let images = if processes.is_first() { 16 } else { 18 };
        let keys = format!("{SMALL}data = 'fake:{images}:3'\nbatch-size = 8");
        let prepared = shared(&keys, processes)?.dry_run().start();
        Ok(prepared.map(drop)?)
    });
    let error = errors[0].as_ref().unwrap_err();
    assert_eq!(
        error.to_string(),
        "process 1 has data = fake:18:3, process 0 has data = fake:16:3"
    );
}
