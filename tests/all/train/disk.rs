//! Tests of full disks, read-only folders, and values that become infinite or NaN.

use super::{SMALL, data, files, outcome, train, trained};
use std::fs;

#[test]
fn a_folder_that_cannot_be_a_new_runs_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // A file stands where the runs would.
    fs::write(folder.join("runs"), "text").unwrap();
    let done = train(folder, &format!("-d fake:4 {SMALL}"));
    let error = "error: cannot create a run folder: `runs` is a file\nhint: move the file, or pass another folder with -o\n";
    assert_eq!((done.status, done.stderr.as_str()), (1, error));
    #[cfg(target_os = "linux")]
    {
        let done = train(folder, &format!("-d fake:4 {SMALL} -o /proc/run"));
        let error = "error: cannot create run folder `/proc/run`: ";
        assert!(done.stderr.contains(error), "{}", done.stderr);
        assert_eq!(done.status, 1);
    }
    assert_eq!(files(folder).len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_the_run_resumes_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    // The limit is in blocks of 512 bytes; a larger file fails as on a full disk.
    let limited = |blocks: u32, line: &str| {
        let script = format!("ulimit -f {blocks}; exec \"$0\" train \"$@\"");
        let output = std::process::Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_resnet")])
            .args(line.split_whitespace())
            .current_dir(folder)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("error: cannot write `run/"), "{stderr}");
        assert!(stderr.contains("File too large"), "{stderr}");
        stderr
    };
    let line = format!("-d data {SMALL} --epochs 2");
    // Nothing is left of a run that could not start, so that the same command can be run again.
    limited(40, &format!("{line} -o run"));
    assert!(!folder.join("run").exists());
    trained(folder, &format!("{line} --max-steps 5 -o run"));
    trained(folder, &format!("{line} -o whole"));
    let before = files(&folder.join("run"));
    // Too small for the state.
    limited(40, "--resume run --epochs 2 --workers 2");
    // Of the models the next epoch's are the first that the state's commit brings.
    for (path, bytes) in files(&folder.join("run")) {
        let same = before.get(&path).is_some_and(|earlier| *earlier == bytes);
        let is_whole = path.extension().is_some_and(|end| end == "safetensors");
        assert!(same || !is_whole, "{} has changed", path.display());
    }
    assert!(!super::has_unfinished(&folder.join("run")));
    trained(folder, "--resume run --epochs 2");
    assert!(outcome(&folder.join("run")) == outcome(&folder.join("whole")));
}

#[test]
fn numbers_that_are_not_finite_end_a_run_and_leave_what_was_good() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let diverges = |line: &str| {
        let done = train(folder, line);
        assert_eq!(done.status, 1, "{line}: {}", done.stderr);
        assert!(
            done.stderr.contains("error: training diverged: "),
            "{line}: {}",
            done.stderr
        );
        assert!(
            done.stderr.contains("hint: try a lower --lr"),
            "{line}: {}",
            done.stderr
        );
        done.stderr
    };
    diverges(&format!("-d data {SMALL} --lr 1e30 --epochs 2 -o lost"));
    // In the validation, before any loss shows it.
    let stderr = diverges(&format!("-d data {SMALL} --lr 1e30 --max-steps 1 -o lost2"));
    assert!(!stderr.contains("cannot evaluate"), "{stderr}");
    // In the head of a probe alone.
    diverges(&format!(
        "-d data {SMALL} --lr 1e38 --freeze backbone --epochs 9 -o lost3"
    ));
    assert!(!folder.join("lost/best").exists());
    trained(
        folder,
        &format!("-d data {SMALL} --epochs 2 --max-steps 12 -o run"),
    );
    let line =
        format!("-d data {SMALL} --epochs 2 --lr 1e30 --warmup-epochs 2 --scheduler constant");
    assert_eq!(train(folder, &line).status, 1);
    // The state from before the first step is there, and is a number.
    let state = fs::read(folder.join("lost/state.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&state).unwrap();
    for (name, tensor) in tensors.iter() {
        let numbers = tensor.data().chunks_exact(4);
        let mut numbers = numbers.map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
        assert!(numbers.all(f32::is_finite), "{name}");
    }
    // It can be resumed, to the same end.
    diverges("--resume lost");
}
