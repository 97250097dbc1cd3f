//! No two files import each other, directly or through others: each can be read, tested and changed knowing only what is below it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::imports::{Imports, imports, loops};
use super::sources::{crates, read, room};

/// The rooms whose files still import each other. A loop within these is known; one outside of them is an error, and so is a room
/// without a loop.
const KNOWN: &[&str] = &[];

#[test]
fn no_files_import_each_other() {
    let mut found = String::new();
    let mut known = BTreeSet::new();
    for root in crates() {
        let imports = imports(&root, &read);
        for group in loops(&imports) {
            let rooms: BTreeSet<&str> = group.iter().map(|file| room(file)).collect();
            if rooms.iter().all(|room| KNOWN.contains(room)) {
                known.extend(rooms.iter().map(|&room| room.to_owned()));
            } else {
                found += &described(&group, &imports);
            }
        }
    }
    assert!(found.is_empty(), "{found}");
    let stale: Vec<_> = KNOWN
        .iter()
        .filter(|room| !known.contains(**room))
        .collect();
    assert!(stale.is_empty(), "rooms without a loop: {stale:?}");
}

/// Lists the files of a loop, and what ties them.
fn described(group: &BTreeSet<String>, imports: &Imports) -> String {
    let mut text = format!("\n{} files import each other:\n", group.len());
    for ((from, to), names) in imports {
        if group.contains(from) && group.contains(to) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            // Writing into a string cannot fail.
            let _ = writeln!(text, "  {from} -> {to}: {}", names.join(", "));
        }
    }
    text
}
