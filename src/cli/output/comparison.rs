//! Comparison of models as text for people, within 80 columns or the fewer of the terminal.

use crate::cli::output::short_names::short_names;
use crate::cli::output::terminal::{COLUMNS, Look, printable};
use crate::report::comparison::{ComparedModel, Comparison, LEVEL, PairwiseTest};
use crate::text::{cut_middle, format_count, thousands, wrapped};
use anstyle::{AnsiColor, Style};
use console::{Alignment, pad_str};
use std::collections::HashMap;
use std::fmt::Write;

/// Maximum columns of a model name in the tables.
const NAME: usize = 18;
/// Minimum columns of a model name; a narrower terminal gets fewer metrics.
const LEAST_NAME: usize = 12;
/// Columns of the table of models with titles and widths; a narrow terminal drops the last ones first.
const FIGURES: [(Figure, &str, usize); 7] = [
    (Figure::Top1, "top-1 ", 8),
    (Figure::Interval, "interval", 13),
    (Figure::Loss, "loss", 7),
    (Figure::Top5, "top-5", 7),
    (Figure::Parameters, "params", 8),
    (Figure::MultAdds, "mult-adds", 10),
    (Figure::Speed, "images/s", 9),
];
/// Maximum number of pairs; those with the clearest difference are shown.
const PAIRS: usize = 10;
const BEST: Style = AnsiColor::Green.on_default();

/// A column of the table of models, in the order in which it shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Figure {
    Parameters,
    MultAdds,
    Top1,
    Interval,
    Top5,
    Loss,
    Speed,
}

/// Columns of the table of pairs besides the names.
#[derive(Debug, Clone, Copy)]
struct PairColumns {
    /// Numbers of images that only one of the models classifies correctly.
    counts: bool,
    /// The p value.
    plain: bool,
    /// The p value adjusted for all pairs.
    holm: bool,
}

/// Returns the metrics of each model, the pairs, and last the reasons for optimistic metrics. `held_out` is true for
/// images that were held out of the training split.
pub fn text(comparison: &Comparison, held_out: bool, look: Look) -> String {
    let columns = look.columns.min(COLUMNS);
    let mut text = String::new();
    let held_out = if held_out {
        " (held out in training)"
    } else {
        ""
    };
    let data = printable(&comparison.data);
    let data = format!("{data}, {}{held_out}", comparison.split);
    // Writing into a string cannot fail.
    let _ = writeln!(
        text,
        "data    {}",
        cut_middle(&data, columns.saturating_sub(8))
    );
    let skipped = match comparison.skipped {
        0 => String::new(),
        skipped => format!(", and {} that not all models can read", thousands(skipped)),
    };
    let _ = writeln!(text, "images  {}{skipped}\n", thousands(comparison.images));
    let (figures, room) = figures_in(columns);
    let (pair_columns, pair_room) = PairColumns::in_room(columns, comparison.pairs.len());
    let width = room.min(pair_room);
    let models = &comparison.models;
    let names: Vec<String> = models.iter().map(|model| printable(&model.model)).collect();
    let names = short_names(&names, width);
    models_table(&mut text, models, &names, (&figures, width), look);
    let mut legend = "* best top-1; top-1, its 95 % interval and top-5 in percent".to_owned();
    if figures.iter().any(|(figure, ..)| *figure == Figure::Speed) {
        legend += "; images/s in this one pass";
    }
    paragraph(&mut text, &legend, columns);
    text.push('\n');
    pairs(&mut text, comparison, &names, (pair_columns, width));
    paragraph(
        &mut text,
        &legend_of_pairs(comparison, pair_columns),
        columns,
    );
    remarks(&mut text, comparison, &names, columns);
    text
}

fn paragraph(text: &mut String, words: &str, columns: usize) {
    for line in wrapped(words, columns) {
        let _ = writeln!(text, "{line}");
    }
}

