//! Resumed runs: with another length, with data that has changed, and with flags that they cannot have.

use super::{SMALL, command, data, files, metrics, outcome, train, trained, undated_files};
use resnet_kernels::cpu;
use std::fs;

#[test]
fn a_run_that_ended_inside_an_epoch_resumes_as_if_it_had_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let line = format!("-d data {SMALL} --ema 0.9 --grad-accumulation 2 --epochs 4");
    trained(folder, &format!("{line} -o whole"));
    trained(folder, &format!("{line} --max-steps 13 -o short"));
    trained(folder, &format!("{line} --max-steps 3 -o run"));
    // best/, last/ and metrics.csv are written as at an epoch's end.
    assert_eq!(metrics(&folder.join("run")).len(), 2);
    trained(folder, "--resume run --max-steps 8");
    let done = trained(folder, "--resume run --max-steps 13");
    assert!(!done.stderr.contains("new schedule"), "{}", done.stderr);
    assert!(outcome(&folder.join("run")) == outcome(&folder.join("short")));
    assert_eq!(metrics(&folder.join("run")).len(), 4);
    // Again the same length: the same files.
    let done = trained(folder, "--resume run");
    assert!(
        done.stderr.starts_with(
            "note: the run is finished after 13 steps; `resnet train --resume run --epochs 4` extends it"
        ),
        "{}",
        done.stderr
    );
    assert!(outcome(&folder.join("run")) == outcome(&folder.join("short")));
    let done = train(folder, "--resume run --max-steps 12");
    assert_eq!(done.status, 2, "{}", done.stderr);
    assert!(
        done.stderr.contains("cannot end at step 12: 13 are done"),
        "{}",
        done.stderr
    );
    // From elsewhere, where the data's name leads nowhere.
    let elsewhere = tempfile::tempdir().unwrap();
    let run = folder.join("run");
    trained(
        elsewhere.path(),
        &format!("--resume {} --epochs 4", run.display()),
    );
    assert!(outcome(&folder.join("run")) == outcome(&folder.join("whole")));
}

/// The state has the weights of an end inside an epoch, so its files are restored.
#[test]
fn the_model_of_an_end_inside_an_epoch_is_restored_from_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let run = folder.join("run");
    let line = format!("-d data {SMALL} --epochs 3 --max-steps 3");
    trained(folder, &format!("{line} -o run"));
    let whole = files(&run);
    fs::remove_dir_all(run.join("best")).unwrap();
    let done = trained(folder, "--resume run");
    let finished = "note: the run is finished after 3 steps";
    assert!(done.stderr.starts_with(finished), "{}", done.stderr);
    let best = run.join("best/model.safetensors");
    assert_eq!(fs::read(&best).unwrap(), whole[&best]);
}

/// The state has no weights of an earlier epoch: the end is repeated, and its model is the best from there on.
#[test]
fn a_run_whose_best_of_an_earlier_epoch_is_gone_repeats_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = folder.join("run");
    let line = format!("-d fake:48:4 --val-split 0.2 {SMALL} --epochs 3 --max-steps 13 -o run");
    trained(folder, &line);
    let selected = fs::read_to_string(run.join("metrics.csv")).unwrap();
    fs::remove_dir_all(run.join("best")).unwrap();
    let done = trained(folder, "--resume run");
    assert!(!done.stderr.contains("finished"), "{}", done.stderr);
    assert!(done.stderr.contains("\nepoch 2/3: "), "{}", done.stderr);
    assert!(run.join("best/model.safetensors").is_file());
    let rows = |text: &str| text.lines().count();
    let repeated = fs::read_to_string(run.join("metrics.csv")).unwrap();
    assert_eq!(rows(&repeated), rows(&selected));
    let done = trained(folder, "--resume run");
    let finished = "note: the run is finished after 13 steps";
    assert!(done.stderr.starts_with(finished), "{}", done.stderr);
}

#[test]
fn an_epoch_that_cannot_be_validated_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let line = format!("-d data {SMALL} --epochs 2 --strict");
    trained(folder, &format!("{line} -o whole"));
    let image = folder.join("data/val/b/1.png");
    let good = fs::read(&image).unwrap();
    // Damaged where the look at the files before training does not see it.
    let mut damaged = good.clone();
    let middle = good.len() / 2;
    damaged[middle..middle + 8].fill(0);
    fs::write(&image, damaged).unwrap();
    let done = train(folder, &format!("{line} -o run"));
    assert_eq!(done.status, 1, "{}", done.stderr);
    assert!(done.stderr.contains("1.png"), "{}", done.stderr);
    fs::write(&image, good).unwrap();
    let done = trained(folder, "--resume run");
    assert!(
        done.stderr.contains(" at step 11 (epoch 1)"),
        "{}",
        done.stderr
    );
    assert!(outcome(&folder.join("run")) == outcome(&folder.join("whole")));
}

