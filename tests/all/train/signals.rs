//! Tests of Ctrl-C, SIGTERM and kill -9: what is saved, and that a resumed run equals an uninterrupted one.

use super::{SMALL, command, data, files, has_unfinished, outcome, timeless, train, trained};
use resnet::random::Random;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

/// Epochs of ten steps with many random options.
const RUN: &str = "--augment crop-flip --mixup 0.2 --ema 0.9 --optimizer adamw";

#[test]
fn a_run_that_was_told_to_stop_resumes_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let line = format!("-d data {SMALL} {RUN} --epochs 8 --format json");
    let whole = trained(folder, &format!("{line} -o whole"));
    let mut running = command(folder, &format!("{line} -o run")).start();
    let mut printed = running.read_until("\"step\":13,");
    running.signal("TERM");
    let done = running.finish();
    assert_eq!(done.status, 143, "{}", done.stderr);
    assert!(
        done.stderr
            .contains("`resnet train --resume run` resumes the run"),
        "{}",
        done.stderr
    );
    assert!(!done.stderr.contains("error"), "{}", done.stderr);
    printed += &done.stdout;
    // On with other threads, and stopped by Ctrl-C.
    let on = "--resume run --workers 3 --threads 3 --format json";
    let mut running = command(folder, on).start();
    printed += &running.read_until("\"step\":47,");
    running.signal("INT");
    let done = running.finish();
    assert_eq!(done.status, 130, "{}", done.stderr);
    printed += &done.stdout;
    printed += &trained(folder, "--resume run --threads 1 --format json").stdout;
    assert_eq!(timeless(&printed), timeless(&whole.stdout));
    assert!(outcome(&folder.join("run")) == outcome(&folder.join("whole")));
    // A finished run repeats no step.
    let before = outcome(&folder.join("run"));
    let done = trained(folder, "--resume run --format json");
    assert_eq!(done.stdout, "");
    assert!(outcome(&folder.join("run")) == before);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // A step of many seconds.
    let line = "-d fake:96 --depth 50 --image-size 112 -b 96 -o run";
    let running = command(folder, line).start();
    while !folder.join("run/config.toml").exists() {
        sleep(Duration::from_millis(5));
    }
    sleep(Duration::from_millis(300));
    running.signal("TERM");
    sleep(Duration::from_millis(200));
    let second = Instant::now();
    running.signal("INT");
    let done = running.finish();
    assert_eq!(done.status, 130, "{}", done.stderr);
    assert!(second.elapsed() < Duration::from_secs(3));
    assert!(folder.join("run/state.safetensors").is_file());
}

#[test]
fn a_stop_during_validation_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = "-d sample --depth 20 --width 32 -b 8 --max-steps 1 --format json";
    let whole = trained(folder, &format!("{line} -o whole"));
    let mut running = command(folder, &format!("{line} -o run")).start();
    let step = running.read_until("\"step\":1,");
    // A thousand images take longer.
    sleep(Duration::from_millis(50));
    running.signal("INT");
    let done = running.finish();
    assert_eq!(
        (done.status, done.stdout.as_str()),
        (130, ""),
        "{}",
        done.stderr
    );
    assert!(!folder.join("run/best").exists());
    let rest = trained(folder, "--resume run --format json");
    assert_eq!(timeless(&(step + &rest.stdout)), timeless(&whole.stdout));
    assert!(outcome(&folder.join("run")) == outcome(&folder.join("whole")));
}

/// Returns the time when the state was last saved.
fn saved(run: &Path) -> Option<SystemTime> {
    let state = fs::metadata(run.join("state.safetensors")).ok()?;
    state.modified().ok()
}

/// Asserts that every file under a final name is complete.
#[track_caller]
fn assert_whole(run: &Path) {
    for (path, bytes) in files(run) {
        match path.extension().and_then(|end| end.to_str()) {
            Some("safetensors") => {
                safetensors::SafeTensors::deserialize(&bytes).unwrap();
            }
            Some("json") => {
                serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
            }
            Some("toml" | "csv") => assert!(bytes.ends_with(b"\n"), "{}", path.display()),
            _ => {}
        }
    }
}

#[test]
fn a_run_killed_at_twenty_moments_ends_as_one_that_never_was() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let line = format!("-d data {SMALL} {RUN} --epochs 16 --checkpoint-every 2");
    trained(folder, &format!("{line} -o whole"));
    let run = folder.join("run");
    let mut random = Random::new(7, "kills");
    let (mut kills, mut begun) = (0, false);
    while kills < 20 {
        let line = if begun {
            "--resume run".to_owned()
        } else {
            format!("{line} -o run")
        };
        let mut running = command(folder, &line).start();
        // A few saves, so that it gets on however slow the machine is, and a moment more, that may be within one.
        for _ in 0..random.below(3) {
            let last = saved(&run);
            while saved(&run) == last && running.child.try_wait().unwrap().is_none() {
                sleep(Duration::from_micros(300));
            }
        }
        sleep(Duration::from_micros(random.below(9_000) as u64));
        running.child.kill().unwrap();
        let done = running.finish();
        assert_eq!(
            done.status, -1,
            "it ended before kill {kills}: {}",
            done.stderr
        );
        kills += 1;
        begun = saved(&run).is_some();
        if run.exists() {
            assert_whole(&run);
        }
    }
    trained(folder, "--resume run");
    assert!(outcome(&run) == outcome(&folder.join("whole")));
    assert!(!has_unfinished(&run));
}

#[test]
fn two_processes_never_write_to_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = format!("-d fake:400 {SMALL} --epochs 50 -o run --format json");
    let mut running = command(folder, &line).start();
    running.read_until("\"step\":2,");
    for line in ["--resume run".to_owned(), line] {
        let done = train(folder, &line);
        assert_eq!(done.status, 1, "{}", done.stderr);
        assert!(
            done.stderr.contains("is in use by another process")
                || done.stderr.contains("is not empty"),
            "{}",
            done.stderr
        );
        assert!(done.stderr.contains("\nhint: "), "{}", done.stderr);
    }
    running.child.kill().unwrap();
    running.finish();
    // The lock goes with the process.
    trained(folder, "--resume run --max-steps 3 -q");
}
