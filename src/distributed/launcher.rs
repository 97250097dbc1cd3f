//! The launcher that started this process, and how many others: its environment variables tell.

use crate::error::{Message, error_with_hint, setting};
use crate::message;
use anyhow::Result;
use std::fmt::{self, Display, Formatter};

/// The first of Slurm's numbers of steps that have no tasks: the batch script, an interactive shell, and others.
const FIRST_SPECIAL_STEP: u64 = 0xffff_fff0;

/// A program that starts several processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launcher {
    /// Open MPI's `mpirun`.
    OpenMpi,
    /// `mpiexec` of MPICH, Intel MPI, MVAPICH or Cray.
    Pmi,
    /// Slurm's `srun`, for any MPI.
    Slurm,
}

/// The start of this process together with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launch {
    /// The launcher.
    pub launcher: Launcher,
    /// The number of this process.
    pub rank: usize,
    /// The number of processes; at least 2.
    pub size: usize,
    /// The number of processes on this machine, if the launcher tells.
    pub local_size: Option<usize>,
    /// The number of this process among those on this machine, if the launcher tells.
    pub local_rank: Option<usize>,
}

impl Display for Launcher {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenMpi => "mpirun (Open MPI)",
            Self::Pmi => "mpiexec (MPICH and its family)",
            Self::Slurm => "srun (Slurm)",
        })
    }
}

impl Launcher {
    /// Returns true if an MPI library of this `version` can be connected by the launcher.
    #[cfg(all(unix, feature = "mpi", not(target_feature = "crt-static")))]
    pub(super) fn serves(self, version: &str) -> bool {
        let is_open_mpi = version.starts_with("Open MPI");
        match self {
            Self::OpenMpi => is_open_mpi,
            Self::Pmi => !is_open_mpi,
            Self::Slurm => true,
        }
    }
}

impl Launch {
    /// Returns how this process was started; `None` if it is alone. `variable` reads an environment variable.
    ///
    /// # Errors
    /// If the launcher is not one of MPI.
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let number = |name: &str| variable(name)?.trim().parse::<usize>().ok();
        // The innermost launcher first: `mpirun` and `mpiexec` may run inside of Slurm, whose variables then are those of a helper.
        let found = |launcher, rank, size, local_size, local_rank| {
            Some(Self {
                launcher,
                rank: number(rank)?,
                size: number(size)?,
                local_size,
                local_rank,
            })
        };
        let open_mpi = || {
            let local_size = number("OMPI_COMM_WORLD_LOCAL_SIZE");
            let local_rank = number("OMPI_COMM_WORLD_LOCAL_RANK");
            let (rank, size) = ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE");
            found(Launcher::OpenMpi, rank, size, local_size, local_rank)
        };
        let step = || is_step(&variable).then(|| step_tasks(&variable)).flatten();
        let pmi = || {
            let local_size = number("MPI_LOCALNRANKS").or_else(|| number("PMI_LOCAL_SIZE"));
            let is_srun = local_size.is_none() && is_step(&variable);
            let launcher = if is_srun {
                Launcher::Slurm
            } else {
                Launcher::Pmi
            };
            let local_rank = if is_srun {
                number("SLURM_LOCALID")
            } else {
                number("MPI_LOCALRANKID").or_else(|| number("PMI_LOCAL_RANK"))
            };
            let local_size = local_size.or_else(step);
            found(launcher, "PMI_RANK", "PMI_SIZE", local_size, local_rank)
        };
        let slurm = || {
            let size = if number("SLURM_STEP_NUM_TASKS").is_some() {
                "SLURM_STEP_NUM_TASKS"
            } else {
                "SLURM_NTASKS"
            };
            let local_rank = number("SLURM_LOCALID");
            found(Launcher::Slurm, "SLURM_PROCID", size, step(), local_rank)
        };
        let launch = open_mpi().or_else(pmi);
        let launch = launch.or_else(|| is_step(&variable).then(slurm).flatten());
        if launch.is_none() {
            refuse_others(&number, &variable)?;
        }
        Ok(launch.filter(|launch| launch.size > 1))
    }

    /// Returns false if the launcher tells of processes on other machines.
    pub fn is_on_one_machine(self) -> bool {
        self.local_size.is_none_or(|local| local == self.size)
    }
}

