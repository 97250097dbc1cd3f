//! The names of splits.

/// The splits of a dataset, each with the possible names of its folder, the usual one first.
pub const PARTS: [&[&str]; 3] = [
    &["train", "training"],
    &["val", "valid", "validation", "dev"],
    &["test", "testing"],
];

/// Returns the split that a folder of that name holds: `train`, `val` or `test`.
pub fn part_of(name: &str) -> Option<&'static str> {
    part_number(name).map(|part| PARTS[part][0])
}

/// Returns the number of the split that a folder of that name holds, in the order of [`PARTS`].
pub fn part_number(name: &str) -> Option<usize> {
    let name = name.to_lowercase();
    PARTS
        .iter()
        .position(|names| names.contains(&name.as_str()))
}
