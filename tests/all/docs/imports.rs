//! The imports between the source files of a crate: which file takes what from which other file.
//!
//! A name is followed through `use` and `pub use` to the file that defines it, so that a `mod.rs` that only declares and
//! re-exports modules imports nothing and is imported by nobody. Comments, strings and items under `#[cfg(test)]` are not read.

mod parse;
mod resolve;
mod tests;

use std::collections::{BTreeMap, BTreeSet};

/// Reads a file by its path; `None` if it does not exist.
pub type Read<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// The names that one file takes from another, by the paths of both.
pub type Imports = BTreeMap<(String, String), BTreeSet<String>>;

/// Returns the imports between the files of the crate whose root module is the file `root`.
pub fn imports(root: &str, read: &Read) -> Imports {
    let modules = parse::modules(root, read);
    let mut imports = Imports::new();
    for module in 0..modules.len() {
        for (file, name) in resolve::taken(&modules, module) {
            let from = modules[module].file.clone();
            if from != file {
                imports.entry((from, file)).or_default().insert(name);
            }
        }
    }
    imports
}

/// Returns the groups of files that import each other, directly or through others of the group.
pub fn loops(imports: &Imports) -> Vec<BTreeSet<String>> {
    let files: BTreeSet<&String> = imports.keys().flat_map(|(from, to)| [from, to]).collect();
    let reached: BTreeMap<&String, BTreeSet<&String>> = files
        .iter()
        .map(|file| (*file, reached_from(file, imports)))
        .collect();
    let mut loops = Vec::new();
    let mut seen = BTreeSet::new();
    for (file, others) in &reached {
        if seen.contains(file) || !others.contains(file) {
            continue;
        }
        let group = others
            .iter()
            .filter(|other| reached[**other].contains(file));
        let group: BTreeSet<&String> = group.copied().collect();
        seen.extend(group.iter().copied());
        loops.push(group.into_iter().cloned().collect());
    }
    loops
}

/// Returns the files that `start` imports, directly or through others.
fn reached_from<'a>(start: &'a String, imports: &'a Imports) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(file) = open.pop() {
        for (from, to) in imports.keys() {
            if from == file && reached.insert(to) {
                open.push(to);
            }
        }
    }
    reached
}
