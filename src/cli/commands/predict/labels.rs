//! The file of class names that a user passes.

use crate::error::{error_with_hint, why_unreadable};
use crate::text::pluralize;
use anyhow::{Context, Result, bail};
use std::path::Path;

/// Reads the names of the classes, one per line. Blank lines are skipped.
///
/// # Errors
/// If the file cannot be read, or has another number of names than `classes`.
pub fn read_labels(file: &Path, classes: usize) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| {
            error_with_hint(
                why_unreadable(&error),
                format!(
                    "pass a file of {} with a name each, in the order of the classes",
                    pluralize(classes, "line")
                ),
            )
        })
        .with_context(|| format!("cannot read labels `{}`", file.display()))?;
    parse(&text, classes).with_context(|| format!("cannot use labels `{}`", file.display()))
}

fn parse(text: &str, classes: usize) -> Result<Vec<String>> {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let lines: Vec<&str> = lines.collect();
    let names: Vec<String> = lines
        .iter()
        .filter(|line| !line.is_empty())
        .map(|&line| line.to_owned())
        .collect();
    if names.len() == classes {
        return Ok(names);
    }
    let last = lines.iter().rposition(|line| !line.is_empty());
    let blank = lines.iter().position(|line| line.is_empty());
    let blank = blank.filter(|blank| last.is_some_and(|last| *blank < last));
    let blank = blank.map_or_else(String::new, |blank| {
        format!("; line {} is blank", blank + 1)
    });
    bail!(error_with_hint(
        format!(
            "{} for {}{blank}",
            pluralize(names.len(), "line"),
            pluralize(classes, "class")
        ),
        "give one name per line, in the order of the classes",
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_name_no_class() {
        for text in [
            "a\nb\nc",
            "a\nb\nc\n",
            "a\r\nb\r\nc\r\n",
            "\u{feff}a\nb \nc\t\n",
            "a\nb\nc\n\n",
            "a\nb\nc\n\n\n\n",
            "a\nb\nc\n  \t\n",
            "a\nb\nc\r\n\r\n",
            "\na\nb\nc\n",
            "a\n\nb\nc\n",
        ] {
            assert_eq!(parse(text, 3).unwrap(), ["a", "b", "c"], "{text:?}");
        }
    }

    #[test]
    fn a_class_without_a_name_is_an_error_that_tells_of_blank_lines() {
        for (text, message) in [
            ("\na\nb\n", "2 lines for 3 classes; line 1 is blank"),
            ("a\n\nc\n", "2 lines for 3 classes; line 2 is blank"),
            ("a\nb\n\n", "2 lines for 3 classes"),
            ("", "0 lines for 3 classes"),
            ("a\nb\nc\nd\n", "4 lines for 3 classes"),
        ] {
            let error = parse(text, 3).unwrap_err();
            assert_eq!(error.to_string(), message, "{text:?}");
        }
    }
}
