//! Connects the processes of a launcher: finds its MPI library and checks that both count the same processes.

use super::launcher::{Launch, Launcher, or_alone};
use super::transport::Transport;
use crate::error::error_with_hint;
use crate::message;
use crate::text::pluralize;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// The environment variable with the file of the MPI library.
const LIBRARY: &str = "RESNET_MPI";

/// A choice of how several processes work together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// By MPI if a launcher started several processes.
    #[default]
    Auto,
    /// By MPI, even if no launcher is known.
    Mpi,
    /// Each process works alone.
    None,
}

/// The processes that [`connect`] connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaunchedProcesses {
    /// The launcher, if one is known.
    pub launch: Option<Launch>,
}

impl LaunchedProcesses {
    /// Returns what to connect; `None` if this process works alone. `variable` reads an environment variable.
    ///
    /// # Errors
    /// If a launcher that is not one of MPI started several processes.
    pub fn detect(mode: Mode, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let launch = match mode {
            Mode::None => return Ok(None),
            Mode::Auto => Launch::detect(variable)?,
            Mode::Mpi => {
                // The user vouches for a launcher that is not known.
                let launch = Launch::detect(variable).unwrap_or_default();
                return Ok(Some(Self { launch }));
            }
        };
        Ok(launch.map(|_| Self { launch }))
    }
}

/// Connects this process to the others. The connection must be dropped by the thread that this is called in.
///
/// # Errors
/// If no MPI library can be loaded or initialized, or if it counts other processes than the launcher.
pub fn connect(launched: &LaunchedProcesses) -> Result<Box<dyn Transport>> {
    let transport = open(launched)?;
    match launched.launch {
        Some(launch) if launch.size != transport.size() => {
            let why = format!(
                "the MPI library counts {}: it is not the launcher's",
                pluralize(transport.size(), "process")
            );
            // A process that MPI counts alone ends MPI alone.
            Err(cannot_connect(launched, &why, named_library(variable)))
        }
        _ => Ok(transport),
    }
}

/// Loads the first MPI library that can be loaded and initializes it.
#[cfg(all(unix, feature = "mpi", not(target_feature = "crt-static")))]
fn open(launched: &LaunchedProcesses) -> Result<Box<dyn Transport>> {
    use super::mpi::{MpiTransport, load};

    let candidates = candidates(launched, variable, |path: &Path| path.exists());
    let mut failures = Vec::new();
    for candidate in &candidates {
        match load(candidate.as_os_str()) {
            Ok(library) => {
                let version = library.version.clone();
                let launcher = launched.launch.map(|launch| launch.launcher);
                // Most libraries end the process if another MPI launched it.
                if launcher.is_some_and(|launcher| !launcher.serves(&version)) {
                    let why = format!("`{}` is of {version}", candidate.display());
                    return Err(cannot_connect(launched, &why, named_library(variable)));
                }
                let is_on_one_machine = launched.launch.is_none_or(Launch::is_on_one_machine);
                let world = library.initialize(is_on_one_machine);
                let world = world.map_err(|error| {
                    let why = format!("{version} fails: {error}");
                    cannot_connect(launched, &why, named_library(variable))
                })?;
                return Ok(Box::new(MpiTransport::new(world)));
            }
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    let why = format!("no MPI library can be loaded: {}", failures.join("; "));
    Err(cannot_connect(launched, &why, named_library(variable)))
}

/// Fails: this build has no MPI.
#[cfg(not(all(unix, feature = "mpi", not(target_feature = "crt-static"))))]
fn open(launched: &LaunchedProcesses) -> Result<Box<dyn Transport>> {
    let (why, way_out) = if cfg!(target_feature = "crt-static") {
        (
            "a static binary cannot load an MPI library",
            "use the release for glibc (its name ends in `-linux-gnu`)",
        )
    } else if cfg!(unix) {
        (
            "this binary was built without MPI",
            "build it with the feature `mpi`",
        )
    } else {
        ("MPI is used on Linux and macOS only", "start one process")
    };
    let hint = message![way_out, or_alone()];
    Err(error_with_hint(
        format!("{}, but {why}", started(launched)),
        hint,
    ))
}

/// Returns the files and names to load MPI from, best first. `exists` tells if there is a file.
#[cfg_attr(
    not(any(test, all(unix, feature = "mpi", not(target_feature = "crt-static")))),
    expect(dead_code, reason = "this build has no MPI")
)]
fn candidates(
    launched: &LaunchedProcesses,
    variable: impl Fn(&str) -> Option<String>,
    exists: impl Fn(&Path) -> bool,
) -> Vec<PathBuf> {
    if let Some(file) = named_library(&variable) {
        return vec![file.into()];
    }
    // Most libraries are where their launcher is, and many are not where the system's loader looks.
    let mut folders: Vec<PathBuf> = variable("OMPI_LIBDIR_LOC")
        .map(PathBuf::from)
        .into_iter()
        .collect();
    let path = variable("PATH").unwrap_or_default();
    let mut launchers = std::env::split_paths(&path).filter(|folder| {
        let names = ["mpiexec", "mpirun"];
        names.iter().any(|name| exists(&folder.join(name)))
    });
    if let Some(root) = launchers.find_map(|folder| Some(folder.parent()?.to_owned())) {
        folders.extend(["lib", "lib64"].map(|name| root.join(name)));
    }
    let names = names(launched.launch.map(|launch| launch.launcher));
    let in_folders = folders
        .iter()
        .flat_map(|folder| names.iter().map(|name| folder.join(name)));
    let in_folders = in_folders.filter(|file| exists(file));
    in_folders.chain(names.iter().map(PathBuf::from)).collect()
}

