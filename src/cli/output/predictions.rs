//! Printing of predictions: text with bars for people, JSON lines and CSV for programs.

use crate::cli::output::curve::EIGHTHS;
use crate::cli::output::flags::error_line;
use crate::cli::output::prediction_file::{Format, PredictionFile};
use crate::cli::output::stdout::print;
use crate::cli::output::terminal::{Look, printable, stdout_columns};
use crate::model::OutputFunction;
use crate::pipeline::Prediction;
use crate::predict::{Explained, Predicted};
use crate::report::csv::quoted;
use anstyle::{AnsiColor, Style};
use anyhow::Result;
use console::truncate_str;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Number of cells of the longest bar.
const BAR: usize = 24;
/// Minimum columns of a label.
const LABEL: usize = 12;
/// Style of the bar of a top class with at least half the probability, and of one with less.
const LIKELY: Style = AnsiColor::Green.on_default();
const UNLIKELY: Style = AnsiColor::Yellow.on_default();

/// The predictions to show, and their order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice {
    /// Minimum probability, if any.
    pub min_probability: Option<f64>,
    /// True if the images with the most probable top class come first.
    pub sort: bool,
    /// Function that the probabilities are values of.
    pub function: OutputFunction,
}

/// Prints the predictions to stdout, each image when it is finished, or collects them for a file.
pub struct Printer {
    format: Format,
    choice: Choice,
    /// Columns of the terminal, if stdout is one.
    terminal: Option<usize>,
    look: Look,
    /// True if nothing is printed at all.
    is_mute: bool,
    file: Option<PredictionFile>,
    /// Predictions to be sorted: the probability of the top class, and the text.
    held: Vec<(f64, String)>,
}

impl Printer {
    /// Prints the text before the first image.
    pub fn new(
        format: Option<Format>,
        file: Option<PredictionFile>,
        choice: Choice,
    ) -> Result<Self> {
        let of_file = file.as_ref().map(PredictionFile::format);
        let mut printer = Self {
            format: of_file.or(format).unwrap_or(Format::Text),
            choice,
            terminal: stdout_columns(),
            look: Look::of_stdout(),
            is_mute: false,
            file,
            held: Vec::new(),
        };
        if printer.format == Format::Csv {
            printer.write("image,rank,class,label,probability,logit,error\n")?;
        }
        Ok(printer)
    }

    /// Creates a printer that prints nothing, for a process that another one speaks for.
    pub fn mute() -> Self {
        Self {
            format: Format::Text,
            choice: Choice::default(),
            terminal: None,
            look: Look::of_stdout(),
            is_mute: true,
            file: None,
            held: Vec::new(),
        }
    }

    /// Prints the predictions for one image and, in JSON, the file of its explanation.
    pub fn predicted(&mut self, image: &str, predicted: &Predicted) -> Result<()> {
        let function = self.choice.function;
        let least = self.choice.min_probability.unwrap_or(f64::NEG_INFINITY);
        let predictions = predicted.predictions.iter();
        let shown: Vec<&Prediction> = predictions
            .filter(|prediction| prediction.probability >= least)
            .collect();
        let lines: Vec<String> = match self.format {
            Format::Json => {
                let predictions: Vec<_> = shown.iter().map(|shown| json(shown, function)).collect();
                let mut line = json!({ "image": image, "predictions": predictions });
                if function != OutputFunction::Softmax {
                    line["function"] = json!(function);
                }
                if let Some(explained) = &predicted.explained {
                    let Explained { class, label, .. } = explained;
                    let file = explained.file.display().to_string();
                    line["explanation"] = json!({ "class": class, "label": label, "file": file });
                }
                vec![line.to_string()]
            }
            // No image is left out.
            Format::Csv if shown.is_empty() => vec![format!("{},,,,,,", quoted(image))],
            Format::Csv => {
                let ranked = shown.into_iter().zip(1..);
                ranked
                    .map(|(prediction, rank)| csv(image, rank, prediction, function))
                    .collect()
            }
            Format::Text => {
                let mut lines = vec![printable(image)];
                if shown.is_empty() {
                    lines.push(format!("  no class reaches {}", percent(least)));
                }
                for (rank, prediction) in shown.into_iter().enumerate() {
                    lines.push(match function {
                        OutputFunction::None => number(prediction),
                        _ => text(prediction, rank, self.terminal, self.look),
                    });
                }
                lines
            }
        };
        let top = predicted.predictions.first();
        let top = top.map_or(0.0, |prediction| prediction.probability);
        self.show(top, lines.join("\n") + "\n")
    }

    /// Prints the error of an image; in text format, it goes to stderr only.
    pub fn failure(&mut self, image: &str, error: &anyhow::Error) -> Result<()> {
        let error = error_line(error);
        let line = match self.format {
            Format::Json => format!("{}\n", json!({ "image": image, "error": error })),
            Format::Csv => format!("{},,,,,,{}\n", quoted(image), quoted(&error)),
            Format::Text => return Ok(()),
        };
        // Sorted images without a prediction come last.
        self.show(f64::NEG_INFINITY, line)
    }

    /// Prints the rest, and writes the file; returns its path.
    ///
    /// # Errors
    /// If stdout or the file cannot be written.
    pub fn finish(mut self) -> Result<Option<PathBuf>> {
        let mut held = std::mem::take(&mut self.held);
        held.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        for (_, text) in held {
            self.write(&text)?;
        }
        self.file.map(PredictionFile::save).transpose()
    }

    /// Returns true if nothing is printed before [`Printer::finish`].
    pub fn is_silent(&self) -> bool {
        self.choice.sort || self.file.is_some()
    }

