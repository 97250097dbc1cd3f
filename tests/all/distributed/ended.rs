//! Runs that a killed process, a signal or a full disk ends: no process survives, and the run resumes to the bits of a whole one.

use super::launched::{Launched, signal};
use super::support::launcher;
use super::training::resnet;
use std::fs;
use std::path::Path;
use std::process::Command;

const FAMILIES: [&str; 2] = ["mpich", "openmpi"];

/// Forty steps of some milliseconds, in four shards.
const RUN: &str = "train -d fake:80:3 --depth 20 --width 8 --image-size 24 --seed 5 -b 8 --lr 0.05 --epochs 4 --shards 4 --ema 0.9 \
    --optimizer adamw";

/// Runs `resnet` to its end, which must be a success.
#[track_caller]
fn done(folder: &Path, arguments: &str, mpi: Option<(&Path, &str, usize)>) {
    let output = resnet(folder, arguments, mpi);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {errors}");
}

/// The models of a run, and its metrics without the seconds.
type Results = (Vec<Vec<u8>>, Vec<String>);

/// Returns the outcome of [`RUN`] in one process, which nothing ends.
fn uninterrupted(folder: &Path) -> Results {
    done(folder, &format!("{RUN} -q -o whole"), None);
    outcome(&folder.join("whole"))
}

fn outcome(run: &Path) -> Results {
    let models = ["best", "last"].map(|model| run.join(model).join("model.safetensors"));
    let metrics = fs::read_to_string(run.join("metrics.csv")).unwrap();
    let lines = metrics
        .lines()
        .map(|line| line.rsplit_once(',').unwrap().0.to_owned());
    (
        models.map(|model| fs::read(model).unwrap()).to_vec(),
        lines.collect(),
    )
}

/// Starts [`RUN`] in `processes` processes, saves it every second step, and waits for its seventh step.
fn begun(launcher: &Path, family: &str, processes: usize, folder: &Path, run: &Path) -> Launched {
    let arguments = format!(
        "{RUN} --checkpoint-every 2 --format json -o {}",
        run.display()
    );
    let launched = Launched::start(launcher, family, processes, folder, &arguments, run);
    launched.wait_for("\"step\":7,");
    launched
}

/// Checks that every file of a run under its final name is complete, and that it has a state.
#[track_caller]
fn assert_intact(run: &Path) {
    let state = fs::read(run.join("state.safetensors")).unwrap();
    safetensors::SafeTensors::deserialize(&state).unwrap();
    for model in ["best", "last"] {
        if let Ok(bytes) = fs::read(run.join(model).join("model.safetensors")) {
            safetensors::SafeTensors::deserialize(&bytes).unwrap();
        }
    }
}

#[test]
fn a_run_survives_the_kill_of_any_process_and_resumes_on_other_numbers_of_them() {
    let Some(launcher) = launcher() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let whole = uninterrupted(folder);
    for family in FAMILIES {
        for (killed, resumed) in [(0, 3), (1, 1), (2, 4)] {
            let run = folder.join(format!("{family}-{killed}"));
            let launched = begun(&launcher, family, 3, folder, &run);
            let ranks = launched.ranks();
            assert_eq!(ranks.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
            signal(ranks[&killed], "KILL");
            let ended = launched.finish();
            assert!(!ended.success, "{ended:?}");
            assert!(!ended.lines.concat().contains("\"step\":40,"), "{ended:?}");
            assert_intact(&run);
            let mpi = Some((launcher.as_path(), family, resumed)).filter(|_| resumed > 1);
            done(folder, &format!("train --resume {} -q", run.display()), mpi);
            assert!(outcome(&run) == whole, "{family}, {killed} killed");
        }
    }
}

#[test]
fn a_signal_at_the_launcher_saves_the_run() {
    let Some(launcher) = launcher() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let whole = uninterrupted(folder);
    for family in FAMILIES {
        for name in ["TERM", "INT"] {
            let run = folder.join(format!("{family}-{name}"));
            let arguments = format!("{RUN} --format json -o {}", run.display());
            let launched = Launched::start(&launcher, family, 2, folder, &arguments, &run);
            launched.wait_for("\"step\":5,");
            launched.signal_launcher(name);
            let ended = launched.finish();
            assert!(!ended.success, "{ended:?}");
            let line = format!("train --resume {} --format json", run.display());
            let rest = resnet(folder, &line, None);
            let stdout = String::from_utf8(rest.stdout).unwrap();
            assert!(
                !stdout.contains("\"step\":5,") && stdout.contains("\"step\":40,"),
                "{family}, {name}: nothing was saved: {ended:?}\n{stdout}"
            );
            assert!(outcome(&run) == whole, "{family}, {name}");
        }
    }
}

#[test]
fn a_full_disk_of_the_first_process_ends_all_with_one_error() {
    let Some(launcher) = launcher() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let whole = uninterrupted(folder);
    for family in FAMILIES {
        let run = folder.join(family);
        let launched = begun(&launcher, family, 2, folder, &run);
        // A larger file fails as on a full disk. MPI has its files already.
        let limited = Command::new("prlimit")
            .args(["--fsize=20480", "--pid", &launched.ranks()[&0].to_string()])
            .status();
        assert!(limited.unwrap().success());
        let ended = launched.finish();
        assert!(!ended.success, "{ended:?}");
        let error = format!("error: cannot write `{}/", run.display());
        assert_eq!(ended.stderr.matches(&error).count(), 1, "{ended:?}");
        assert_eq!(ended.stderr.matches("error: ").count(), 1, "{ended:?}");
        assert_intact(&run);
        done(
            folder,
            &format!("train --resume {} -q", run.display()),
            None,
        );
        assert!(outcome(&run) == whole, "{family}");
    }
}
