//! Lists of names in messages.

/// The most names in a message.
const SHOWN: usize = 5;

/// Returns at most [`SHOWN`] names and the number of the others.
pub fn quoted_list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    first_of(&quoted)
}

/// Returns at most [`SHOWN`] of `all` and the number of the others.
pub fn first_of(all: &[String]) -> String {
    let listed = all[..all.len().min(SHOWN)].join(", ");
    match all.len().saturating_sub(SHOWN) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}