    fn show(&mut self, top: f64, text: String) -> Result<()> {
        if self.choice.sort {
            self.held.push((top, text));
            return Ok(());
        }
        self.write(&text)
    }

    fn write(&mut self, text: &str) -> Result<()> {
        match &mut self.file {
            Some(file) => {
                file.push(text);
                Ok(())
            }
            None if self.is_mute => Ok(()),
            None => print(text),
        }
    }
}

/// Formats a fraction in percent, without trailing zeros.
fn percent(fraction: f64) -> String {
    let percent = format!("{:.4}", 100.0 * fraction);
    format!("{} %", percent.trim_end_matches('0').trim_end_matches('.'))
}

/// Formats a prediction of `rank`, from 0, as a line, with a bar if stdout is a terminal of `terminal` columns with
/// room for one.
fn text(prediction: &Prediction, rank: usize, terminal: Option<usize>, look: Look) -> String {
    let label = name(prediction);
    let percent = format!("  {:>5.1} %", 100.0 * prediction.probability);
    let Some(columns) = terminal else {
        return format!("{percent}  {label}");
    };
    let room = columns.saturating_sub(percent.len() + 2 + LABEL + 2);
    let cells = BAR.min(columns / 3).min(room);
    let (line, width) = match cells {
        0 => (percent.clone(), percent.len()),
        cells => {
            let style = match rank {
                0 if prediction.probability >= 0.5 => LIKELY,
                0 => UNLIKELY,
                _ => Style::new(),
            };
            let bar = format!("{:<cells$}", bar(prediction.probability, cells));
            let line = format!("{percent}  {}", look.paint(style, &bar));
            (line, percent.len() + 2 + cells)
        }
    };
    let room = columns.saturating_sub(width + 2);
    format!("{line}  {}", truncate_str(&label, room.max(1), "…"))
}

/// Returns the prediction as JSON, whose probability is null if it is none.
fn json(prediction: &Prediction, function: OutputFunction) -> Value {
    let mut value = json!(prediction);
    if function == OutputFunction::None {
        value["probability"] = Value::Null;
    }
    value
}

/// Formats an output that is no probability.
fn number(prediction: &Prediction) -> String {
    let name = name(prediction);
    format!("  {:>9.4}  {name}", prediction.logit)
}

/// Returns the label, or the number of the class.
fn name(prediction: &Prediction) -> String {
    let label = prediction.label.as_deref();
    label.map_or_else(|| format!("class {}", prediction.class), printable)
}

fn csv(image: &str, rank: usize, prediction: &Prediction, function: OutputFunction) -> String {
    let Prediction {
        class,
        label,
        probability,
        logit,
    } = prediction;
    let (image, label) = (quoted(image), quoted(label.as_deref().unwrap_or_default()));
    let probability = match function {
        OutputFunction::None => String::new(),
        _ => probability.to_string(),
    };
    format!("{image},{rank},{class},{label},{probability},{logit},")
}

/// Draws a bar of `part` of `cells` cells, in eighths of a cell.
fn bar(part: f64, cells: usize) -> String {
    let eighths = (part * 8.0 * cells as f64).round() as usize;
    let rest = EIGHTHS[eighths % 8];
    format!("{}{rest}", "█".repeat(eighths / 8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use console::measure_text_width;

    #[test]
    fn bars_grow_by_eighths_of_a_cell_up_to_the_whole() {
        assert_eq!(bar(0.0, BAR), "");
        assert_eq!(bar(1.0, BAR), "█".repeat(BAR));
        assert_eq!(bar(0.5 / BAR as f64, BAR), "▌");
    }

    #[test]
    fn percentages_have_no_trailing_zeros() {
        assert_eq!(percent(0.5), "50 %");
        assert_eq!(percent(0.995), "99.5 %");
        assert_eq!(percent(1.0), "100 %");
    }

    /// Returns a prediction as a line without colors.
    fn line(prediction: &Prediction, terminal: Option<usize>) -> String {
        let look = Look {
            columns: 80,
            colors: false,
        };
        text(prediction, 0, terminal, look)
    }

    #[test]
    fn the_top_classs_bar_tells_by_its_color_whether_it_is_likely() {
        let look = Look {
            columns: 80,
            colors: true,
        };
        let colored = |probability, rank| {
            let prediction = Prediction {
                class: 0,
                label: None,
                probability,
                logit: 0.0,
            };
            let colored = text(&prediction, rank, Some(80), look);
            let plain = line(&prediction, Some(80));
            assert_eq!(anstream::adapter::strip_str(&colored).to_string(), plain);
            colored
        };
        assert!(colored(0.5, 0).contains("\u{1b}[32m█"));
        assert!(colored(0.49, 0).contains("\u{1b}[33m█"));
        assert!(!colored(0.49, 1).contains("\u{1b}[3"));
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
        assert_eq!(line(&sure, None), "  100.0 %  tabby, tabby cat");
        assert_eq!(
            line(&sure, Some(80)),
            format!("  100.0 %  {}  tabby, tabby cat", "█".repeat(24))
        );
        assert_eq!(
            line(&other, Some(40)),
            "    5.1 %  ▋              고양이 그리고…"
        );
        assert_eq!(line(&sure, Some(30)), "  100.0 %  █████  tabby, tabb…");
        for columns in 12..100 {
            let start = |line: &str, label: &str| {
                let at = line.find(&label[..3]).unwrap_or(line.len());
                measure_text_width(&line[..at])
            };
            let lines = [&sure, &other].map(|prediction| line(prediction, Some(columns)));
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
        let hostile = line(&prediction("a\u{1b}[31m", 0.5), None);
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
