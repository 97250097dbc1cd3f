//! `--distributed`: the processes that work on a command.

use crate::cli::invocation::asked_for;
use crate::cli::output::console::Console;
use crate::cli::version;
use crate::distributed::{
    Arrival, Binding, Launch, LaunchedProcesses, Mode, Patience, Processes, connect, local_rank,
    share_of_cores, unused_tasks,
};
use anyhow::Result;
use clap::ValueEnum;
use std::sync::Arc;
use std::time::Duration;

/// The time in which other processes are expected before the first step.
const EXPECTED: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, clap::Args)]
pub struct DistributedArgs {
    /// Work with the processes of mpirun or srun: auto, mpi or none
    ///
    /// auto: by MPI if mpirun, mpiexec or srun started several processes. mpi: also if the launcher is not known. none: each
    /// process works alone. The MPI library is the launcher's; the environment variable `RESNET_MPI` names another file.
    #[arg(
        long,
        value_enum,
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true,
        value_name = "HOW"
    )]
    distributed: DistributedChoice,
}

/// A choice of how several processes work together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum DistributedChoice {
    #[default]
    Auto,
    Mpi,
    None,
}

impl From<DistributedChoice> for Mode {
    fn from(choice: DistributedChoice) -> Self {
        match choice {
            DistributedChoice::Auto => Self::Auto,
            DistributedChoice::Mpi => Self::Mpi,
            DistributedChoice::None => Self::None,
        }
    }
}

impl DistributedArgs {
    /// Returns those of this process, even if its arguments cannot be parsed.
    pub fn asked_for() -> Self {
        Self {
            distributed: asked_for("--distributed").unwrap_or_default(),
        }
    }

    /// Returns what to connect; `None` if this process works alone.
    ///
    /// # Errors
    /// If a launcher that is not one of MPI started several processes.
    pub fn plan(self) -> Result<Option<LaunchedProcesses>> {
        LaunchedProcesses::detect(self.distributed.into(), variable)
    }

    /// Notes the tasks of a Slurm job that do nothing while this process works alone.
    fn note_unused_tasks(self, console: &Console) {
        let unused = match self.distributed {
            DistributedChoice::Auto => unused_tasks(variable),
            DistributedChoice::Mpi | DistributedChoice::None => None,
        };
        if let Some(tasks) = unused {
            console.note(format_args!(
                "the Slurm job has {tasks} tasks, and this process works alone: start the command by `srun --mpi=pmix` (Open MPI) or `srun --mpi=pmi2` (MPICH) to use them all"
            ));
        }
    }

    /// Connects this process to the others of its launcher, if there are any. `console` tells of long waits.
    ///
    /// # Errors
    /// Those of [`DistributedArgs::plan`]; if the processes cannot be connected.
    pub fn connect(self, console: Console) -> Result<Processes> {
        let Some(plan) = self.plan()? else {
            self.note_unused_tasks(&console);
            return Ok(Processes::alone());
        };
        let console = Arc::new(console);
        let tell = {
            let console = Arc::clone(&console);
            move || note_connecting(plan.launch, &console)
        };
        let patience = Patience::new(EXPECTED, tell);
        let processes = Processes::with_patience(move || connect(&plan), &patience)?;
        if !processes.is_first() {
            return Ok(processes);
        }
        let seconds = EXPECTED.as_secs();
        let tell = move || {
            console.note(format_args!(
                "process 0 has waited {seconds} s for the other processes: they may have more to do, or the network does not let them reach each other"
            ));
        };
        Ok(processes.patient(Patience::new(EXPECTED, tell)))
    }

    /// Checks that all `processes` run the same version and `command`, and returns them, and this one's share of the `cores` that it
    /// could use alone.
    ///
    /// # Errors
    /// If a process runs another version or command, or cannot begin.
    pub fn share(
        self,
        processes: &Processes,
        command: &str,
        cores: usize,
    ) -> Result<(Processes, usize)> {
        if processes.size() == 1 {
            return Ok((processes.clone(), cores));
        }
        // By itself: other versions may have other bindings.
        let all = processes.gather_values(&Arrival::new(version::short(), command))?;
        Arrival::ensure_same(&all)?;
        let launch = self.plan()?.and_then(|plan| plan.launch);
        let local = launch.and_then(|launch| launch.local_size);
        let numbered = launch.and_then(|launch| launch.local_rank);
        let bindings = processes.gather_values(&Binding::of_this_process())?;
        let share = share_of_cores(&bindings, processes.rank(), cores, local);
        let is_on_one_machine = local.map_or_else(
            || bindings.iter().all(|other| other.host == bindings[0].host),
            |local| local == processes.size(),
        );
        let local_rank = numbered.unwrap_or_else(|| local_rank(&bindings, processes.rank()));
        let hosts = bindings.into_iter().map(|binding| binding.host).collect();
        let processes = processes
            .clone()
            .on_one_machine(is_on_one_machine)
            .on_hosts(hosts)
            .with_local_rank(local_rank);
        Ok((processes, share))
    }
}

/// Notes that other processes have not come. One of the first two processes may be the one that is missing.
fn note_connecting(launch: Option<Launch>, console: &Console) {
    let name = match launch {
        Some(launch) if launch.rank > 1 => return,
        Some(launch) => format!("process {} of {}", launch.rank, launch.size),
        None => "this process".to_owned(),
    };
    let seconds = EXPECTED.as_secs();
    console.note(format_args!(
        "{name} has waited {seconds} s for the others to connect: one may have failed or ended, or works alone (--distributed none), or the network does not let them reach each other"
    ));
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
