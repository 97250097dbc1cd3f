//! `--open`: a report in the default browser.

use crate::cli::output::console::Console;
use anyhow::{Result, bail};
use std::path::{self, Path};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A program that still runs after this time has opened the file.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time between two looks at a program.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Opens `file` in the default browser; if that fails, a note says so.
pub fn open_in_browser(file: &Path, console: &Console) {
    let absolute = path::absolute(file).unwrap_or_else(|_| file.to_owned());
    if let Err(error) = launch_any(open::commands(absolute)) {
        console.note(format_args!(
            "cannot open `{}` in a browser: {error}",
            file.display()
        ));
    }
}

/// Runs the first of `launchers` that works.
fn launch_any(launchers: Vec<Command>) -> Result<()> {
    let mut failures = Vec::new();
    for mut launcher in launchers {
        let name = launcher.get_program().to_string_lossy().into_owned();
        match launch(&mut launcher) {
            Ok(()) => return Ok(()),
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    // The first one is the system's usual one.
    match failures.into_iter().next() {
        Some(failure) => bail!("{failure}"),
        None => bail!("this system has no program for it"),
    }
}

fn launch(launcher: &mut Command) -> Result<()> {
    launcher
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = launcher.spawn()?;
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("{status}"),
            None => sleep(BETWEEN_LOOKS),
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_first_program_that_works_is_taken_and_the_first_failure_named() {
        let commands = |names: &[&str]| names.iter().map(Command::new).collect::<Vec<_>>();
        assert!(launch_any(commands(&["no-such-program", "false", "true"])).is_ok());
        let error = launch_any(commands(&["no-such-program", "false"])).unwrap_err();
        assert!(
            error.to_string().starts_with("no-such-program: "),
            "{error}"
        );
        assert!(launch_any(Vec::new()).is_err());
    }
}