/// Returns the file of the MPI library that the user names, if any.
fn named_library(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    variable(LIBRARY).filter(|file| !file.is_empty())
}

/// Returns the value of an environment variable.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Returns the names of MPI libraries, the launcher's first.
fn names(launcher: Option<Launcher>) -> Vec<&'static str> {
    let (open_mpi, mpich, standard, any) = if cfg!(target_os = "macos") {
        (
            "libmpi.40.dylib",
            "libmpi.12.dylib",
            "libmpi_abi.1.dylib",
            "libmpi.dylib",
        )
    } else {
        (
            "libmpi.so.40",
            "libmpi.so.12",
            "libmpi_abi.so.1",
            "libmpi.so",
        )
    };
    match launcher {
        Some(Launcher::OpenMpi) => vec![open_mpi, standard, any],
        Some(Launcher::Pmi) => vec![mpich, standard, any],
        Some(Launcher::Slurm) | None => vec![open_mpi, mpich, standard, any],
    }
}

/// Returns the error of processes that would work alone, each on the same task; `named` is the library that the user names.
fn cannot_connect(launched: &LaunchedProcesses, why: &str, named: Option<String>) -> anyhow::Error {
    let is_slurm = launched
        .launch
        .is_some_and(|launch| launch.launcher == Launcher::Slurm);
    let way_out = match named {
        _ if is_slurm => "start them with `srun --mpi=pmix` (Open MPI) or `srun --mpi=pmi2` (MPICH), or set RESNET_MPI to the file of the MPI library that srun serves".to_owned(),
        Some(file) => format!("unset RESNET_MPI (it is `{file}`), so that the library beside the first `mpirun` or `mpiexec` in PATH is loaded, or set it to the file of the launcher's own library, such as /opt/mpi/lib/libmpi.so"),
        None => "put the folder of the launcher's own `mpirun` or `mpiexec` first in PATH, so that the library beside it is loaded, or set RESNET_MPI to the file of that library, such as /opt/mpi/lib/libmpi.so".to_owned(),
    };
    error_with_hint(
        format!("{}, but {why}", started(launched)),
        message![way_out, or_alone()],
    )
}

