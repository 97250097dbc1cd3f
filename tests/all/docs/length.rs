//! A file holds one idea, and is short enough to be read in one go.

use std::collections::BTreeSet;

use super::sources::{files, read, room};

/// The largest number of lines of a file.
const LINES: usize = 400;

/// The rooms that still have longer files; one without them is an error.
const KNOWN: &[&str] = &[];

#[test]
fn no_file_is_longer_than_it_can_be_read_in_one_go() {
    let long = |file: &String| {
        let lines = read(file).unwrap_or_default().lines().count();
        (lines > LINES).then(|| (file.clone(), lines))
    };
    let long: Vec<(String, usize)> = files().iter().filter_map(long).collect();
    let rooms: BTreeSet<&str> = long.iter().map(|(file, _)| room(file)).collect();
    let unknown: Vec<_> = long
        .iter()
        .filter(|(file, _)| !KNOWN.contains(&room(file)))
        .collect();
    assert!(unknown.is_empty(), "more than {LINES} lines: {unknown:?}");
    let stale: Vec<_> = KNOWN
        .iter()
        .filter(|room| !rooms.contains(**room))
        .collect();
    assert!(stale.is_empty(), "rooms without a long file: {stale:?}");
}
