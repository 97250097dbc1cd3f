//! Paths as run folders: which a new run can have, which one can go on in, and what is said of the others.

use super::folder::{LOCK, STATE};
use crate::error::{hinted, misuse};
use crate::weights::near::{near, there};
use crate::words::shell_word;
use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

/// Where run folders are made unless another place is said.
pub(super) const RUNS: &str = "runs";

/// Refuses a path that no new run can have: something is there already.
///
/// # Errors
/// A file, or a folder that is not empty.
pub fn ensure_new(path: &Path) -> Result<()> {
    let shown = path.display();
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot write to run folder `{shown}`"));
        }
        // What a process leaves that was killed before its first state.
        Ok(entries) => entries
            .flatten()
            .filter(|entry| !is_left_behind(&entry.file_name()))
            .count(),
    };
    if entries == 0 {
        return Ok(());
    }
    let message = format!("run folder `{shown}` is not empty");
    Err(if path.join(STATE).is_file() {
        hinted(
            message,
            format!(
                "`resnet train --resume {}` goes on with that run; else pass another folder with -o",
                shell_word(&shown.to_string())
            ),
        )
    } else {
        hinted(message, "pass a folder that is not there yet with -o")
    })
}

/// Whether `path` is the folder of a run.
pub(crate) fn is_run(path: &Path) -> bool {
    path.join(STATE).is_file()
}

/// The error of a path that is no run's folder.
pub(super) fn no_run(path: &Path) -> anyhow::Error {
    let shown = path.display();
    let around = path.ancestors().skip(1).find(|around| is_run(around));
    if let (true, Some(run)) = (path.exists(), around) {
        let run = match run.as_os_str() {
            empty if empty.is_empty() => Path::new("."),
            _ => run,
        };
        return misuse(
            format!("cannot resume `{shown}`: it is a part of a run"),
            format!("pass the run's folder: `--resume {}`", run.display()),
        );
    }
    let name = path.file_name().unwrap_or_default();
    let mut runs = path
        .parent()
        .map_or(Vec::new(), |beside| near(beside, name, is_run));
    if runs.is_empty() {
        runs = near(Path::new(RUNS), name, is_run);
    }
    let hint = match runs.as_slice() {
        [] => {
            "pass the folder that `resnet train` wrote, such as `runs/sample-resnet20-1`".to_owned()
        }
        runs => there(runs),
    };
    let what = if path.exists() {
        format!("it holds no `{STATE}`")
    } else {
        "there is no such folder".to_owned()
    };
    misuse(format!("cannot resume `{shown}`: {what}"), hint)
}

/// Whether a file is no part of a run: its lock, or one that a process was killed in writing.
fn is_left_behind(name: &OsStr) -> bool {
    name == LOCK || is_unfinished(name)
}

/// Whether a file never got its final name.
pub(super) fn is_unfinished(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b".") && name.ends_with(b".part")
}
