//! Validation, the features of a probe and the test of the best epoch, which processes share out: the results of one process, and stops
//! and errors of all. The processes are threads.

use super::processes::{in_processes, results, shared};
use anyhow::{Error, Result};
use image::{Rgb, RgbImage};
use resnet::error::{Message, one_line};
use resnet::train::{Epoch, Observer, Outcome, RunStarted, Step, StopReason, Trainer};
use std::fs;
use std::path::{Path, PathBuf};

/// Writes 32 images to train on, 19 to validate on and 11 to test on, in two classes; of the last two sets, the third of the first class
/// is damaged inside, which decoding alone tells.
fn images(folder: &Path) -> PathBuf {
    let data = folder.join("data");
    for (split, count) in [("train", 32), ("val", 19), ("test", 11)] {
        for number in 0..count {
            let class = ["a", "b"][number % 2];
            let path = data.join(split).join(class);
            fs::create_dir_all(&path).unwrap();
            let path = path.join(format!("{number:02}.png"));
            let (red, seed) = (60 + 120 * (number % 2), 7 * number + count);
            let color = |x: u32, y: u32| Rgb([red as u8, (x * y) as u8, (x as usize * seed) as u8]);
            RgbImage::from_fn(12, 12, color).save(&path).unwrap();
            if split != "train" && number == 4 {
                let mut bytes = fs::read(&path).unwrap();
                let (start, end) = (bytes.len() / 4, bytes.len() - 16);
                bytes[start..end].fill(0);
                fs::write(&path, &bytes).unwrap();
            }
        }
    }
    data
}

fn recipe(data: &Path, keys: &str) -> String {
    let data = data.display();
    format!(
        "data = '{data}'\ndepth = 20\nwidth = 4\nimage-size = 12\nseed = 5\nepochs = 2\nbatch-size = 8\nlr = 0.05\nshards = 4\n{keys}"
    )
}

/// Records events, and stops the run in an event of a task.
#[derive(Default)]
struct Recorder {
    events: Vec<String>,
    stop: Option<(&'static str, usize)>,
    is_stopped: bool,
}

impl Observer for Recorder {
    fn note(&mut self, _: &Message) {}

    fn started(&mut self, _: &RunStarted) {}

    fn step(&mut self, _: &Step) -> Result<()> {
        Ok(())
    }

    fn progress(&mut self, task: &str, done: usize, total: usize) {
        if let Some((stop, left)) = &mut self.stop
            && *stop == task
        {
            *left -= 1;
            self.is_stopped |= *left == 0;
        }
        self.events.push(format!("{task} {done}/{total}"));
    }

    fn epoch(&mut self, epoch: &Epoch, is_best: bool) -> Result<()> {
        let loss = epoch.val_loss.map(f64::to_bits);
        let epoch = epoch.epoch;
        self.events.push(format!("{epoch} {loss:?} {is_best}"));
        Ok(())
    }

    fn unreadable(&mut self, error: &Error) {
        self.events.push(one_line(error));
    }

