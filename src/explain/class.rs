//! Parsing of a class given by the user: its label, one of the names in its label, or its index.

use crate::error::usage_error;
use anyhow::Result;

/// Maximum number of labels in a hint.
const MOST: usize = 3;

/// Returns the class that `written` stands for, among `classes` classes with these `labels` or without labels.
///
/// Labels take precedence over numbers (a model may call its second class `10`), and case is ignored. For a label such
/// as `tabby, tabby cat`, either name is accepted.
///
/// # Errors
/// If it stands for no class, or for several.
pub fn class_called(written: &str, labels: &[String], classes: usize) -> Result<usize> {
    let exact = |label: &String| label == written;
    let wanted = written.trim().to_lowercase();
    let like = |label: &String| names(label).any(|name| name == wanted);
    let found = [
        matching(labels, exact),
        matching(labels, like),
        written
            .trim()
            .parse()
            .into_iter()
            .filter(|&class| class < classes)
            .collect(),
    ];
    match found.into_iter().find(|found| !found.is_empty()).as_deref() {
        Some([class]) => Ok(*class),
        Some(several) => {
            let numbers: Vec<String> = several.iter().map(usize::to_string).collect();
            Err(usage_error(
                format!("`{written}` is the name of {} classes", several.len()),
                format!("pass the number of one: {}", numbers.join(", ")),
            ))
        }
        None => Err(unknown_class(written, &wanted, labels, classes)),
    }
}

/// Returns the classes whose labels match.
fn matching(labels: &[String], is_meant: impl Fn(&String) -> bool) -> Vec<usize> {
    (0..labels.len())
        .filter(|&class| is_meant(&labels[class]))
        .collect()
}

/// Returns the label and the names in it, in lower case.
fn names(label: &str) -> impl Iterator<Item = String> {
    let parts = label.split(',').map(|name| name.trim().to_lowercase());
    std::iter::once(label.trim().to_lowercase()).chain(parts)
}

fn unknown_class(written: &str, wanted: &str, labels: &[String], classes: usize) -> anyhow::Error {
    let last = classes.saturating_sub(1);
    let message = format!("the model has no class `{written}`");
    if labels.is_empty() {
        return usage_error(
            message,
            format!("its classes have no names: pass a number, 0 to {last}"),
        );
    }
    // Names that begin with or hold what was written are nearer than any of other letters.
    let distance = |label: &str| {
        let distance = |name: String| {
            if wanted.chars().count() >= 3 && name.contains(wanted) {
                return 0;
            }
            strsim::levenshtein(wanted, &name)
        };
        names(label).map(distance).min()
    };
    let mut near: Vec<(usize, &String)> = labels
        .iter()
        .filter_map(|label| Some((distance(label)?, label)))
        .filter(|&(distance, _)| distance <= 3.min(wanted.chars().count() / 2))
        .collect();
    near.sort();
    near.dedup();
    let near: Vec<String> = near
        .iter()
        .take(MOST)
        .map(|(_, label)| format!("`{label}`"))
        .collect();
    let hint = match near.as_slice() {
        [] => format!(
            "pass one of its labels, such as `{}`, or a number, 0 to {last}",
            labels[0]
        ),
        near => format!(
            "did you mean {}? A number, 0 to {last}, is accepted as well",
            near.join(", ")
        ),
    };
    usage_error(message, hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{hint_of, is_usage_error};

    fn called(written: &str, labels: &[&str]) -> Result<usize> {
        let labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
        class_called(written, &labels, labels.len().max(4))
    }

    const LABELS: [&str; 5] = ["tabby, tabby cat", "Sandal", "10", "crane", "Crane"];

    #[test]
    fn a_class_is_called_by_its_label_a_name_in_it_or_its_number() {
        for (written, class) in [
            ("tabby, tabby cat", 0),
            ("Tabby Cat", 0),
            ("sandal", 1),
            ("10", 2),
            ("2", 2),
            ("0", 0),
            ("crane", 3),
            ("Crane", 4),
        ] {
            assert_eq!(called(written, &LABELS).unwrap(), class, "{written}");
        }
        assert_eq!(called("3", &[]).unwrap(), 3);
    }

    #[test]
    fn what_is_no_class_or_several_is_wrong_usage_with_the_way_out() {
        for (written, labels, hint) in [
            ("CRANE", &LABELS[..], "pass the number of one: 3, 4"),
            (
                "sandle",
                &LABELS,
                "did you mean `Sandal`? A number, 0 to 4, is accepted as well",
            ),
            (
                "tab",
                &LABELS,
                "did you mean `tabby, tabby cat`? A number, 0 to 4, is accepted as well",
            ),
            (
                "rocket",
                &LABELS,
                "pass one of its labels, such as `tabby, tabby cat`, or a number, 0 to 4",
            ),
            (
                "",
                &LABELS,
                "pass one of its labels, such as `tabby, tabby cat`, or a number, 0 to 4",
            ),
            (
                "99",
                &LABELS,
                "pass one of its labels, such as `tabby, tabby cat`, or a number, 0 to 4",
            ),
            ("4", &[], "its classes have no names: pass a number, 0 to 3"),
            (
                "-1",
                &[],
                "its classes have no names: pass a number, 0 to 3",
            ),
        ] {
            let error = called(written, labels).unwrap_err();
            assert_eq!(hint_of(&error).unwrap().to_string(), hint, "{written}");
            assert!(is_usage_error(&error));
        }
    }
}