/// Returns the number of tasks that Slurm has allocated for this process's job and not started, as in a batch script that runs a program
/// without `srun`. `None` if there are none, or if this process is one of them. `variable` reads an environment variable.
pub fn unused_tasks(variable: impl Fn(&str) -> Option<String>) -> Option<usize> {
    let tasks = variable("SLURM_NTASKS")?.trim().parse().ok()?;
    (tasks > 1 && !is_step(&variable)).then_some(tasks)
}

/// Returns true if `srun` started this process. A batch script has most of Slurm's variables, too.
fn is_step(variable: &impl Fn(&str) -> Option<String>) -> bool {
    let step = variable("SLURM_STEP_ID").or_else(|| variable("SLURM_STEPID"));
    let step = step.and_then(|step| step.trim().parse::<u64>().ok());
    step.is_some_and(|step| step < FIRST_SPECIAL_STEP)
}

/// Returns the number of tasks of a Slurm step on this machine: of `2(x3),1`, three machines have two tasks and the fourth has one.
fn step_tasks(variable: &impl Fn(&str) -> Option<String>) -> Option<usize> {
    let node: usize = variable("SLURM_NODEID")?.trim().parse().ok()?;
    let tasks = variable("SLURM_STEP_TASKS_PER_NODE")?;
    let mut nodes = 0;
    for group in tasks.split(',') {
        let (tasks, repeated) = match group.split_once("(x") {
            Some((tasks, times)) => (tasks, times.trim_end_matches(')').parse().ok()?),
            None => (group, 1),
        };
        nodes += repeated;
        if node < nodes {
            return tasks.trim().parse().ok();
        }
    }
    None
}

/// Returns the way out that always is one, to end a hint with.
pub(super) fn or_alone() -> Message {
    message![
        "; ",
        setting("distributed").to("none"),
        " lets each process work alone"
    ]
}

