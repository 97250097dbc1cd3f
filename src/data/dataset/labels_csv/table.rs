//! A table of text: rows of cells between commas, semicolons or tabs, as [RFC 4180](https://www.rfc-editor.org/rfc/rfc4180) has them.

use anyhow::Result;

use crate::error::error_with_hint;

/// The separators that a table may have; the one that is most frequent in its first line counts.
const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// A row, and the line of the text on which it begins, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub line: usize,
    pub cells: Vec<String>,
}

/// Parses the rows that are not blank. Cells are without the space around them; between `"`, they keep it, and may contain
/// separators, line breaks and doubled `""`.
///
/// # Errors
/// When a `"` is never closed, or a row has another number of cells than the first.
pub fn parse(text: &str) -> Result<Vec<Row>> {
    let separator = separator(text.trim_start());
    let mut rows: Vec<Row> = Vec::new();
    let mut letters = text.chars().peekable();
    let mut line = 1;
    while letters.peek().is_some() {
        let mut row = Row {
            line,
            cells: Vec::new(),
        };
        loop {
            let mut cell = String::new();
            let mut is_quoted = false;
            let end = loop {
                match letters.next() {
                    Some('"') if cell.trim().is_empty() && !is_quoted => {
                        is_quoted = true;
                        cell.clear();
                        let opened = line;
                        loop {
                            match letters.next() {
                                Some('"') if letters.next_if_eq(&'"').is_some() => cell.push('"'),
                                Some('"') => break,
                                Some(letter) => {
                                    line += usize::from(letter == '\n');
                                    cell.push(letter);
                                }
                                None => return Err(unclosed(opened)),
                            }
                        }
                    }
                    Some(letter) if letter == separator => break Some(letter),
                    end @ (Some('\n') | None) => break end,
                    Some(letter) if is_quoted && letter.is_whitespace() => {}
                    Some(letter) => cell.push(letter),
                }
            };
            let cell = if is_quoted {
                cell
            } else {
                cell.trim().to_owned()
            };
            row.cells.push(cell);
            if end != Some(separator) {
                line += 1;
                break;
            }
        }
        if row.cells.iter().any(|cell| !cell.is_empty()) {
            ensure_as_long(&row, rows.first(), separator)?;
            rows.push(row);
        }
    }
    Ok(rows)
}

/// Returns the separator of a table.
fn separator(text: &str) -> char {
    let first = text.lines().next().unwrap_or_default();
    let count = |separator: &char| first.matches(*separator).count();
    let most = SEPARATORS
        .iter()
        .rev()
        .max_by_key(|separator| count(separator));
    most.copied().unwrap_or(',')
}

fn ensure_as_long(row: &Row, first: Option<&Row>, separator: char) -> Result<()> {
    let (count, expected) = (
        row.cells.len(),
        first.map_or(row.cells.len(), |row| row.cells.len()),
    );
    if count == expected {
        return Ok(());
    }
    Err(error_with_hint(
        format!(
            "line {} has {count} cells, and the first one {expected}",
            row.line
        ),
        format!(
            "put a text that contains `{}` between `\"`",
            separator.escape_default()
        ),
    ))
}

fn unclosed(line: usize) -> anyhow::Error {
    error_with_hint(
        format!("line {line} has a `\"` that is never closed"),
        "close it, or write `\"\"` for one in a text",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> Vec<(usize, Vec<String>)> {
        let rows = parse(text).unwrap();
        rows.into_iter().map(|row| (row.line, row.cells)).collect()
    }

    fn row(line: usize, cells: &[&str]) -> (usize, Vec<String>) {
        (line, cells.iter().map(|&cell| cell.to_owned()).collect())
    }

    #[test]
    fn rows_of_every_separator_are_read() {
        for separator in [",", ";", "\t"] {
            let text = ["path,label", "a 1.jpg , cat", "", "b.jpg,", " \t"].join("\r\n");
            let text = text.replace(',', separator);
            let expected = [
                row(1, &["path", "label"]),
                row(2, &["a 1.jpg", "cat"]),
                row(4, &["b.jpg", ""]),
            ];
            assert_eq!(
                cells(text.trim_end_matches(" \t")),
                expected,
                "{separator:?}"
            );
        }
        assert!(cells("").is_empty() && cells("\n\n").is_empty());
    }

    #[test]
    fn quoted_cells_keep_separators_line_breaks_and_quotes() {
        let text =
            "path,label\n\"a,b.jpg\", \"tabby, \"\"tabby\"\" cat\" \n\"x\ny\",5\" screen\nz,w";
        let expected = [
            row(1, &["path", "label"]),
            row(2, &["a,b.jpg", "tabby, \"tabby\" cat"]),
            row(3, &["x\ny", "5\" screen"]),
            row(5, &["z", "w"]),
        ];
        assert_eq!(cells(text), expected);
    }

    #[test]
    fn damaged_rows_are_named_by_their_line() {
        for (text, message) in [
            (
                "a,b\n\nc.jpg,tabby, cat\n",
                "line 3 has 3 cells, and the first one 2",
            ),
            ("a,b\nc\n", "line 2 has 1 cells, and the first one 2"),
            (
                "a,b\n\"c,d\ne,f\n",
                "line 2 has a `\"` that is never closed",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message);
        }
    }
}