/// Says who started how many processes.
fn started(launched: &LaunchedProcesses) -> String {
    launched.launch.map_or_else(
        || "several processes are to use MPI".to_owned(),
        |launch| {
            format!(
                "{} started {}",
                launch.launcher,
                pluralize(launch.size, "process")
            )
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{hint_of, one_line};

    fn processes_of(launcher: Option<Launcher>) -> LaunchedProcesses {
        let launch = |launcher| Launch {
            launcher,
            rank: 1,
            size: 4,
            local_size: None,
            local_rank: None,
        };
        LaunchedProcesses {
            launch: launcher.map(launch),
        }
    }

    #[test]
    fn the_library_beside_the_launcher_is_tried_before_those_of_the_system() {
        let found = |launcher, variables: &[(&str, &str)], files: &[&str]| -> Vec<String> {
            let variable = |name: &str| {
                let mut pairs = variables.iter();
                pairs.find_map(|(key, value)| (*key == name).then(|| (*value).to_owned()))
            };
            let exists = |path: &Path| files.iter().any(|file| Path::new(file) == path);
            let found = candidates(&processes_of(launcher), variable, exists).into_iter();
            found.map(|path| path.display().to_string()).collect()
        };
        let path = ("PATH", "/usr/bin:/opt/mpi/bin");
        let files = [
            "/opt/mpi/bin/mpiexec",
            "/opt/mpi/lib/libmpi.so.12",
            "/opt/mpi/lib/libmpi.so",
        ];
        if cfg!(target_os = "linux") {
            assert_eq!(
                found(Some(Launcher::Pmi), &[path], &files),
                [
                    "/opt/mpi/lib/libmpi.so.12",
                    "/opt/mpi/lib/libmpi.so",
                    "libmpi.so.12",
                    "libmpi_abi.so.1",
                    "libmpi.so"
                ]
            );
            assert_eq!(
                found(
                    Some(Launcher::OpenMpi),
                    &[("OMPI_LIBDIR_LOC", "/o/lib64")],
                    &["/o/lib64/libmpi.so.40"]
                ),
                [
                    "/o/lib64/libmpi.so.40",
                    "libmpi.so.40",
                    "libmpi_abi.so.1",
                    "libmpi.so"
                ]
            );
            assert_eq!(
                found(Some(Launcher::Slurm), &[], &[]),
                [
                    "libmpi.so.40",
                    "libmpi.so.12",
                    "libmpi_abi.so.1",
                    "libmpi.so"
                ]
            );
        }
        assert_eq!(
            found(None, &[path, (LIBRARY, "/my/libmpi.so")], &files),
            ["/my/libmpi.so"]
        );
    }

    #[test]
    fn a_mode_chooses_what_is_connected() {
        let launched = |name: &str| match name {
            "PMI_RANK" => Some("1".to_owned()),
            "PMI_SIZE" => Some("4".to_owned()),
            _ => None,
        };
        let expected = processes_of(Some(Launcher::Pmi));
        assert_eq!(
            LaunchedProcesses::detect(Mode::Auto, launched).unwrap(),
            Some(expected)
        );
        assert_eq!(
            LaunchedProcesses::detect(Mode::Mpi, launched).unwrap(),
            Some(expected)
        );
        assert_eq!(
            LaunchedProcesses::detect(Mode::None, launched).unwrap(),
            None
        );
        let alone = |_: &str| None;
        assert_eq!(LaunchedProcesses::detect(Mode::Auto, alone).unwrap(), None);
        assert_eq!(
            LaunchedProcesses::detect(Mode::Mpi, alone).unwrap(),
            Some(processes_of(None))
        );
        // A launcher that is not known.
        let unknown = |name: &str| (name == "PMIX_RANK").then(|| "1".to_owned());
        assert!(LaunchedProcesses::detect(Mode::Auto, unknown).is_err());
        assert_eq!(
            LaunchedProcesses::detect(Mode::Mpi, unknown).unwrap(),
            Some(processes_of(None))
        );
    }

    #[test]
    fn processes_that_would_work_alone_are_an_error_with_a_way_out() {
        let alone = "; distributed = none lets each process work alone";
        for (launcher, named, start, way_out) in [
            (
                Launcher::OpenMpi,
                None,
                "mpirun (Open MPI) started 4 processes, but x",
                "put the folder of the launcher's own `mpirun` or `mpiexec` first in PATH, so that the library beside it is loaded, or set RESNET_MPI to the file of that library, such as /opt/mpi/lib/libmpi.so",
            ),
            (
                Launcher::Pmi,
                Some("/no/libmpi.so"),
                "mpiexec (MPICH and its family) started 4 processes, but x",
                "unset RESNET_MPI (it is `/no/libmpi.so`), so that the library beside the first `mpirun` or `mpiexec` in PATH is loaded, or set it to the file of the launcher's own library, such as /opt/mpi/lib/libmpi.so",
            ),
            (
                Launcher::Slurm,
                None,
                "srun (Slurm) started 4 processes, but x",
                "start them with `srun --mpi=pmix` (Open MPI) or `srun --mpi=pmi2` (MPICH), or set RESNET_MPI to the file of the MPI library that srun serves",
            ),
        ] {
            let error =
                cannot_connect(&processes_of(Some(launcher)), "x", named.map(str::to_owned));
            assert_eq!(one_line(&error), start);
            let hint = hint_of(&error).unwrap().to_string();
            assert_eq!(hint, format!("{way_out}{alone}"));
        }
    }
}
