//! Processes whose command line or environment is wrong, in all or in one of them: one error, and none waits for the others.

use super::support::{FAMILIES, launcher, scripted};
use std::path::Path;
use std::process::Output;

const TRAINING: &str = "train -d fake:8:2 --depth 20 --width 4 --image-size 8 -b 4 --max-steps 1";

/// Runs a script in three processes, which must fail with a single error; returns its line and the hint.
#[track_caller]
fn error_of(launcher: &Path, family: &str, script: &str, arguments: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let mpi = (launcher, family, 3);
    let run = scripted(mpi, folder.path(), script, arguments).output();
    let Output { status, stderr, .. } = run.unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(!status.success(), "{family}: {stderr}");
    assert_eq!(stderr.matches("error: ").count(), 1, "{family}: {stderr}");
    let line = |start: &str| {
        let line = stderr.lines().find(|line| line.starts_with(start));
        line.unwrap_or_default().to_owned()
    };
    (line("error: "), line("hint: "))
}

#[test]
fn a_usage_error_of_all_processes_is_printed_once() {
    let Some(launcher) = launcher() else { return };
    let commands = ["train --bogus", "--bogus", "eval -m sample --bogus"];
    for (family, arguments) in FAMILIES.into_iter().zip(commands) {
        let (error, hint) = error_of(&launcher, family, "exec \"$@\"", arguments);
        assert_eq!(error, "error: unknown option `--bogus`", "{family}");
        assert!(hint.ends_with("lists the options"), "{family}: {hint}");
    }
}

#[test]
fn a_process_that_cannot_begin_ends_all_by_its_number() {
    let Some(launcher) = launcher() else { return };
    for family in ["mpich", "openmpi"] {
        for (script, message) in [
            (
                "[ $rank = 0 ] && set -- \"$@\" --bogus",
                "unknown option `--bogus`",
            ),
            (
                "[ $rank = 1 ] && set -- \"$@\" --bogus",
                "unknown option `--bogus`",
            ),
            (
                "[ $rank = 0 ] || set -- \"$@\" --bogus",
                "unknown option `--bogus`",
            ),
            ("[ $rank = 1 ] && export RESNET_ISA=z80", "RESNET_ISA: "),
        ] {
            let name = match script {
                script if script.contains("= 0 ] &&") => "error: ",
                script if script.contains("||") => "` and 1 other: ",
                _ => "`: ",
            };
            let script = format!("{script}; exec \"$@\"");
            let (error, hint) = error_of(&launcher, family, &script, TRAINING);
            assert!(
                error.contains(&format!("{name}{message}")),
                "{family}: {error}"
            );
            assert_eq!(
                error.starts_with("error: process 1 on `"),
                name != "error: "
            );
            assert!(!hint.is_empty(), "{family}");
        }
    }
}
