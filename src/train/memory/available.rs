//! Available memory.

/// Returns the bytes that can still be allocated, `None` if the system does not tell: on Linux the available memory of the
/// machine or, if that is less, of the process's control groups, plus the free swap space within the limits of the groups.
#[cfg(target_os = "linux")]
pub fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let machine = 1024 * field(&text, "MemAvailable:")?;
    let swap = 1024 * field(&text, "SwapFree:").unwrap_or(0);
    let memory = groups().filter_map(|folder| room(&folder));
    let swaps = groups().filter_map(|folder| swap_room(&folder));
    Some(memory.fold(machine, u64::min) + swaps.fold(swap, u64::min))
}

/// Returns the bytes that can still be allocated; `None` if the system does not tell.
#[cfg(not(target_os = "linux"))]
pub fn available_bytes() -> Option<u64> {
    None
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
        assert!(available_bytes().is_some());
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
