//! The limits of memory on this machine, and what is free within them.

#[cfg(target_os = "linux")]
use crate::distributed::host_name;
use serde::{Deserialize, Serialize};

/// A limit of memory that processes of a machine share: the memory of the machine, or the limit of a control group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryLimit {
    /// Identifies the limit among those of all machines.
    pub id: String,
    /// Bytes that can still be allocated, swap space included.
    pub free: u64,
}

/// Returns the limits that this process counts toward, that of the machine first: on Linux the available memory of the machine and what
/// is left to the process's control groups, each with the free swap space within the limits of the groups. Empty if the system
/// does not tell.
#[cfg(target_os = "linux")]
pub fn limits() -> Vec<MemoryLimit> {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let Some(available) = field(&text, "MemAvailable:") else {
        return Vec::new();
    };
    let swap = 1024 * field(&text, "SwapFree:").unwrap_or(0);
    let swap = groups()
        .filter_map(|folder| swap_room(&folder))
        .fold(swap, u64::min);
    let machine = machine();
    let mut limits = vec![MemoryLimit {
        id: machine.clone(),
        free: 1024 * available + swap,
    }];
    limits.extend(groups().filter_map(|folder| {
        Some(MemoryLimit {
            id: format!("{machine} {}", number_of(&folder)),
            free: room(&folder)? + swap,
        })
    }));
    limits
}

/// Returns the limits that this process counts toward; empty, as the system does not tell.
#[cfg(not(target_os = "linux"))]
pub fn limits() -> Vec<MemoryLimit> {
    Vec::new()
}

/// Returns what tells this machine from others: several may have one name, and the containers of one have several.
#[cfg(target_os = "linux")]
fn machine() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    boot.map_or_else(|_| host_name(), |boot| boot.trim().to_owned())
}

/// Returns what tells a control group from others of the machine, by whatever path a container has it.
#[cfg(target_os = "linux")]
fn number_of(folder: &std::path::Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    folder.metadata().map_or(0, |metadata| metadata.ino())
}

/// Returns the number after `key` at the start of a line.
#[cfg(target_os = "linux")]
fn field(text: &str, key: &str) -> Option<u64> {
    let mut lines = text.lines();
    let rest = lines.find_map(|line| line.strip_prefix(key))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Returns the folders of the process's control group (version 2) and of its ancestors.
#[cfg(target_os = "linux")]
fn groups() -> impl Iterator<Item = std::path::PathBuf> {
    let root = std::path::Path::new("/sys/fs/cgroup");
    let text = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = text.lines().find_map(|line| line.strip_prefix("0::/"));
    let own = root.join(own.unwrap_or_default());
    let around: Vec<_> = own.ancestors().map(std::path::Path::to_owned).collect();
    around
        .into_iter()
        .filter(move |path| path.starts_with(root))
}

/// Returns the memory that a control group can still use, with cached files counted as free; `None` without a limit.
#[cfg(target_os = "linux")]
fn room(folder: &std::path::Path) -> Option<u64> {
    let limit = number(folder, "memory.max")?;
    let used = number(folder, "memory.current")?;
    let stat = std::fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let files = ["inactive_file ", "active_file ", "slab_reclaimable "];
    let files: u64 = files.iter().filter_map(|key| field(&stat, key)).sum();
    Some(limit.saturating_sub(used.saturating_sub(files)))
}

/// Returns the memory that a control group can still swap out; `None` without a limit.
#[cfg(target_os = "linux")]
fn swap_room(folder: &std::path::Path) -> Option<u64> {
    let limit = number(folder, "memory.swap.max")?;
    Some(limit.saturating_sub(number(folder, "memory.swap.current")?))
}

/// Returns the number in a file of a control group; `None` if it is `max`.
#[cfg(target_os = "linux")]
fn number(folder: &std::path::Path, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(folder.join(name)).ok()?;
    text.trim().parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_a_control_group_may_still_use_counts_its_files_as_free() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        assert_eq!(room(folder.path()), None);
        write("memory.max", "max\n").unwrap();
        write("memory.current", "700\n").unwrap();
        assert_eq!(room(folder.path()), None);
        write("memory.max", "1000\n").unwrap();
        assert_eq!(room(folder.path()), Some(300));
        write(
            "memory.stat",
            "anon 400\ninactive_file 200\nactive_file 50\n",
        )
        .unwrap();
        assert_eq!(room(folder.path()), Some(550));
    }

    #[test]
    fn the_processes_of_a_machine_count_toward_the_same_limits() {
        let own = limits();
        let free = own.iter().map(|limit| limit.free).min();
        assert!(free.is_some_and(|free| free > 0), "{own:?}");
        let ids = |limits: &[MemoryLimit]| -> Vec<String> {
            limits.iter().map(|limit| limit.id.clone()).collect()
        };
        assert!(!own[0].id.is_empty());
        assert_eq!(ids(&own), ids(&limits()));
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        for group in [&one, &other] {
            std::fs::create_dir(group).unwrap();
        }
        assert_ne!(number_of(&one), number_of(&other));
        // By another path, as in a container.
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&one, &link).unwrap();
        assert_eq!(number_of(&one), number_of(&link));
    }

    #[test]
    fn a_control_group_may_swap_less_than_the_machine() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        assert_eq!(swap_room(folder.path()), None);
        write("memory.swap.current", "300\n").unwrap();
        write("memory.swap.max", "max\n").unwrap();
        assert_eq!(swap_room(folder.path()), None);
        write("memory.swap.max", "1000\n").unwrap();
        assert_eq!(swap_room(folder.path()), Some(700));
        write("memory.swap.max", "0\n").unwrap();
        assert_eq!(swap_room(folder.path()), Some(0));
    }
}
