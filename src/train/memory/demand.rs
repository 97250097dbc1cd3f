//! Comparison of what the processes of a machine need together with the memory that they share.

use super::available::{MemoryLimit, limits};
use crate::distributed::{Processes, host_name};
use crate::error::{Error, Message, WithKind, error_with_hint};
use crate::message;
use crate::text::format_bytes;
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// The memory that a process needs, and the limits that it counts toward.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Demand {
    /// The name of the machine.
    host: String,
    /// The need in words, such as `a step of 8 images needs about 2 GB of memory`.
    text: String,
    bytes: u64,
    limits: Vec<MemoryLimit>,
}

/// A limit below the needs of the processes that share it.
#[derive(Debug, PartialEq, Eq)]
struct Shortage {
    /// The numbers of the processes.
    ranks: Vec<usize>,
    /// Bytes that they need together.
    needed: u64,
    /// Bytes that are free.
    free: u64,
}

impl Demand {
    /// Creates the demand of this process.
    pub fn new(text: String, bytes: u64) -> Self {
        Self {
            host: host_name(),
            text,
            bytes,
            limits: limits(),
        }
    }

    /// Rejects work for which some machine lacks memory, in all processes. `hint` is the way out of a single process.
    ///
    /// # Errors
    /// If the processes that share a limit need more together than is free; if another process is gone.
    pub fn ensure_met(&self, hint: Message, processes: &Processes) -> Result<()> {
        let all = processes.gather_values(self)?;
        let Some(shortage) = shortage(&all) else {
            return Ok(());
        };
        let hint = if shortage.ranks.len() == 1 {
            hint
        } else {
            message![hint, ", or start fewer processes per machine"]
        };
        Err(out_of_memory(text(&all, &shortage), hint))
    }
}

/// Returns the error for something that does not fit into memory.
pub(super) fn out_of_memory(message: String, hint: Message) -> anyhow::Error {
    error_with_hint(message, hint).with_kind(Error::OutOfMemory)
}

/// Returns the worst shortage of the first process that has one.
fn shortage(all: &[Demand]) -> Option<Shortage> {
    all.iter().find_map(|demand| {
        let shortages = demand.limits.iter().filter_map(|limit| {
            let (mut ranks, mut needed, mut free) = (Vec::new(), 0_u64, limit.free);
            for (rank, other) in all.iter().enumerate() {
                // The processes measure one after the other, while the data of some is being read.
                let same = other.limits.iter().find(|other| other.id == limit.id);
                if let Some(same) = same {
                    ranks.push(rank);
                    needed = needed.saturating_add(other.bytes);
                    free = free.min(same.free);
                }
            }
            (needed > free).then_some(Shortage {
                ranks,
                needed,
                free,
            })
        });
        shortages.max_by_key(|shortage| shortage.needed - shortage.free)
    })
}

