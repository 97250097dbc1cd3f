//! The source files of the package and of the crates beside it, by their paths in the repository with `/` between the parts.

use std::path::{Path, PathBuf};

/// Returns the files in `src/` and `crates/*/src/`, sorted.
pub fn files() -> Vec<String> {
    let mut found = Vec::new();
    for root in crates() {
        let (folder, _) = root.rsplit_once('/').expect("it is in a folder");
        collect(&repository().join(folder), &mut found);
    }
    found.sort();
    found
}

/// Returns the Rust files of the package, its crates, tests, benches and examples, sorted.
pub fn rust_files() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["src", "crates", "tests", "benches", "examples"] {
        let folder = repository().join(folder);
        if folder.is_dir() {
            collect(&folder, &mut found);
        }
    }
    found.sort();
    found
}

/// Returns the root modules: `src/lib.rs` and those of `crates/`.
pub fn crates() -> Vec<String> {
    let mut roots = vec!["src/lib.rs".to_owned()];
    let crates = std::fs::read_dir(repository().join("crates"));
    for entry in crates.into_iter().flatten() {
        let name = entry.unwrap().file_name();
        let root = format!("crates/{}/src/lib.rs", name.to_string_lossy());
        if repository().join(&root).is_file() {
            roots.push(root);
        }
    }
    roots
}

/// Returns the content of a file; `None` if it does not exist.
pub fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(repository().join(path)).ok()
}

/// Returns the top-level module of a file of the package, or the name of the crate that it belongs to.
pub fn room(path: &str) -> &str {
    let mut parts = path.split('/');
    let room = match parts.next() {
        Some("crates" | "src") => parts.next(),
        _ => None,
    };
    let room = room.unwrap_or_else(|| panic!("`{path}` is not a source file"));
    room.strip_suffix(".rs").unwrap_or(room)
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let path = path.strip_prefix(repository()).unwrap();
            found.push(path.to_string_lossy().replace('\\', "/"));
        }
    }
}
