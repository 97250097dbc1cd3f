//! Runs of the binary as a user would start it, in an environment without anything of the machine's.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Output and exit status of the binary.
#[derive(Debug)]
pub struct Finished {
    pub stdout: String,
    pub stderr: String,
    pub status: i32,
}

/// A run of the binary, in the root of the repository.
pub struct Resnet {
    command: Command,
    stdin: Vec<u8>,
    cache: tempfile::TempDir,
}

impl Resnet {
    /// Creates a run with these arguments, an empty hub cache and no requests allowed.
    pub fn new<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_resnet"));
        let arguments: Vec<A> = arguments.into_iter().collect();
        command.args(&arguments).current_dir(root());
        // The messages and numbers that are expected are the CPU's, whatever the binary was built for.
        let first = arguments
            .first()
            .map(|first| first.as_ref().to_string_lossy().into_owned());
        let has_device = arguments
            .iter()
            .any(|argument| argument.as_ref() == "--device");
        if matches!(
            first.as_deref(),
            Some("summary" | "predict" | "eval" | "train")
        ) && !has_device
        {
            command.args(["--device", "cpu"]);
        }
        for variable in [
            "HF_TOKEN",
            "HF_TOKEN_PATH",
            "HF_ENDPOINT",
            "HF_HUB_CACHE",
            "HUGGINGFACE_HUB_CACHE",
            "HTTP_PROXY",
            "http_proxy",
            "RESNET_ISA",
            "NO_COLOR",
            "CLICOLOR",
            "CLICOLOR_FORCE",
            "RAYON_NUM_THREADS",
            "SLURM_NTASKS",
            "SLURM_STEP_ID",
            "SLURM_STEPID",
        ] {
            command.env_remove(variable);
        }
        command
            .env("HF_HOME", cache.path())
            .env("HF_HUB_OFFLINE", "1");
        Self {
            command,
            stdin: Vec::new(),
            cache,
        }
    }

    /// Creates a run with the arguments of one line, split at spaces.
    pub fn line(line: &str) -> Self {
        Self::new(line.split_whitespace())
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub fn stdin(mut self, bytes: &[u8]) -> Self {
        self.stdin = bytes.to_vec();
        self
    }

    /// Starts the run without waiting for it, so that signals can be sent to it.
    pub fn start(mut self) -> Running {
        let child = self
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Running {
            child,
            _cache: self.cache,
        }
    }

    pub fn run(mut self) -> Finished {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that does not read its input may be gone already.
        let _ = child.stdin.take().unwrap().write_all(&self.stdin);
        let output = child.wait_with_output().unwrap();
        drop(self.cache);
        Finished::of(output)
    }
}

/// A run of the binary in progress.
pub struct Running {
    pub child: Child,
    _cache: tempfile::TempDir,
}

impl Running {
    /// Reads stdout up to and including the first line that contains `text`.
    pub fn read_until(&mut self, text: &str) -> String {
        let stdout = self.child.stdout.as_mut().unwrap();
        let mut read = Vec::new();
        let mut byte = [0];
        while stdout.read(&mut byte).unwrap() == 1 {
            read.push(byte[0]);
            if byte == *b"\n" && String::from_utf8_lossy(&read).contains(text) {
                break;
            }
        }
        String::from_utf8(read).unwrap()
    }

    /// Sends a signal: `INT`, `TERM`...
    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &process]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end of the run.
    pub fn finish(self) -> Finished {
        Finished::of(self.child.wait_with_output().unwrap())
    }
}

impl Finished {
    fn of(output: Output) -> Self {
        Self {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            status: output.status.code().unwrap_or(-1),
        }
    }
}

/// Returns the root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
