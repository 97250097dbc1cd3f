//! The end of this process, and of those that a launcher started with it: one of several that end alike speaks for them.

use crate::cli::args::distributed::DistributedArgs;
use crate::cli::exit::ExitStatus;
use crate::cli::output::console::Console;
use crate::cli::output::stdout::is_broken_pipe;
use crate::distributed::{
    Arrival, LaunchedProcesses, Processes, Stopped, connect, host_name, name_of,
};
use crate::error::{is_usage_error, one_line};
use crate::text::pluralize;
use anyhow::{Error, Result};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// The exit status of wrong usage.
const USAGE: u8 = 2;
/// The time for which the other processes let the first one report an error, which may be theirs too.
const FIRST_SPEAKS: Duration = Duration::from_secs(2);
/// The time in which a launcher passes an error on.
const PASSED_ON: Duration = Duration::from_millis(500);
/// The time in which processes connect; later, a process that cannot begin takes itself for the only one.
const CONNECTS: Duration = Duration::from_secs(10);

/// Returns the exit status of a subcommand and prints its error.
pub fn end(result: Result<ExitStatus>, console: &Console) -> ExitCode {
    match result {
        Ok(status) => status.code().into(),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            console.error(&error);
            code_of(&error).into()
        }
    }
}

/// Returns the exit status of an error.
fn code_of(error: &Error) -> u8 {
    if is_usage_error(error) { USAGE } else { 1 }
}

/// Ends this process and the others. A failure of one ends all; the first one speaks of a failure of all.
pub fn end_together(
    result: Result<ExitStatus>,
    processes: &Processes,
    console: &Console,
) -> ExitCode {
    let error = match result {
        Ok(status) => return leave(processes, status.code()),
        // Another process says why.
        Err(error) if is_broken_pipe(&error) || error.is::<Stopped>() => {
            return leave(processes, 0);
        }
        Err(error) => error,
    };
    let code = code_of(&error);
    // What all processes find, the first one says, and ends them.
    let alike = if processes.is_first() {
        vec![0]
    } else {
        processes.failed_alike(hash(&one_line(&error)), FIRST_SPEAKS)
    };
    if alike[0] == processes.rank() {
        console.error(&by_process(error, &alike));
    } else {
        // Another one says it, which may have failed later.
        thread::sleep(FIRST_SPEAKS + PASSED_ON);
    }
    // A launcher loses output that it has not passed on when it ends the processes.
    thread::sleep(PASSED_ON);
    processes.abort(code.into());
    code.into()
}

/// Waits for the plain end of all processes. Returns the exit status: `own`, or the first one's if that is success.
fn leave(processes: &Processes, own: u8) -> ExitCode {
    // The first one may still write, and fail in it: then nobody gets any further.
    let first = processes.broadcast(vec![own]).unwrap_or_default();
    let code = if own == 0 {
        first.first().copied().unwrap_or(0)
    } else {
        own
    };
    code.into()
}

/// Adds the name of this process, the first one of those that end `alike`, to its error, unless it is process 0.
fn by_process(error: Error, alike: &[usize]) -> Error {
    if alike[0] == 0 {
        return error;
    }
    let name = name_of(alike[0], &host_name());
    error.context(match alike.len() - 1 {
        0 => name,
        others => format!("{name} and {}", pluralize(others, "other")),
    })
}

/// Ends a process that cannot begin, by an error of usage. The others of its launcher end with it, and one speaks of the error of several.
pub fn refuse(error: Error, console: &Console) -> ExitCode {
    let plan = DistributedArgs::asked_for().plan().ok().flatten();
    let Some(plan) = plan else {
        console.error(&error);
        return USAGE.into();
    };
    let is_first = plan.launch.is_some_and(|launch| launch.rank == 0);
    if is_first {
        // It is printed whatever becomes of MPI.
        console.error(&error);
    }
    let failure = one_line(&error);
    let (send, met) = channel();
    // MPI waits for processes that may never come.
    thread::spawn(move || send.send(meet(plan, failure)));
    let met = met.recv_timeout(CONNECTS).ok().and_then(Result::ok);
    let Some((processes, alike)) = met else {
        if !is_first {
            console.error(&error);
        }
        return USAGE.into();
    };
    if !is_first && alike[0] == processes.rank() {
        console.error(&by_process(error, &alike));
    }
    leave(&processes, USAGE)
}

/// Tells the other processes that this one ends by `failure`. Returns them, and the numbers of those that end alike.
fn meet(plan: LaunchedProcesses, failure: String) -> Result<(Processes, Vec<usize>)> {
    let processes = Processes::new(move || connect(&plan))?;
    let all = processes.gather_values(&Arrival::failed(failure))?;
    let alike = Arrival::failed_alike(&all, processes.rank());
    Ok((processes, alike))
}

/// Returns a hash that is the same in all processes.
fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
