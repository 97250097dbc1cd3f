//! Breaks messages into lines at words, with an indent below their first.

use crate::text;
use console::measure_text_width;

/// Columns that text takes at most: longer lines are hard to read.
const WIDEST: usize = 100;
/// Stands for a space within a command in backticks, so that no line ends there.
const KEPT_SPACE: char = '\u{e000}';

/// Returns `text` in lines of at most `columns`, each but the first after `indent` spaces; `text` itself if `columns` is `None`.
///
/// The first line also has `indent` columns less, for what is printed before it. Words are never broken, so that paths can be
/// copied, and neither are commands in backticks that fit on a line.
pub fn wrapped(text: &str, indent: usize, columns: Option<usize>) -> String {
    let Some(columns) = columns else {
        return text.to_owned();
    };
    let room = columns.min(WIDEST).saturating_sub(indent).max(1);
    let lines = text::wrapped(&with_commands_kept(text, room), room);
    let margin = format!("\n{:indent$}", "");
    lines.join(&margin).replace(KEPT_SPACE, " ")
}

/// Returns `text` with the spaces within backticks held, where what they enclose fits into `room`.
fn with_commands_kept(text: &str, room: usize) -> String {
    let mut kept = String::with_capacity(text.len());
    for (index, part) in text.split('`').enumerate() {
        if index > 0 {
            kept.push('`');
        }
        // Backticks and what ends the sentence stand beside it.
        let fits = measure_text_width(part) + 3 <= room;
        if index % 2 == 1 && fits {
            kept.extend(part.chars().map(|letter| match letter {
                ' ' => KEPT_SPACE,
                letter => letter,
            }));
        } else {
            kept.push_str(part);
        }
    }
    kept
}

/// Returns `rows` of a label and a value in two aligned columns, a line each; values wrap in theirs.
///
/// Labels are printed by `style`, which adds no columns.
pub fn two_columns(
    rows: &[(&str, String)],
    columns: Option<usize>,
    style: impl Fn(&str) -> String,
) -> String {
    /// Spaces before a label, and between the columns.
    const MARGIN: usize = 2;
    let widest = rows
        .iter()
        .map(|(label, _)| measure_text_width(label))
        .max();
    let indent = widest.unwrap_or_default() + 2 * MARGIN;
    let rows = rows.iter().map(|(label, value)| {
        let gap = indent - MARGIN - measure_text_width(label);
        let value = wrapped(value, indent, columns);
        format!("{:MARGIN$}{}{:gap$}{value}\n", "", style(label), "")
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_words_and_continue_below_the_first() {
        let text = "cosine over 2 epochs, with 0.1 warm-up epochs";
        assert_eq!(
            wrapped(text, 6, Some(30)),
            "cosine over 2 epochs,\n      with 0.1 warm-up epochs"
        );
        assert_eq!(wrapped(text, 6, Some(80)), text);
        assert_eq!(wrapped(text, 6, None), text);
        // No terminal is too narrow.
        assert_eq!(wrapped("a bc", 6, Some(0)), "a\n      bc");
    }

    #[test]
    fn paths_and_commands_stay_whole() {
        let path = "the report is /a/very/long/path-to-the/run/report.html";
        assert_eq!(
            wrapped(path, 2, Some(20)),
            "the report is\n  /a/very/long/path-to-the/run/report.html"
        );
        let command = "stopped after step 3; `resnet train --resume` resumes it";
        assert_eq!(
            wrapped(command, 2, Some(40)),
            "stopped after step 3;\n  `resnet train --resume` resumes it"
        );
        // What is longer than a line is broken as other words are, and a lone backtick is a letter.
        assert_eq!(wrapped("`a b c d`", 2, Some(7)), "`a b\n  c d`");
        assert_eq!(wrapped("a ` b c", 0, Some(3)), "a `\nb c");
    }

    #[test]
    fn styles_take_no_room_and_wide_letters_two_columns() {
        let styled = "\u{1b}[1mab\u{1b}[0m cd";
        assert_eq!(wrapped(styled, 0, Some(5)), styled);
        assert_eq!(wrapped("고양 이", 0, Some(5)), "고양\n이");
    }

    #[test]
    fn values_of_a_block_stand_below_each_other() {
        let rows = [
            ("model", "resnet20".to_owned()),
            ("augmentation", "crop and flip".to_owned()),
        ];
        let upper = |label: &str| label.to_uppercase();
        assert_eq!(
            two_columns(&rows, None, upper),
            "  MODEL         resnet20\n  AUGMENTATION  crop and flip\n"
        );
        assert_eq!(
            two_columns(&rows, Some(26), upper),
            "  MODEL         resnet20\n  AUGMENTATION  crop and\n                flip\n"
        );
        assert_eq!(two_columns(&[], None, upper), "");
    }
}
