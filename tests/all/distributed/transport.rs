//! The calls of the transport, and its errors, under each MPI.

use super::support::{FAMILIES, launcher, library, run};

#[test]
fn processes_exchange_bytes_under_every_mpi() {
    let Some(launcher) = launcher() else { return };
    for family in FAMILIES {
        for processes in [2, 3, 4] {
            let output = run(&launcher, family, processes, "exchange", None);
            let stdout = String::from_utf8_lossy(&output.stdout);
            let mut lines: Vec<&str> = stdout.lines().collect();
            lines.sort_unstable();
            let expected =
                (0..processes).map(|rank| format!("process {rank} of {processes} exchanged"));
            assert_eq!(lines, expected.collect::<Vec<_>>(), "{family}: {output:?}");
            assert!(output.status.success(), "{family}: {output:?}");
        }
    }
}

#[test]
fn a_process_that_aborts_or_ends_ends_all() {
    let Some(launcher) = launcher() else { return };
    for family in FAMILIES {
        for task in ["abort 0", "abort 1", "handle 1", "idle 1", "exit 1"] {
            let output = run(&launcher, family, 3, task, None);
            let status = output.status.code();
            // MPICH gives a status of its own if a process ends without a word.
            let is_expected = if task == "exit 1" {
                status != Some(0)
            } else {
                status == Some(7)
            };
            assert!(is_expected, "{family}, {task}: {output:?}");
            // Then its launcher says so on standard output.
            if task != "exit 1" {
                assert_eq!(output.stdout, b"", "{family}, {task}");
            }
        }
    }
}

#[test]
fn the_library_of_another_mpi_and_a_missing_one_are_errors() {
    let Some(launcher) = launcher() else { return };
    let mpich = library(&launcher, "mpich");
    let open_mpi = library(&launcher, "openmpi");
    for (family, library, message) in [
        (
            "mpich",
            open_mpi.as_str(),
            "mpiexec (MPICH and its family) started 2 processes, but `",
        ),
        (
            "openmpi",
            &mpich,
            "mpirun (Open MPI) started 2 processes, but `",
        ),
        (
            "mpich",
            "/no/libmpi.so",
            "started 2 processes, but no MPI library can be loaded: ",
        ),
        (
            "openmpi",
            "/no/libmpi.so",
            "started 2 processes, but no MPI library can be loaded: ",
        ),
    ] {
        let output = run(&launcher, family, 2, "exchange", Some(library));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            stderr.contains(message),
            "{family} with {library}: {stderr}"
        );
        assert_eq!(output.status.code(), Some(1), "{stderr}");
    }
}
