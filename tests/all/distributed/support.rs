//! Runs of programs under a launcher of MPI.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The MPIs that are installed for tests.
pub const FAMILIES: [&str; 3] = ["mpich", "mpich-abi", "openmpi"];

/// Returns the program that installs and starts MPI; `None`, with a note, where it is not there.
pub fn launcher() -> Option<PathBuf> {
    let launcher = std::env::var_os("RESNET_MPI_RUN").map(PathBuf::from);
    if launcher.is_none() {
        eprintln!("skipped: RESNET_MPI_RUN does not name `.ci/mpi`");
    }
    launcher
}

/// Returns the library of a family.
pub fn library(launcher: &Path, family: &str) -> String {
    let output = Command::new(launcher)
        .args(["library", family])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Returns the command that starts `program` in `processes` processes; its arguments are to be added.
pub fn under(
    launcher: &Path,
    family: &str,
    processes: usize,
    program: impl AsRef<Path>,
) -> Command {
    let mut command = Command::new(launcher);
    command
        .args(["run", family, &processes.to_string(), "--"])
        .arg(program.as_ref())
        .stdin(Stdio::null());
    command
}

/// Returns the command that runs `resnet` in `folder` with these arguments, in several processes of an MPI if it is given.
pub fn command(folder: &Path, arguments: &str, mpi: Option<(&Path, &str, usize)>) -> Command {
    let program = env!("CARGO_BIN_EXE_resnet");
    let mut command = match mpi {
        Some((launcher, family, processes)) => under(launcher, family, processes, program),
        None => Command::new(program),
    };
    command
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// Returns the command that runs a shell script in `processes` processes in `folder`. It finds the number of its process in `rank`, and
/// `resnet` with these arguments in `$@`.
pub fn scripted(
    (launcher, family, processes): (&Path, &str, usize),
    folder: &Path,
    script: &str,
    arguments: &str,
) -> Command {
    let script = format!("rank=${{OMPI_COMM_WORLD_RANK-$PMI_RANK}}; {script}");
    let mut command = under(launcher, family, processes, "sh");
    command
        .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_resnet")])
        .args(arguments.split_whitespace())
        .current_dir(folder);
    command
}

/// Runs the example `transport` in `processes` processes.
pub fn run(
    launcher: &Path,
    family: &str,
    processes: usize,
    task: &str,
    library: Option<&str>,
) -> Output {
    let example = std::env::current_exe().unwrap();
    let example = example
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples/transport");
    let mut command = under(launcher, family, processes, example);
    command.args(task.split(' ')).env("RUST_BACKTRACE", "0");
    match library {
        Some(library) => command.env("RESNET_MPI", library),
        None => command.env_remove("RESNET_MPI"),
    };
    command.output().unwrap()
}
