//! `--resume` without a folder, and `--open`.

use super::{SMALL, command, files, train, trained};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Starts the run `runs/NAME` and interrupts it after its first step.
fn interrupted(folder: &Path, name: &str) {
    let line = format!("-d fake:400 {SMALL} --epochs 3 --name {name} --format json");
    let mut running = command(folder, &line).start();
    let mut stdout = BufReader::new(running.child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    drop(stdout);
    assert_eq!(running.finish().status, 1);
}

#[test]
fn resume_without_a_folder_takes_the_newest_unfinished_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let done = train(folder, "--resume");
    assert_eq!(
        (done.status, done.stderr.as_str()),
        (
            1,
            "error: there is no unfinished run in `runs`\nhint: pass a run folder with `--resume RUN_DIR`, or start a run with `resnet train -d DATA`\n"
        )
    );
    interrupted(folder, "z");
    interrupted(folder, "a");
    // Finished, by its epochs and by its steps, and no runs at all.
    trained(folder, &format!("-d fake:8 {SMALL} --name by-epochs"));
    trained(
        folder,
        &format!("-d fake:40 {SMALL} --epochs 2 --max-steps 3 --name by-steps"),
    );
    fs::create_dir(folder.join("runs/empty")).unwrap();
    fs::create_dir(folder.join("runs/damaged")).unwrap();
    fs::write(folder.join("runs/damaged/state.safetensors"), b"12345678{").unwrap();
    for name in ["a", "z"] {
        let done = trained(folder, "--resume --max-steps 150");
        let note = format!("note: resuming runs/{name}, the newest unfinished run\n");
        assert!(done.stderr.starts_with(&note), "{name}: {}", done.stderr);
    }
    let before = files(folder);
    let done = train(folder, "--resume");
    assert_eq!(done.status, 1, "{}", done.stderr);
    assert!(
        done.stderr
            .contains("; `resnet train --resume runs/z --epochs N` extends the newest run\n"),
        "{}",
        done.stderr
    );
    assert!(before == files(folder));
}

#[test]
#[cfg(target_os = "linux")]
fn open_shows_the_report_and_a_failure_is_a_note() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = format!("-d fake:8 {SMALL} --open");
    let browser = folder.join("bin/xdg-open");
    fs::create_dir(folder.join("bin")).unwrap();
    fs::write(&browser, "#!/bin/sh\nprintf %s \"$1\" > opened\n").unwrap();
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).unwrap();
    let run = |flags: &str, path: &Path| {
        let done = command(folder, &format!("{line} {flags}"))
            .env("PATH", path)
            .run();
        assert_eq!(done.status, 0, "{}", done.stderr);
        done.stderr
    };
    let stderr = run("-o run", &folder.join("bin"));
    assert!(!stderr.contains("browser"), "{stderr}");
    let opened = fs::read_to_string(folder.join("opened")).unwrap();
    assert_eq!(Path::new(&opened), folder.join("run/report.html"));
    let stderr = run("-o other", &folder.join("no-programs"));
    assert!(
        stderr.contains("\nnote: cannot open `other/report.html` in a browser: xdg-open: "),
        "{stderr}"
    );
    let done = train(folder, &format!("{line} --dry-run"));
    assert_eq!(done.status, 2, "{}", done.stderr);
    assert!(
        done.stderr
            .starts_with("error: --open cannot be used with --dry-run")
    );
}
