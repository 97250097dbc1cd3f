//! The path that a user may have meant by one that does not exist.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the path most like `missing` among those that exist, `is_meant` and differ by a few letters of one name.
pub fn suggest_path(missing: &Path, is_meant: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    // The first name of the path that does not exist, and what follows it.
    let first = missing
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .last()?;
    let (around, name) = (first.parent()?, first.file_name()?);
    let rest = missing.strip_prefix(first).ok()?;
    let name = name.to_string_lossy().to_lowercase();
    // Half the letters of a short name make any other name.
    let most = 3.min(name.chars().count() / 2);
    let entries = match around.as_os_str() {
        empty if empty.is_empty() => fs::read_dir("."),
        _ => fs::read_dir(around),
    };
    let similar = entries.ok()?.flatten().filter_map(|entry| {
        let other = entry.file_name().to_string_lossy().to_lowercase();
        let distance = strsim::damerau_levenshtein(&name, &other);
        let path: PathBuf = around
            .join(entry.file_name())
            .join(rest)
            .components()
            .collect();
        (distance <= most && is_meant(&path)).then_some((distance, path))
    });
    similar.min().map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_wrong_letters_of_one_name_are_forgiven() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("photos/cats")).unwrap();
        fs::create_dir_all(folder.path().join("phone/x")).unwrap();
        fs::write(folder.path().join("photos/cats/tabby.jpg"), "").unwrap();
        let similar = |path: &str, is_meant: fn(&Path) -> bool| {
            let found = suggest_path(&folder.path().join(path), is_meant)?;
            let below = found.strip_prefix(folder.path()).unwrap();
            Some(below.to_str().unwrap().replace('\\', "/"))
        };
        for (missing, meant) in [
            ("photoes", Some("photos")),
            ("Photos1", Some("photos")),
            ("phtos/cats", Some("photos/cats")),
            ("photos/cat", Some("photos/cats")),
            ("drawings", None),
            ("phone/y", None),
            ("phtos/dogs", None),
            ("no/such/folder", None),
            ("", None),
        ] {
            let found = similar(missing, Path::is_dir);
            assert_eq!(found.as_deref(), meant, "{missing}");
        }
        let file = similar("photos/cats/taby.jpg", Path::is_file);
        assert_eq!(file.as_deref(), Some("photos/cats/tabby.jpg"));
        assert_eq!(similar("photos/cats/taby.jpg", Path::is_dir), None);
    }
}