    fn should_stop(&self) -> bool {
        self.is_stopped
    }
}

/// Trains in the run folder `run` on `size` processes, of which one stops in the `n`-th event of a task. Returns the outcome and the events
/// of each.
fn train(
    recipe: &str,
    run: &Path,
    size: usize,
    stop: Option<(usize, &'static str, usize)>,
) -> Vec<Result<(Outcome, Vec<String>)>> {
    in_processes(size, |processes| {
        let stop = stop.filter(|(stopper, ..)| *stopper == processes.rank());
        let mut recorder = Recorder {
            stop: stop.map(|(_, task, times)| (task, times)),
            ..Recorder::default()
        };
        let builder = shared(recipe, processes)?.output(run);
        let outcome = builder.observer(&mut recorder).start()?.run()?;
        let events = recorder.events.into_iter();
        let events = events.filter(|event| !event.starts_with("inspecting"));
        Ok((outcome, events.collect()))
    })
}

fn resume(run: &Path, size: usize) -> Vec<Outcome> {
    let done = in_processes(size, |processes| {
        let builder = Trainer::resume(run).workers(1).processes(processes);
        Ok(builder.start()?.run()?)
    });
    done.into_iter().map(Result::unwrap).collect()
}

/// Returns `metrics.csv` without its times.
fn metrics(run: &Path) -> Vec<String> {
    let metrics = fs::read_to_string(run.join("metrics.csv")).unwrap();
    let lines = metrics.lines().map(|line| line.rsplit_once(',').unwrap().0);
    lines.map(str::to_owned).collect()
}

#[test]
fn validation_test_and_features_are_those_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let data = images(folder.path());
    for (name, keys) in [("all", ""), ("probe", "freeze = 'backbone'")] {
        let recipe = recipe(&data, keys);
        let run = |size: usize| folder.path().join(format!("{name}-{size}"));
        let mut alone = train(&recipe, &run(1), 1, None);
        let (outcome, events) = alone.remove(0).unwrap();
        let test = outcome.test.unwrap();
        assert_eq!((outcome.reason, test.images), (StopReason::Done, 10));
        let unreadable = events.iter().filter(|event| event.contains("04.png"));
        assert_eq!(unreadable.count(), 2, "{events:?}");
        assert!(events.iter().any(|event| event == "validating 11/11"));
        for size in 2..=4 {
            for (rank, result) in train(&recipe, &run(size), size, None)
                .into_iter()
                .enumerate()
            {
                let (other, told) = result.unwrap();
                assert_eq!(told, events, "{name}, {rank} of {size}");
                assert_eq!(other.best_value, outcome.best_value);
                let tested = outcome.test.filter(|_| rank == 0);
                assert_eq!(other.test, tested, "{name}, {rank} of {size}");
            }
            assert_eq!(metrics(&run(size)), metrics(&run(1)));
            assert!(results(&run(size)) == results(&run(1)), "{name} on {size}");
        }
    }
}

#[test]
fn a_stop_of_one_process_in_shared_work_stops_all_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = images(folder.path());
    for (keys, task, times) in [
        ("", "validating", 2),
        // The third batch of validation is the last one of the epoch.
        ("", "validating", 3),
        // In the test of the best epoch.
        ("", "validating", 7),
        ("freeze = 'backbone'", "computing features", 1),
    ] {
        let recipe = recipe(&data, keys);
        let whole = folder.path().join(format!("whole-{task}-{times}"));
        let tested = train(&recipe, &whole, 1, None).remove(0).unwrap().0.test;
        assert!(tested.is_some());
        for stopper in [0, 1] {
            let run = folder.path().join(format!("{task}-{times}-{stopper}"));
            let stopped = train(&recipe, &run, 3, Some((stopper, task, times)));
            let first = stopped[0].as_ref().unwrap();
            assert!(
                matches!(first.0.reason, StopReason::Stopped { .. }),
                "{first:?}"
            );
            assert!(stopped.iter().all(Result::is_ok));
            assert_eq!(resume(&run, 2)[0].test, tested);
            assert_eq!(metrics(&run), metrics(&whole), "{task}, {stopper}");
            assert!(results(&run) == results(&whole), "{task}, {stopper}");
        }
    }
}

#[test]
fn an_unreadable_image_of_a_strict_run_is_the_same_error_in_all_processes() {
    let folder = tempfile::tempdir().unwrap();
    let data = images(folder.path());
    for keys in ["strict = true", "strict = true\nfreeze = 'backbone'"] {
        for size in 1..=4 {
            let run = folder.path().join(format!("{size}-{}", keys.len()));
            for result in train(&recipe(&data, keys), &run, size, None) {
                let error = one_line(&result.unwrap_err());
                assert!(error.starts_with("cannot read image `"), "{error}");
                assert!(error.contains("val/a/04.png"), "{error}");
            }
            assert!(run.join("state.safetensors").exists());
        }
    }
}
