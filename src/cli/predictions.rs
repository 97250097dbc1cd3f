//! Prints predictions: text with bars for people, JSON lines and CSV for programs.

use super::print;
use super::terminal::stdout_columns;
use crate::error::one_line;
use crate::predict::{Explained, Predicted, Prediction};
use crate::report::csv::quoted;
use anyhow::Result;
use clap::ValueEnum;
use console::{measure_text_width, truncate_str};
use serde_json::json;

/// What to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people, with bars on a terminal
    Text,
    /// A line of JSON a picture
    Json,
    /// A line a prediction, with a header
    Csv,
}

/// Cells of the longest bar.
const BAR: usize = 24;
/// Columns of a label, at least.
const LABEL: usize = 12;

/// Prints one picture after the other to stdout, each when it is done.
pub struct Printer {
    format: Format,
    /// Columns of the terminal that stdout is, if it is one.
    terminal: Option<usize>,
}

impl Printer {
    /// Prints what stands before the first picture.
    pub fn new(format: Format) -> Result<Self> {
        if format == Format::Csv {
            print("image,rank,class,label,probability,logit,error\n")?;
        }
        Ok(Self {
            format,
            terminal: stdout_columns(),
        })
    }

    /// One picture's predictions, and in JSON where its explanation is.
    pub fn predicted(&self, image: &str, predicted: &Predicted) -> Result<()> {
        let predictions = &predicted.predictions;
        let lines: Vec<String> = match self.format {
            Format::Json => {
                let mut line = json!({ "image": image, "predictions": predictions });
                if let Some(explained) = &predicted.explained {
                    let Explained { class, label, .. } = explained;
                    let file = explained.file.display().to_string();
                    line["explanation"] = json!({ "class": class, "label": label, "file": file });
                }
                vec![line.to_string()]
            }
            Format::Csv => {
                let ranked = predictions.iter().zip(1..);
                ranked
                    .map(|(prediction, rank)| csv(image, rank, prediction))
                    .collect()
            }
            Format::Text => {
                let name = std::iter::once(printable(image));
                name.chain(
                    predictions
                        .iter()
                        .map(|prediction| text(prediction, self.terminal)),
                )
                .collect()
            }
        };
        print(&(lines.join("\n") + "\n"))
    }

    /// A picture that has none; text says so on stderr alone.
    pub fn failure(&self, image: &str, error: &anyhow::Error) -> Result<()> {
        let error = one_line(error);
        match self.format {
            Format::Json => print(&format!("{}\n", json!({ "image": image, "error": error }))),
            Format::Csv => print(&format!("{},,,,,,{}\n", quoted(image), quoted(&error))),
            Format::Text => Ok(()),
        }
    }
}

/// A prediction as a line, with a bar where it goes to a terminal of so many columns that has room for one.
fn text(prediction: &Prediction, terminal: Option<usize>) -> String {
    let label = prediction
        .label
        .as_deref()
        .map_or_else(|| format!("class {}", prediction.class), printable);
    let percent = format!("  {:>5.1} %", 100.0 * prediction.probability);
    let Some(columns) = terminal else {
        return format!("{percent}  {label}");
    };
    let room = columns.saturating_sub(percent.len() + 2 + LABEL + 2);
    let cells = BAR.min(columns / 3).min(room);
    let line = match cells {
        0 => percent,
        cells => format!("{percent}  {:<cells$}", bar(prediction.probability, cells)),
    };
    let room = columns.saturating_sub(measure_text_width(&line) + 2);
    format!("{line}  {}", truncate_str(&label, room.max(1), "…"))
}

fn csv(image: &str, rank: usize, prediction: &Prediction) -> String {
    let Prediction {
        class,
        label,
        probability,
        logit,
    } = prediction;
    let (image, label) = (quoted(image), quoted(label.as_deref().unwrap_or_default()));
    format!("{image},{rank},{class},{label},{probability},{logit},")
}

/// A bar of `part` of so many cells, in eighths of a cell.
fn bar(part: f64, cells: usize) -> String {
    let eighths = (part * 8.0 * cells as f64).round() as usize;
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    format!("{}{rest}", "█".repeat(eighths / 8))
}

/// A file's name without what would steer a terminal.
pub fn printable(name: &str) -> String {
    let escape = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    name.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_by_eighths_of_a_cell_up_to_the_whole() {
        assert_eq!(bar(0.0, BAR), "");
        assert_eq!(bar(1.0, BAR), "█".repeat(BAR));
        assert_eq!(bar(0.5 / BAR as f64, BAR), "▌");
    }

    #[test]
    fn bars_and_labels_are_aligned_and_fit_the_terminal() {
        let prediction = |label: &str, probability| Prediction {
            class: 7,
            label: Some(label.to_owned()),
            probability,
            logit: 1.0,
        };
        let sure = prediction("tabby, tabby cat", 1.0);
        let other = prediction("고양이 그리고 아주 긴 이름을 가진 다른 동물들", 0.051);
        assert_eq!(text(&sure, None), "  100.0 %  tabby, tabby cat");
        assert_eq!(
            text(&sure, Some(80)),
            format!("  100.0 %  {}  tabby, tabby cat", "█".repeat(24))
        );
        assert_eq!(
            text(&other, Some(40)),
            "    5.1 %  ▋              고양이 그리고…"
        );
        assert_eq!(text(&sure, Some(30)), "  100.0 %  █████  tabby, tabb…");
        for columns in 12..100 {
            let start = |line: &str, label: &str| {
                let at = line.find(&label[..3]).unwrap_or(line.len());
                measure_text_width(&line[..at])
            };
            let lines = [&sure, &other].map(|prediction| text(prediction, Some(columns)));
            assert!(
                lines.iter().all(|line| measure_text_width(line) <= columns),
                "{lines:?}"
            );
            if columns >= 24 {
                assert_eq!(
                    start(&lines[0], "tabby"),
                    start(&lines[1], "고양이"),
                    "{lines:?}"
                );
            }
        }
        let hostile = text(&prediction("a\u{1b}[31m", 0.5), None);
        assert_eq!(hostile, "   50.0 %  a\\u{1b}[31m");
    }

    #[test]
    fn names_cannot_steer_a_terminal() {
        assert_eq!(
            printable("a\u{1b}[31m\n고양이.png"),
            "a\\u{1b}[31m\\n고양이.png"
        );
    }
}
