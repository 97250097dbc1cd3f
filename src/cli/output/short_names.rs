//! Names of models in few columns.

use crate::text::cut_middle;
use console::{measure_text_width, truncate_str};
use std::collections::HashSet;

/// Shortens names from the left to at most `columns` columns such that all differ, with as few parts of a path as
/// possible.
pub fn short_names(names: &[String], columns: usize) -> Vec<String> {
    let each = |short: &dyn Fn(&String) -> String, names: &[String]| -> Option<Vec<String>> {
        let short: Vec<String> = names.iter().map(short).collect();
        distinct(&short).then_some(short)
    };
    let parts = |name: &String| name.trim_end_matches('/').split('/').count();
    let most = names.iter().map(parts).max().unwrap_or(1);
    let ends = (1..=most).find_map(|count| each(&|name| end(name, count), names));
    let names = ends.unwrap_or_else(|| names.to_vec());
    let first_columns = |name: &String| truncate_str(name, columns, "…").into_owned();
    each(&|name| cut_middle(name, columns), &names)
        .or_else(|| each(&|name| last_columns(name, columns), &names))
        .or_else(|| each(&first_columns, &names))
        .unwrap_or_else(|| {
            let numbered = names.iter().zip(1..);
            let numbered = numbered.map(|(name, number)| format!("{number}: {name}"));
            numbered.map(|name| first_columns(&name)).collect()
        })
}

fn distinct(names: &[String]) -> bool {
    let set: HashSet<&String> = names.iter().collect();
    set.len() == names.len()
}

/// Returns the last `count` parts of a path.
fn end(name: &str, count: usize) -> String {
    let name = name.trim_end_matches('/');
    let mut starts = name.rmatch_indices('/').map(|(at, _)| at + 1);
    let start = starts.nth(count - 1).unwrap_or(0);
    name[start..].to_owned()
}

/// Returns the end of `name` in at most `columns` columns.
fn last_columns(name: &str, columns: usize) -> String {
    if measure_text_width(name) <= columns {
        return name.to_owned();
    }
    let starts = name.char_indices().map(|(at, _)| &name[at..]);
    let mut ends = starts.filter(|end| measure_text_width(end) < columns);
    format!("…{}", ends.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns of a name.
    const COLUMNS: usize = 18;

    fn shortened(names: &[&str]) -> Vec<String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let short = short_names(&names, COLUMNS);
        assert!(short.iter().all(|name| measure_text_width(name) <= COLUMNS));
        assert!(distinct(&short), "{short:?}");
        short
    }

    #[test]
    fn names_are_as_short_as_they_can_be_told_apart() {
        assert_eq!(shortened(&["runs/a-1", "runs/b-1/"]), ["a-1", "b-1"]);
        assert_eq!(
            shortened(&["runs/a/best", "runs/b/best", "sample"]),
            ["a/best", "b/best", "sample"]
        );
        assert_eq!(shortened(&["a/x", "x"]), ["a/x", "x"]);
        assert_eq!(
            shortened(&["fashion-mnist-resnet20-1", "fashion-mnist-resnet20-2"]),
            ["fashion-m…snet20-1", "fashion-m…snet20-2"]
        );
        let same_ends = [
            "first-of-two-long-long-names",
            "other-of-two-long-long-names",
        ];
        assert_eq!(
            shortened(&same_ends),
            ["first-of-…ng-names", "other-of-…ng-names"]
        );
        let middle = [
            "one-beginning-of-names-1-one-end-of-names",
            "one-beginning-of-names-2-one-end-of-names",
        ];
        assert_eq!(shortened(&middle)[1], "2: one-beginning-…");
        shortened(&[
            "고양이고양이고양이고양이/강아지",
            "강아지강아지강아지강아지",
        ]);
    }
}