/// Rejects launchers that start several processes which MPI cannot connect.
fn refuse_others(
    number: &impl Fn(&str) -> Option<usize>,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<()> {
    if number("WORLD_SIZE").is_some_and(|size| size > 1)
        && number("RANK").is_some()
        && variable("MASTER_ADDR").is_some()
    {
        let size = number("WORLD_SIZE").unwrap_or_default();
        return Err(error_with_hint(
            format!(
                "torchrun or a launcher like it started {size} processes, which only PyTorch can connect"
            ),
            message![
                "start them by MPI: `mpirun -n ",
                size.to_string(),
                "` before the command",
                or_alone()
            ],
        ));
    }
    if number("PMIX_RANK").is_some() {
        return Err(error_with_hint(
            "a PMIx launcher started this process, and does not say how many others",
            message![
                "use `mpirun` or `srun`, or, if MPI knows the launcher, pass ",
                setting("distributed").to("mpi"),
                or_alone(),
            ],
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::hint_of;

    /// Returns what is detected with variables as in `A=1 B=2`.
    fn detect(variables: &str) -> Result<Option<Launch>> {
        Launch::detect(|name| value(variables, name))
    }

    fn value(variables: &str, name: &str) -> Option<String> {
        let mut pairs = variables.split(' ').filter_map(|pair| pair.split_once('='));
        pairs.find_map(|(key, value)| (key == name).then(|| value.to_owned()))
    }

    #[test]
    fn each_launcher_is_told_by_its_variables() {
        let srun = Launcher::Slurm;
        let step = "SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=7 SLURM_NTASKS=9 SLURM_PROCID=6 SLURM_NODEID=3 SLURM_STEP_TASKS_PER_NODE=2(x3),1 SLURM_LOCALID=0";
        let inside = |inner: &str| format!("{inner} {step}");
        for (variables, launcher, rank, size, local_size, local_rank) in [
            (
                "OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_LOCAL_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=1 PMIX_RANK=3".to_owned(),
                Launcher::OpenMpi, 3, 4, Some(2), Some(1),
            ),
            ("PMI_SIZE=2 PMI_RANK=0 MPI_LOCALNRANKS=2 MPI_LOCALRANKID=0".to_owned(), Launcher::Pmi, 0, 2, Some(2), Some(0)),
            ("PMI_SIZE=8 PMI_RANK=5 PMI_LOCAL_SIZE=4 PMI_LOCAL_RANK=1".to_owned(), Launcher::Pmi, 5, 8, Some(4), Some(1)),
            ("PMI_SIZE=8 PMI_RANK=5".to_owned(), Launcher::Pmi, 5, 8, None, None),
            (step.to_owned(), srun, 6, 7, Some(1), Some(0)),
            (step.replace("NODEID=3", "NODEID=2").replace("LOCALID=0", "LOCALID=1"), srun, 6, 7, Some(2), Some(1)),
            ("SLURM_STEPID=3 SLURM_NTASKS=9 SLURM_PROCID=8".to_owned(), srun, 8, 9, None, None),
            (inside("PMIX_RANK=6"), srun, 6, 7, Some(1), Some(0)),
            // By Slurm's PMI, and launchers whose helpers `srun` starts.
            (inside("PMI_RANK=6 PMI_SIZE=7"), srun, 6, 7, Some(1), Some(0)),
            (inside("PMI_RANK=1 PMI_SIZE=3 MPI_LOCALNRANKS=3"), Launcher::Pmi, 1, 3, Some(3), None),
            (inside("OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=2"), Launcher::OpenMpi, 2, 4, None, None),
        ] {
            let expected = Launch { launcher, rank, size, local_size, local_rank };
            assert_eq!(detect(&variables).unwrap(), Some(expected), "{variables}");
        }
    }

    #[test]
    fn one_process_and_a_batch_script_are_alone() {
        let batch = "SLURM_JOB_ID=7 SLURM_NTASKS=4 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0";
        for variables in [
            "",
            "OMPI_COMM_WORLD_SIZE=1 OMPI_COMM_WORLD_RANK=0 PMIX_RANK=0",
            "PMI_SIZE=1 PMI_RANK=0",
            "WORLD_SIZE=1 RANK=0 MASTER_ADDR=localhost",
            "WORLD_SIZE=4",
            "SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=1 SLURM_NTASKS=4 SLURM_PROCID=0",
            batch,
            &format!("{batch} SLURM_STEP_ID=4294967291"),
            &format!("{batch} SLURM_STEP_ID=4294967290 SLURM_STEP_NUM_TASKS=1"),
        ] {
            assert_eq!(detect(variables).unwrap(), None, "{variables}");
        }
        let unused = |variables: &str| unused_tasks(|name| value(variables, name));
        assert_eq!(unused(batch), Some(4));
        assert_eq!(
            unused(&format!("{batch} SLURM_STEP_ID=4294967291")),
            Some(4)
        );
        assert_eq!(unused(&format!("{batch} SLURM_STEP_ID=0")), None);
        assert_eq!(unused("SLURM_NTASKS=1"), None);
        assert_eq!(unused(""), None);
    }

    #[test]
    fn launchers_that_mpi_cannot_serve_are_refused() {
        for (variables, message) in [
            (
                "WORLD_SIZE=4 RANK=1 LOCAL_RANK=1 MASTER_ADDR=localhost",
                "torchrun or a launcher like it started 4 processes, which only PyTorch can connect",
            ),
            (
                "PMIX_RANK=1",
                "a PMIx launcher started this process, and does not say how many others",
            ),
        ] {
            let error = detect(variables).unwrap_err();
            assert_eq!(error.to_string(), message);
            let hint = hint_of(&error).unwrap().to_string();
            assert!(
                hint.contains("mpirun") && hint.contains("distributed = none"),
                "{hint}"
            );
        }
    }
}