#[test]
fn more_epochs_extend_a_run_and_say_what_that_does() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let line = format!("-d data {SMALL} -b 10 -o run");
    trained(folder, &format!("{line} --epochs 2"));
    let first = fs::read_to_string(folder.join("run/metrics.csv")).unwrap();
    let done = trained(folder, "--resume run --epochs 3");
    assert!(
        done.stderr.contains(
            "the run now has 3 epochs, not 2: the learning rate follows the new schedule"
        ),
        "{}",
        done.stderr
    );
    // The length that was asked for is no edit.
    assert!(!done.stderr.contains("config.toml"), "{}", done.stderr);
    let longer = fs::read_to_string(folder.join("run/metrics.csv")).unwrap();
    assert!(longer.starts_with(&first), "{longer}");
    assert_eq!(longer.matches("train_loss").count(), 1);
    assert_eq!(longer.lines().count(), 4);
    let config = fs::read_to_string(folder.join("run/config.toml")).unwrap();
    assert!(config.contains("\nepochs = 3\n"), "{config}");
    assert!(
        config.contains("-o run --epochs 2"),
        "the command that began it: {config}"
    );
    // A finished run is noted, and nothing is computed.
    let done = trained(folder, "--resume run");
    assert!(
        done.stderr.contains(
            "the run is finished after 3 epochs; `resnet train --resume run --epochs 6` extends it"
        ) && !done.stderr.contains("resuming"),
        "{}",
        done.stderr
    );
    let done = train(folder, "--resume run --epochs 2");
    assert_eq!(done.status, 2);
    assert!(
        done.stderr
            .contains("cannot end at epoch 2: epoch 3 has started"),
        "{}",
        done.stderr
    );
    // More steps than the epochs have bring the epochs that they take.
    trained(folder, "--resume run --max-steps 14");
    assert_eq!(metrics(&folder.join("run")).len(), 5);
}

#[test]
fn a_flag_that_a_resumed_run_cannot_be_given_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let done = train(folder.path(), "--resume run --lr 1");
    assert_eq!(done.status, 2, "{}", done.stderr);
    let error = "error: --lr cannot be used with --resume, which keeps the settings of the run\nhint: only --epochs, ";
    assert!(done.stderr.starts_with(error), "{}", done.stderr);
}

#[test]
fn what_is_no_run_and_data_that_have_changed_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let no_runs = "hint: pass a run folder of `resnet train`, such as `runs/sample-resnet20-1`";
    let refuse = |path: &str, what: &str, hint: &str| {
        let done = train(folder, &format!("--resume {path}"));
        let expected = format!("error: cannot resume `{path}`: {what}\n{hint}\n");
        // What is missing is a failure, what cannot be a run is wrong usage.
        let status = if what.contains("part of a run") { 2 } else { 1 };
        assert_eq!((done.status, done.stderr), (status, expected));
    };
    refuse("missing", "there is no such folder", no_runs);
    refuse("data", "it has no `state.safetensors`", no_runs);
    fs::write(folder.join("weights.txt"), "1\n2\n3\n4\n").unwrap();
    let line = format!("-d data {SMALL} --epochs 2 --class-weights weights.txt");
    trained(folder, &format!("{line} -o whole"));
    trained(folder, &format!("{line} --max-steps 7 -o run"));
    refuse(
        "rum",
        "there is no such folder",
        "hint: there are `run` and `whole`",
    );
    refuse(
        "run/state.safetensors",
        "it is part of a run",
        "hint: pass the run's folder: `--resume run`",
    );
    refuse(
        "run/best",
        "it is part of a run",
        "hint: pass the run's folder: `--resume run`",
    );
    for word in ["last", "latest"] {
        refuse(
            word,
            "there is no such folder",
            "hint: leave it out: --resume alone resumes the newest unfinished run",
        );
    }
    // The name of a run without its folder.
    trained(folder, &format!("-d fake:8 {SMALL} --name runner"));
    refuse(
        "runner",
        "there is no such folder",
        "hint: there is `runs/runner`",
    );
    // What the state holds need not be there any more.
    fs::remove_file(folder.join("weights.txt")).unwrap();
    fs::write(folder.join("run/.abcdef.part"), "half").unwrap();
    fs::write(folder.join("run/best/.abcdef.part"), "half").unwrap();
    fs::remove_file(folder.join("run/config.toml")).unwrap();
    let image = folder.join("data/train/a/3.png");
    let bytes = fs::read(&image).unwrap();
    fs::remove_file(&image).unwrap();
    let before = files(&folder.join("run"));
    let done = train(folder, "--resume run --epochs 2");
    assert_eq!(done.status, 1, "{}", done.stderr);
    let error = "error: cannot resume `run`: the images of dataset `data` are not those that";
    assert!(done.stderr.starts_with(error), "{}", done.stderr);
    assert!(
        done.stderr.contains("\nhint: restore the images"),
        "{}",
        done.stderr
    );
    let whole = before
        .into_iter()
        .filter(|(path, _)| !path.ends_with(".abcdef.part"));
    assert!(whole.eq(files(&folder.join("run"))));
    fs::write(&image, &bytes).unwrap();
    trained(folder, "--resume run --epochs 2");
    assert!(outcome(&folder.join("run")) == outcome(&folder.join("whole")));
    assert!(!super::has_unfinished(&folder.join("run")));
    assert!(folder.join("run/config.toml").is_file());
}