/// Describes a shortage: what one process needs, all that share the memory, and what is free.
fn text(all: &[Demand], shortage: &Shortage) -> String {
    let free = format!("and {} are free", format_bytes(shortage.free));
    let ranks = shortage.ranks.iter().rev();
    // The first of those that need the most.
    let most = ranks.max_by_key(|rank| all[**rank].bytes);
    let Some(Demand { host, text, .. }) = most.map(|rank| &all[*rank]) else {
        return free;
    };
    let machine = if all.iter().all(|other| other.host == *host) {
        "of this machine".to_owned()
    } else {
        format!("on `{host}`")
    };
    match &shortage.ranks[..] {
        [_] if all.len() == 1 => format!("{text}, {free}"),
        [rank] => format!("{text} in process {rank} {machine}, {free}"),
        ranks => format!(
            "{text}, the {} processes {machine} need {}, {free}",
            ranks.len(),
            format_bytes(shortage.needed)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributed::threads::in_processes;
    use crate::error::{hint_of, one_line};

    const GB: u64 = 1 << 30;

    /// Returns the demand of a process for `bytes`, with limits of these names.
    fn demand(host: &str, bytes: u64, limits: &[(&str, u64)]) -> Demand {
        let limits = limits.iter().map(|&(id, free)| MemoryLimit {
            id: id.to_owned(),
            free,
        });
        Demand {
            host: host.to_owned(),
            text: format!("a step needs {}", format_bytes(bytes)),
            bytes,
            limits: limits.collect(),
        }
    }

    fn answer(all: &[Demand]) -> Option<String> {
        shortage(all).map(|shortage| text(all, &shortage))
    }

    #[test]
    fn processes_of_a_machine_need_its_memory_together() {
        let one = demand("a", 3 * GB, &[("a", 8 * GB)]);
        assert_eq!(answer(&vec![one.clone(); 2]), None);
        let three = answer(&vec![one.clone(); 3]).unwrap();
        assert_eq!(
            three,
            format!(
                "a step needs {}, the 3 processes of this machine need {}, and {} are free",
                format_bytes(3 * GB),
                format_bytes(9 * GB),
                format_bytes(8 * GB)
            )
        );
        // The one that measured last has seen most of the data in memory.
        let late = demand("a", 3 * GB, &[("a", 5 * GB)]);
        assert!(
            answer(&[one.clone(), late])
                .unwrap()
                .contains("the 2 processes")
        );
        let alone = answer(&[demand("a", 9 * GB, &[("a", 8 * GB)])]).unwrap();
        let expected = format!(
            "a step needs {}, and {} are free",
            format_bytes(9 * GB),
            format_bytes(8 * GB)
        );
        assert_eq!(alone, expected);
        // The system does not tell.
        assert_eq!(answer(&vec![demand("a", u64::MAX, &[]); 2]), None);
    }

    #[test]
    fn the_machine_that_lacks_memory_is_named() {
        let [a, b] = ["a", "b"].map(|host| demand(host, 3 * GB, &[(host, 8 * GB)]));
        assert_eq!(answer(&[a.clone(), b.clone(), a.clone(), b.clone()]), None);
        let found = answer(&[a.clone(), b.clone(), b.clone(), b.clone()]).unwrap();
        assert!(found.contains("the 3 processes on `b` need"), "{found}");
        let large = demand("b", 9 * GB, &[("b", 8 * GB)]);
        let found = answer(&[a, large]).unwrap();
        assert!(found.contains(" in process 1 on `b`, and"), "{found}");
    }

    #[test]
    fn processes_in_control_groups_of_their_own_share_the_machine_alone() {
        let own = |group: &str, free| demand("a", 3 * GB, &[("a", 16 * GB), (group, free)]);
        assert_eq!(answer(&[own("a 1", 4 * GB), own("a 2", 4 * GB)]), None);
        let one = answer(&[own("a 1", 4 * GB), own("a 2", 2 * GB)]).unwrap();
        assert!(one.contains(" in process 1 of this machine"), "{one}");
        let both = answer(&[own("a 1", 4 * GB), own("a 1", 4 * GB)]).unwrap();
        assert!(both.contains("the 2 processes of this machine"), "{both}");
        let all = answer(&vec![own("a 1", 4 * GB); 6]).unwrap();
        // The group lacks more than the machine.
        assert!(all.contains(&format_bytes(4 * GB)), "{all}");
    }

    #[test]
    fn all_processes_end_with_the_same_error() {
        let answers = in_processes(3, |processes| {
            let rank = processes.rank() as u64;
            let own = demand("a", (rank + 1) * GB, &[("a", 5 * GB)]);
            let answer = own.ensure_met(message!["pass less"], processes);
            let error = answer.unwrap_err();
            (one_line(&error), hint_of(&error).unwrap().to_string())
        });
        let answers = answers.unwrap();
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        let (text, hint) = &answers[0];
        // The largest one is described.
        let start = format!("a step needs {}, the 3 processes", format_bytes(3 * GB));
        assert!(text.starts_with(&start), "{text}");
        assert_eq!(hint, "pass less, or start fewer processes per machine");
    }
}
