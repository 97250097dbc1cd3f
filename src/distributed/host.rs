//! The machine of a process: its name, the cores that the process may use, and its share of them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;

/// The cores of a process on its machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The name of the machine.
    pub host: String,
    /// The physical cores on which the system may run the process, each by its first hardware thread; empty if it does not tell.
    pub cores: BTreeSet<usize>,
}

impl Binding {
    /// Returns the binding of this process.
    pub fn of_this_process() -> Self {
        Self {
            host: host_name(),
            cores: allowed_cores(),
        }
    }
}

/// Returns the number of cores that process `rank` of `bindings` uses, so that the processes of its machine use each one once.
/// `available` is the number of cores that the process would use alone; `local` that of the processes on the machine, if the
/// launcher tells.
///
/// Processes that are bound to cores of their own use all of these. Those that share cores divide them, as do all processes of a
/// machine that does not tell the cores of each.
pub fn share_of_cores(
    bindings: &[Binding],
    rank: usize,
    available: usize,
    local: Option<usize>,
) -> usize {
    let own = &bindings[rank];
    let neighbors = || bindings.iter().filter(|other| other.host == own.host);
    // Machines may have one name, such as those of containers: the launcher knows better.
    let local = local.unwrap_or_else(|| neighbors().count());
    let (cores, sharing) = if own.cores.is_empty() {
        (available, local)
    } else {
        let sharing = neighbors().filter(|other| !other.cores.is_disjoint(&own.cores));
        (available.min(own.cores.len()), sharing.count().min(local))
    };
    (cores / sharing.max(1)).max(1)
}

/// Returns the number of process `rank` of `bindings` among those of its machine.
pub fn local_rank(bindings: &[Binding], rank: usize) -> usize {
    let before = bindings[..rank].iter();
    before
        .filter(|other| other.host == bindings[rank].host)
        .count()
}

/// Returns the name of this machine; empty except on Linux.
pub fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname");
    name.unwrap_or_default().trim().to_owned()
}

/// Returns the names of two processes, each given by its number and its machine; with the machines if these are different ones.
pub fn names_of(processes: [(usize, &str); 2]) -> [String; 2] {
    let [(_, first), (_, other)] = processes;
    processes.map(|(rank, host)| {
        if first == other {
            name_of(rank, "")
        } else {
            name_of(rank, host)
        }
    })
}

/// Returns the name of a process, with its machine if that is known.
pub fn name_of(rank: usize, host: &str) -> String {
    if host.is_empty() {
        format!("process {rank}")
    } else {
        format!("process {rank} on `{host}`")
    }
}

/// Returns the physical cores on which the system may run this process; none except on Linux.
fn allowed_cores() -> BTreeSet<usize> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let allowed = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let threads = hardware_threads(allowed.unwrap_or_default());
    threads
        .into_iter()
        .map(|thread| {
            let file = format!("/sys/devices/system/cpu/cpu{thread}/topology/thread_siblings_list");
            let siblings = fs::read_to_string(file).unwrap_or_default();
            hardware_threads(&siblings)
                .first()
                .copied()
                .unwrap_or(thread)
        })
        .collect()
}

/// Returns the hardware threads of a list such as `0-3,8`; none if it is not one.
fn hardware_threads(list: &str) -> BTreeSet<usize> {
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    let ranges = list.trim().split(',').map(range);
    let ranges: Option<Vec<RangeInclusive<usize>>> = ranges.collect();
    ranges.into_iter().flatten().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(host: &str, cores: impl IntoIterator<Item = usize>) -> Binding {
        Binding {
            host: host.to_owned(),
            cores: cores.into_iter().collect(),
        }
    }

    /// Returns the share of each process.
    fn shares(bindings: &[Binding], available: usize, local: Option<usize>) -> Vec<usize> {
        let ranks = 0..bindings.len();
        ranks
            .map(|rank| share_of_cores(bindings, rank, available, local))
            .collect()
    }

    #[test]
    fn processes_that_may_use_the_same_cores_divide_them() {
        let four = vec![binding("a", 0..16); 4];
        assert_eq!(shares(&four, 16, Some(4)), [4; 4]);
        assert_eq!(shares(&four, 16, None), [4; 4]);
        // A limit of the processor time leaves fewer.
        assert_eq!(shares(&four, 8, Some(4)), [2; 4]);
        // More processes than cores.
        assert_eq!(shares(&vec![binding("a", 0..2); 3], 2, Some(3)), [1; 3]);
    }

    #[test]
    fn processes_that_are_bound_to_cores_of_their_own_use_all_of_them() {
        let bound = |count: usize| -> Vec<Binding> {
            let cores = |rank| count * rank..count * (rank + 1);
            (0..4).map(|rank| binding("a", cores(rank))).collect()
        };
        assert_eq!(shares(&bound(4), 4, Some(4)), [4; 4]);
        assert_eq!(shares(&bound(4), 4, None), [4; 4]);
        // The two hardware threads of a core are one core.
        assert_eq!(shares(&bound(1), 2, Some(4)), [1; 4]);
        let pairs = [0..4, 0..4, 4..8, 4..8].map(|cores| binding("a", cores));
        assert_eq!(shares(&pairs, 4, Some(4)), [2; 4]);
    }

    #[test]
    fn processes_of_several_machines_divide_the_cores_of_each() {
        let cores = ["a", "b", "b"].map(|host| binding(host, 0..8));
        assert_eq!(shares(&cores, 8, None), [8, 4, 4]);
        // Machines of one name, each with one process.
        let same = vec![binding("localhost", 0..8); 2];
        assert_eq!(shares(&same, 8, Some(1)), [8; 2]);
    }

    #[test]
    fn processes_are_numbered_on_each_machine() {
        let hosts = ["a", "b", "b", "a", "b"].map(|host| binding(host, []));
        let numbers: Vec<usize> = (0..5).map(|rank| local_rank(&hosts, rank)).collect();
        assert_eq!(numbers, [0, 0, 1, 1, 2]);
    }

    #[test]
    fn processes_of_a_system_that_tells_no_cores_divide_those_that_are_available() {
        let unknown = vec![binding("a", []); 2];
        assert_eq!(shares(&unknown, 8, Some(2)), [4; 2]);
        assert_eq!(shares(&unknown, 8, None), [4; 2]);
        assert_eq!(shares(&unknown, 1, Some(2)), [1; 2]);
    }

    #[test]
    fn hardware_threads_are_listed_by_ranges() {
        for (list, threads) in [
            ("0,64\n", vec![0, 64]),
            ("\t2-4,7,9-10", vec![2, 3, 4, 7, 9, 10]),
            ("5", vec![5]),
            ("", vec![]),
            ("none", vec![]),
        ] {
            assert!(hardware_threads(list).into_iter().eq(threads), "{list}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_may_use_some_cores_of_a_machine_with_a_name() {
        let binding = Binding::of_this_process();
        assert!(!binding.host.is_empty() && !binding.cores.is_empty());
    }
}