#[test]
fn a_damaged_state_is_an_error_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fs::create_dir_all(run.join("last")).unwrap();
    fs::write(run.join("state.safetensors"), "<html>not found</html>").unwrap();
    let done = train(folder.path(), "--resume run");
    assert_eq!(done.status, 1, "{}", done.stderr);
    let error = "error: cannot resume `run`: cannot read `run/state.safetensors`: it is damaged or truncated (";
    assert!(done.stderr.starts_with(error), "{}", done.stderr);
    assert!(
        done.stderr.contains("with `-m run/last`\n"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_run_that_stopped_early_resumes_with_new_patience() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let line = format!("-d data {SMALL} --freeze backbone --lr 1e-30 --epochs 9 --patience 2");
    // A head that does not move is never better than after its first epoch; of equal epochs the last is the best.
    let done = trained(folder, &format!("{line} -o run"));
    for text in [
        "early stopping: no improvement in 2 epochs",
        "best epoch 3: ",
    ] {
        assert!(done.stderr.contains(text), "{}", done.stderr);
    }
    assert_eq!(metrics(&folder.join("run")).len(), 1 + 3);
    let done = trained(folder, "--resume run");
    assert_eq!(metrics(&folder.join("run")).len(), 1 + 3);
    assert!(
        done.stderr.contains("the run stopped early after epoch 3: no improvement in 2 epochs; `resnet train --resume run --epochs 9` extends it"),
        "{}",
        done.stderr
    );
    let done = trained(folder, "--resume run --epochs 9");
    assert!(
        done.stderr.contains("--patience 2 counts from epoch 3"),
        "{}",
        done.stderr
    );
    assert_eq!(metrics(&folder.join("run")).len(), 1 + 5);
}

#[test]
fn a_run_that_ended_inside_an_epoch_is_finished_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let line = format!("-d data {SMALL} --epochs 4");
    for (steps, run, length) in [
        (3, "first", "--max-steps 3"),
        (17, "later", "--epochs 4 --max-steps 17"),
    ] {
        let began = trained(folder, &format!("{line} --max-steps {steps} -o {run}"));
        let best = began
            .stderr
            .lines()
            .find(|line| line.contains("best epoch "));
        let before = undated_files(&folder.join(run));
        // A missing file is restored.
        fs::remove_file(folder.join(run).join("metrics.csv")).unwrap();
        let done = trained(folder, &format!("--resume {run} {length}"));
        let expected = format!(
            "note: the run is finished after {steps} steps; `resnet train --resume {run} --epochs 4` extends it\n"
        );
        assert!(done.stderr.starts_with(&expected), "{}", done.stderr);
        assert!(done.stderr.contains(best.unwrap()), "{}", done.stderr);
        assert!(!done.stderr.contains("epoch 1/"), "{}", done.stderr);
        assert!(before == undated_files(&folder.join(run)), "{run} {length}");
    }
    // Another length is kept, with the best weights of the epochs before.
    trained(folder, "--resume later --epochs 5 --max-steps 17");
    trained(folder, "--resume later --epochs 4");
    trained(folder, &format!("{line} -o whole"));
    trained(folder, "--resume first --epochs 4");
    for run in ["first", "later"] {
        assert!(
            outcome(&folder.join(run)) == outcome(&folder.join("whole")),
            "{run}"
        );
    }
}

#[test]
fn other_instructions_are_named_and_a_state_that_names_none_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let line = format!("-d data {SMALL} --epochs 2 --max-steps 3 -o run");
    let begun = command(folder, &line).env("RESNET_ISA", "portable").run();
    assert_eq!(begun.status, 0, "{}", begun.stderr);
    let note = "the run was saved with portable instructions and resumes with ";
    let differs = cpu::detect() != cpu::Isa::Portable;
    let done = trained(folder, "--resume run --max-steps 5");
    assert_eq!(done.stderr.contains(note), differs, "{}", done.stderr);
    let done = trained(folder, "--resume run --max-steps 6");
    assert!(!done.stderr.contains("instructions"), "{}", done.stderr);
    // Unknown keys, as if the state were of an earlier version.
    let state = folder.join("run/state.safetensors");
    let mut bytes = fs::read(&state).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    for key in ["contents\\\"", "instructions\\\""] {
        let at = text.find(key).unwrap_or_else(|| panic!("{key}"));
        bytes[at] = b'x';
    }
    fs::write(&state, bytes).unwrap();
    let done = trained(folder, "--resume run --epochs 2");
    assert!(!done.stderr.contains("will differ"), "{}", done.stderr);
}