/// Returns the metrics that fit into `columns` columns, in the order of the table, and the columns of a name.
fn figures_in(columns: usize) -> (Vec<(Figure, &'static str, usize)>, usize) {
    let mut figures = FIGURES.to_vec();
    let width = |figures: &[(Figure, &str, usize)]| -> usize {
        figures.iter().map(|(_, _, width)| width).sum()
    };
    while figures.len() > 2 && width(&figures) + LEAST_NAME > columns {
        figures.pop();
    }
    let room = columns.saturating_sub(width(&figures)).clamp(4, NAME);
    figures.sort_unstable();
    (figures, room)
}

/// Writes one row per model.
fn models_table(
    text: &mut String,
    models: &[ComparedModel],
    names: &[String],
    (figures, width): (&[(Figure, &str, usize)], usize),
    look: Look,
) {
    let name = |name: &str| pad_str(name, width, Alignment::Left, None).into_owned();
    text.push_str(&name("model"));
    for (_, title, width) in figures {
        let _ = write!(text, "{title:>width$}");
    }
    text.push('\n');
    let best = models.iter().map(|model| model.top1).fold(0.0, f64::max);
    for (model, short) in models.iter().zip(names) {
        text.push_str(&name(short));
        for (figure, _, width) in figures {
            let is_best = *figure == Figure::Top1 && model.top1 >= best;
            let cell = format!("{:>width$}", figure.of(model, is_best));
            text.push_str(&look.paint(if is_best { BEST } else { Style::new() }, &cell));
        }
        text.push('\n');
    }
}

impl Figure {
    /// Returns the metric of a model as shown in its cell.
    fn of(self, model: &ComparedModel, is_best: bool) -> String {
        match self {
            Self::Parameters => format_count(model.parameters),
            Self::MultAdds => format_count(model.mult_adds),
            Self::Top1 => format!("{:.2}{}", model.top1, if is_best { '*' } else { ' ' }),
            Self::Interval => format!("{:.2}-{:.2}", model.top1_low, model.top1_high),
            Self::Top5 => model
                .top5
                .map_or("-".to_owned(), |top5| format!("{top5:.2}")),
            Self::Loss => number(model.loss),
            Self::Speed => number(model.images_per_second),
        }
    }
}

impl PairColumns {
    /// Returns the columns that fit beside the names, and the columns of a name.
    fn in_room(columns: usize, pairs: usize) -> (Self, usize) {
        let holm = pairs > 1;
        let choices = [
            (true, true, holm),
            // Of one pair both p values are the same.
            (true, !holm, holm),
            (false, !holm, holm),
        ];
        let choices = choices.map(|(counts, plain, holm)| Self {
            counts,
            plain,
            holm,
        });
        let has_room = |choice: &&Self| 2 * LEAST_NAME + 1 + choice.width() <= columns;
        let choice = *choices.iter().find(has_room).unwrap_or(&choices[2]);
        let room = columns.saturating_sub(choice.width() + 1) / 2;
        (choice, room.clamp(4, NAME))
    }

    fn width(self) -> usize {
        let width = |is_there: bool, width: usize| if is_there { width } else { 0 };
        width(self.counts, 18) + width(self.plain, 8) + width(self.holm, 8) + 7
    }
}

/// Writes one row per pair.
fn pairs(
    text: &mut String,
    comparison: &Comparison,
    names: &[String],
    (columns, width): (PairColumns, usize),
) {
    let models = comparison.models.iter().map(|model| &model.model);
    let names: HashMap<&String, &str> = models.zip(names.iter().map(String::as_str)).collect();
    let mut shown: Vec<&PairwiseTest> = comparison.pairs.iter().collect();
    let left_out = shown.len().saturating_sub(PAIRS);
    if left_out > 0 {
        shown.sort_by(|a, b| a.p.total_cmp(&b.p));
        shown.truncate(PAIRS);
    }
    let mut line = |models: [&str; 2], cells: [&str; 5]| {
        let [first, second] = models.map(|name| pad_str(name, width, Alignment::Left, None));
        let [only_first, only_second, p, holm, verdict] = cells;
        let _ = write!(text, "{first} {second}");
        if columns.counts {
            let _ = write!(text, "{only_first:>9}{only_second:>9}");
        }
        for (p, is_there) in [(p, columns.plain), (holm, columns.holm)] {
            if is_there {
                let _ = write!(text, "{p:>8}");
            }
        }
        let _ = writeln!(text, "{verdict:>7}");
    };
    let titles = ["only 1st", "only 2nd", "p", "Holm's", "differ"];
    line(["first", "second"], titles);
    for pair in shown {
        let [only_first, only_second] = [pair.only_first, pair.only_second].map(thousands);
        let [p, holm] = [pair.p, pair.p_holm].map(probability);
        let verdict = if pair.differs() { "yes" } else { "no" };
        line(
            pair.models.each_ref().map(|model| names[model]),
            [&only_first, &only_second, &p, &holm, verdict],
        );
    }
    if left_out > 0 {
        let _ = writeln!(text, "and {left_out} more with a larger p, all in JSON");
    }
}

/// Returns the legend of the columns of pairs.
fn legend_of_pairs(comparison: &Comparison, columns: PairColumns) -> String {
    let test = "McNemar's exact test of the images that only one of the two classifies correctly";
    let count = comparison.pairs.len();
    let mut legend = match columns {
        PairColumns { holm: false, .. } => format!("p: {test}"),
        PairColumns { plain: true, .. } => {
            format!("p: {test}; Holm's: p adjusted for {count} pairs")
        }
        _ => format!("Holm's: p of {test}, adjusted for {count} pairs"),
    };
    if comparison.pairs.iter().any(|pair| !pair.differs()) {
        let _ = write!(
            legend,
            "; no: these images show no difference (p of {LEVEL} or more)"
        );
    }
    legend
}

/// Writes the reasons for optimistic metrics, each once for all models that it applies to.
fn remarks(text: &mut String, comparison: &Comparison, names: &[String], columns: usize) {
    for (remark, places) in comparison.remarks() {
        let about: Vec<&str> = places.iter().map(|&place| names[place].as_str()).collect();
        let about = if about.len() == names.len() {
            String::new()
        } else {
            format!(" for {}", about.join(", "))
        };
        text.push('\n');
        paragraph(text, &format!("optimistic{about}: {remark}"), columns);
    }
}

/// Formats a number in at most seven columns.
fn number(value: f64) -> String {
    match value {
        small if small < 10.0 => format!("{small:.4}"),
        middle if middle < 10_000.0 => format!("{middle:.1}"),
        large if large < 1e7 => format!("{large:.0}"),
        large => format!("{large:.0e}"),
    }
}

/// Formats a p value in at most seven columns.
fn probability(p: f64) -> String {
    match p {
        none if none < 1e-300 => "<1e-300".to_owned(),
        small if small < 0.001 => format!("{small:.0e}"),
        p => format!("{p:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_their_columns() {
        let shown = [0.5489, 123.456, 3625.5, 98_765.4, 1e9].map(number);
        assert_eq!(shown, ["0.5489", "123.5", "3625.5", "98765", "1e9"]);
        let shown = [1.0, 0.05, 0.000_33, 1.2e-55, 0.0].map(probability);
        assert_eq!(shown, ["1.0000", "0.0500", "3e-4", "1e-55", "<1e-300"]);
    }
}
