//! Suggestions for a path that does not exist: similar folders.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Maximum number of suggestions.
const MAX_SUGGESTIONS: usize = 3;

/// Returns up to three folders in `folder` for which `is_meant` holds, those with names most similar to `name` first.
pub fn suggest_folders(
    folder: &Path,
    name: &OsStr,
    is_meant: impl Fn(&Path) -> bool,
) -> Vec<PathBuf> {
    let name = name.to_string_lossy();
    let entries = std::fs::read_dir(match folder.as_os_str() {
        empty if empty.is_empty() => Path::new("."),
        _ => folder,
    });
    let paths = entries.into_iter().flatten().flatten();
    let paths = paths.map(|entry| folder.join(entry.file_name()));
    let mut found: Vec<(usize, PathBuf)> = paths
        .filter(|path| path.is_dir() && is_meant(path))
        .map(|path| {
            let other = path.file_name().unwrap_or_default().to_string_lossy();
            (strsim::levenshtein(&name, &other), path)
        })
        .collect();
    found.sort();
    found.truncate(MAX_SUGGESTIONS);
    found.into_iter().map(|(_, path)| path).collect()
}

/// Formats the paths for a sentence: `a`, `b` and `c`.
pub fn quote_paths(paths: &[PathBuf]) -> String {
    let mut quoted: Vec<String> = paths
        .iter()
        .map(|path| format!("`{}`", path.display()))
        .collect();
    let last = quoted.pop().unwrap_or_default();
    if quoted.is_empty() {
        last
    } else {
        format!("{} and {last}", quoted.join(", "))
    }
}

/// Formats the paths for a hint: `there is a`, `there are a and b`.
pub fn describe_existing(paths: &[PathBuf]) -> String {
    let verb = if paths.len() == 1 { "is" } else { "are" };
    format!("there {verb} {}", quote_paths(paths))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_similar_names_come_first_and_others_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        for name in ["zebra", "sample-1", "sample-2", "simple-11", "other"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        std::fs::write(root.path().join("sample-3"), "").unwrap();
        let found = suggest_folders(root.path(), "sample-3".as_ref(), |path| {
            !path.ends_with("sample-2")
        });
        let names: Vec<_> = found.iter().filter_map(|path| path.file_name()).collect();
        assert_eq!(names, ["sample-1", "simple-11", "other"]);
        assert_eq!(
            quote_paths(&["a".into(), "b".into(), "c".into()]),
            "`a`, `b` and `c`"
        );
        assert_eq!(describe_existing(&["a".into()]), "there is `a`");
        assert_eq!(
            describe_existing(&["a".into(), "b".into()]),
            "there are `a` and `b`"
        );
    }
}
