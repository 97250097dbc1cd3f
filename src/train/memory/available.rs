//! How much memory a process may still take.

/// Bytes that may still be taken, where the system tells: on Linux what is available of the machine's memory or, where that
/// is less, of what the process's control groups may use, and the free swap space, of which groups may allow less too.
#[cfg(target_os = "linux")]
pub fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let machine = 1024 * field(&text, "MemAvailable:")?;
    let swap = 1024 * field(&text, "SwapFree:").unwrap_or(0);
    let memory = groups().filter_map(|folder| room(&folder));
    let swaps = groups().filter_map(|folder| swap_room(&folder));
    Some(memory.fold(machine, u64::min) + swaps.fold(swap, u64::min))
}

/// Bytes that may still be taken, where the system tells.
#[cfg(not(target_os = "linux"))]
pub fn available_bytes() -> Option<u64> {
    None
}

/// The number after `key` at the beginning of a line.
#[cfg(target_os = "linux")]
fn field(text: &str, key: &str) -> Option<u64> {
    let mut lines = text.lines();
    let rest = lines.find_map(|line| line.strip_prefix(key))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The folders of the process's control group (version 2) and of those around it.
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

/// What a control group may still use, files in memory that can be read again counting as free; nothing where it has no
/// limit.
#[cfg(target_os = "linux")]
fn room(folder: &std::path::Path) -> Option<u64> {
    let limit = number(folder, "memory.max")?;
    let used = number(folder, "memory.current")?;
    let stat = std::fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let files = ["inactive_file ", "active_file ", "slab_reclaimable "];
    let files: u64 = files.iter().filter_map(|key| field(&stat, key)).sum();
    Some(limit.saturating_sub(used.saturating_sub(files)))
}

/// What a control group may still swap out; nothing where it has no limit.
#[cfg(target_os = "linux")]
fn swap_room(folder: &std::path::Path) -> Option<u64> {
    let limit = number(folder, "memory.swap.max")?;
    Some(limit.saturating_sub(number(folder, "memory.swap.current")?))
}

/// The number in a control group's file; nothing where it is `max`.
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
