//! The first message of each process to the others: what it is started as, and whether it can begin.

use super::host::{host_name, names_of};
use super::share::Stopped;
use crate::error::error_with_hint;
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// The program that a process runs. All processes of a launcher run the same version and command, as others would make other calls and
/// wait for each other for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    host: String,
    version: String,
    command: String,
    /// The error by which it ends before it begins.
    failure: Option<String>,
}

impl Arrival {
    /// Creates the message of a process that begins: its version, and its command with the options that decide on its calls.
    pub fn new(version: &str, command: &str) -> Self {
        Self {
            host: host_name(),
            version: version.to_owned(),
            command: command.to_owned(),
            failure: None,
        }
    }

    /// Creates the message of a process that ends by the error `failure`.
    pub fn failed(failure: String) -> Self {
        Self {
            failure: Some(failure),
            ..Self::new("", "")
        }
    }

    /// Returns the name of the machine.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Checks that `all` processes can begin and run the same.
    ///
    /// # Errors
    /// [`Stopped`] if one has failed, which tells why itself; if one runs another version or command than process 0.
    pub fn ensure_same(all: &[Self]) -> Result<()> {
        if all.iter().any(|arrival| arrival.failure.is_some()) {
            return Err(Stopped.into());
        }
        let first = &all[0];
        let runs = |arrival: &Self| (arrival.version.clone(), arrival.command.clone());
        let Some(rank) = all.iter().position(|other| runs(other) != runs(first)) else {
            return Ok(());
        };
        let other = &all[rank];
        let [zero, process] = names_of([(0, first.host()), (rank, other.host())]);
        if first.version == other.version {
            let (of_first, of_other) = (&first.command, &other.command);
            return Err(error_with_hint(
                format!("{process} runs `{of_other}`, {zero} runs `{of_first}`"),
                "start the same command with the same options in all processes",
            ));
        }
        let (of_first, of_other) = (&first.version, &other.version);
        Err(error_with_hint(
            format!("{process} runs resnet {of_other}, {zero} runs resnet {of_first}"),
            "install the same version on all machines",
        ))
    }

    /// Returns the numbers of the processes that failed as process `rank` of `all`, in order.
    pub fn failed_alike(all: &[Self], rank: usize) -> Vec<usize> {
        let ranks = 0..all.len();
        ranks
            .filter(|&other| all[other].failure == all[rank].failure)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributed::threads::in_processes;
    use crate::error::{hint_of, one_line};

    /// Returns the errors of processes on machines `a`, `b`... that run these versions and commands.
    fn errors(programs: &[(&str, &str)]) -> Vec<Option<anyhow::Error>> {
        in_processes(programs.len(), |processes| {
            let (version, command) = programs[processes.rank()];
            let host = ["a", "b", "c"][processes.rank()].to_owned();
            let arrival = Arrival {
                host,
                ..Arrival::new(version, command)
            };
            let all = processes.gather_values(&arrival).unwrap();
            Arrival::ensure_same(&all).err()
        })
        .unwrap()
    }

    #[test]
    fn processes_that_run_other_programs_are_refused_by_name_in_all_processes() {
        let same = errors(&[("1.0", "learn"); 3]);
        assert!(same.iter().all(Option::is_none), "{same:?}");
        for (programs, message, hint) in [
            (
                [("1.0", "learn"), ("1.0", "learn"), ("1.0", "look")],
                "process 2 on `c` runs `look`, process 0 on `a` runs `learn`",
                "same command",
            ),
            (
                [("1.0", "learn"), ("1.0", "learn again"), ("1.0", "learn")],
                "process 1 on `b` runs `learn again`, process 0 on `a` runs `learn`",
                "same command",
            ),
            (
                [("1.0", "look"), ("0.9", "look"), ("1.0", "look")],
                "process 1 on `b` runs resnet 0.9, process 0 on `a` runs resnet 1.0",
                "same version",
            ),
        ] {
            for error in errors(&programs) {
                let error = error.unwrap();
                assert_eq!(one_line(&error), message);
                assert!(hint_of(&error).unwrap().to_string().contains(hint));
            }
        }
    }

    #[test]
    fn a_process_that_cannot_begin_stops_the_others() {
        let failed = |why: &str| Arrival::failed(why.to_owned());
        let all = [
            Arrival::new("1.0", "learn"),
            failed("no"),
            failed("not"),
            failed("no"),
        ];
        assert!(Arrival::ensure_same(&all).unwrap_err().is::<Stopped>());
        assert_eq!(Arrival::failed_alike(&all, 3), [1, 3]);
        assert_eq!(Arrival::failed_alike(&all, 2), [2]);
    }
}
