//! Images that cannot be read, in the shards of several processes, which are threads here.

use super::super::write_images;
use super::{SMALL, in_processes, results, shared};
use resnet::error::Message;
use resnet::train::{Epoch, Observer, RunStarted, Step, StopReason};
use std::fs;
use std::path::Path;

/// Records the unreadable images of a process.
#[derive(Default)]
struct Unreadable(Vec<String>);

impl Observer for Unreadable {
    fn note(&mut self, _: &Message) {}

    fn started(&mut self, _: &RunStarted) {}

    fn step(&mut self, _: &Step) -> anyhow::Result<()> {
        Ok(())
    }

    fn progress(&mut self, _: &str, _: usize, _: usize) {}

    fn epoch(&mut self, _: &Epoch, _: bool) -> anyhow::Result<()> {
        Ok(())
    }

    fn unreadable(&mut self, error: &anyhow::Error) {
        self.0.push(format!("{error:#}"));
    }

    fn should_stop(&self) -> bool {
        false
    }
}

/// Writes 24 images, of which decoding alone finds that two cannot be read.
fn write_torn(data: &Path) {
    write_images(&data.join("train"), &[("a", 12), ("b", 12)]);
    write_images(&data.join("val"), &[("a", 2), ("b", 2)]);
    for name in ["a/3.png", "b/7.png"] {
        let file = data.join("train").join(name);
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        fs::write(file, bytes).unwrap();
    }
}

/// Trains two epochs in three shards on `size` processes; returns the unreadable images that each has noted, or its error.
fn train(data: &Path, keys: &str, run: &Path, size: usize) -> Vec<Result<Vec<String>, String>> {
    let keys = format!(
        "{SMALL}data = '{}'\nbatch-size = 6\nlr = 0.05\nepochs = 2\nshards = 3\n{keys}",
        data.display()
    );
    let done = in_processes(size, |processes| {
        let mut observer = Unreadable::default();
        let builder = shared(&keys, processes)?.output(run);
        let outcome = builder.observer(&mut observer).start()?.run()?;
        assert_eq!(outcome.reason, StopReason::Done);
        Ok(observer.0)
    });
    let texts = done
        .into_iter()
        .map(|result| result.map_err(|error| format!("{error:#}")));
    texts.collect()
}

#[test]
fn an_unreadable_image_in_a_shard_of_any_process_is_noted_once_and_leaves_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let data = folder.join("data");
    write_torn(&data);
    for keys in ["", "no-shuffle = true\ngrad-accumulation = 2\nmixup = 0.2"] {
        let run = |size: usize| folder.join(format!("{}-{size}", keys.len()));
        let alone = train(&data, keys, &run(1), 1).remove(0).unwrap();
        assert_eq!(alone.len(), 2, "{alone:?}");
        for name in ["train/a/3.png", "train/b/7.png"] {
            let noted = alone.iter().filter(|error| error.contains(name));
            assert_eq!(noted.count(), 1, "{alone:?}");
        }
        for size in [2, 3] {
            for noted in train(&data, keys, &run(size), size) {
                assert_eq!(noted.unwrap(), alone, "on {size} processes");
            }
            assert!(
                results(&run(size)) == results(&run(1)),
                "on {size} processes"
            );
        }
    }
}

#[test]
fn a_strict_run_ends_with_the_error_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let data = folder.join("data");
    write_torn(&data);
    let keys = "strict = true\nno-shuffle = true";
    let alone = train(&data, keys, &folder.join("1"), 1).remove(0);
    let expected = alone.unwrap_err();
    assert!(
        expected.starts_with("cannot read image") && expected.contains("train/a/3.png"),
        "{expected}"
    );
    for size in [2, 3] {
        let run = folder.join(size.to_string());
        for result in train(&data, keys, &run, size) {
            assert_eq!(result.unwrap_err(), expected, "on {size} processes");
        }
    }
}
