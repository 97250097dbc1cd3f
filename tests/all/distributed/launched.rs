//! A run under a launcher of MPI that is in progress, with its processes.

use super::support::command;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

/// The time in which a launcher ends all processes after one has ended, on a busy machine.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// The time in which a line is awaited.
const PRINTS_WITHIN: Duration = Duration::from_mins(1);

/// `resnet` in several processes.
pub struct Launched {
    launcher: Child,
    /// A part of the command line that no other program has.
    mark: String,
    lines: Receiver<String>,
    errors: JoinHandle<String>,
}

/// The end of a run.
#[derive(Debug)]
pub struct Outcome {
    pub success: bool,
    /// The lines on standard output that were not read before.
    pub lines: Vec<String>,
    pub stderr: String,
}

impl Launched {
    /// Starts `resnet` with these arguments in `folder`. The arguments have the absolute path `mark`, which is of this run alone.
    pub fn start(
        launcher: &Path,
        family: &str,
        processes: usize,
        folder: &Path,
        arguments: &str,
        mark: &Path,
    ) -> Self {
        let mut launcher = command(folder, arguments, Some((launcher, family, processes)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let stdout = BufReader::new(launcher.stdout.take().unwrap());
        thread::spawn(move || {
            let lines = stdout.lines().map_while(Result::ok);
            lines.for_each(|line| _ = send.send(line));
        });
        let mut stderr = launcher.stderr.take().unwrap();
        let errors = thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        Self {
            launcher,
            mark: mark.display().to_string(),
            lines,
            errors,
        }
    }

    /// Waits for a line on standard output that contains `text`.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        loop {
            let line = self.lines.recv_timeout(PRINTS_WITHIN);
            let line = line.unwrap_or_else(|error| panic!("no line has `{text}`: {error}"));
            if line.contains(text) {
                return;
            }
        }
    }

    /// Returns the process numbers of `resnet` by their ranks.
    pub fn ranks(&self) -> BTreeMap<usize, u32> {
        let rank = |process: u32| {
            let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
            let variables = fs::read(format!("/proc/{process}/environ")).ok()?;
            let variables = String::from_utf8_lossy(&variables);
            let rank = variables.split('\0').find_map(|variable| {
                let rank = variable.strip_prefix("OMPI_COMM_WORLD_RANK=");
                rank.or_else(|| variable.strip_prefix("PMI_RANK="))
            });
            (name.trim() == "resnet").then_some((rank?.parse().ok()?, process))
        };
        processes_with(&self.mark).filter_map(rank).collect()
    }

    /// Sends a signal to the launcher.
    pub fn signal_launcher(&self, name: &str) {
        signal(self.launcher.id(), name);
    }

    /// Waits for the end of the launcher, soon, and checks that none of its processes survives.
    #[track_caller]
    pub fn finish(mut self) -> Outcome {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.launcher.try_wait().unwrap() {
                break status;
            }
            if start.elapsed() > ENDS_WITHIN {
                signal(self.launcher.id(), "KILL");
                panic!("the launcher does not end");
            }
            sleep(Duration::from_millis(20));
        };
        while processes_with(&self.mark).next().is_some() {
            if start.elapsed() > ENDS_WITHIN {
                let survivors: Vec<u32> = processes_with(&self.mark).collect();
                for &process in &survivors {
                    signal(process, "KILL");
                }
                panic!("processes survive: {survivors:?}");
            }
            sleep(Duration::from_millis(20));
        }
        Outcome {
            success: status.success(),
            lines: self.lines.iter().collect(),
            stderr: self.errors.join().unwrap(),
        }
    }
}

/// Sends a signal to a process.
#[track_caller]
pub fn signal(process: u32, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Returns the processes whose command line has `mark`.
fn processes_with(mark: &str) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(move |entry| {
        let process: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let line = fs::read(format!("/proc/{process}/cmdline")).ok()?;
        String::from_utf8_lossy(&line)
            .contains(mark)
            .then_some(process)
    })
}
