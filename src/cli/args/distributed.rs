//! `--distributed`: the processes that work on a command.

use crate::distributed::{Binding, Mode, Plan, Processes, connect, share_of_cores};
use anyhow::Result;
use clap::ValueEnum;

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
    /// Connects this process to the others of its launcher, if there are any; also returns its share of the `cores` that it could
    /// use alone.
    ///
    /// # Errors
    /// If a launcher that is not one of MPI started several processes, or they cannot be connected.
    pub fn connect(self, cores: usize) -> Result<(Processes, usize)> {
        let Some(plan) = Plan::new(self.distributed.into(), variable)? else {
            return Ok((Processes::alone(), cores));
        };
        let local = plan.launch.and_then(|launch| launch.local_size);
        let processes = Processes::new(move || connect(&plan))?;
        let bindings = processes.gather_values(&Binding::of_this_process())?;
        let share = share_of_cores(&bindings, processes.rank(), cores, local);
        let is_on_one_machine = local.map_or_else(
            || bindings.iter().all(|other| other.host == bindings[0].host),
            |local| local == processes.size(),
        );
        Ok((processes.on_one_machine(is_on_one_machine), share))
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
