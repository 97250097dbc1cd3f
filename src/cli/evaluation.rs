//! An evaluation as text for people, in 80 columns.

use super::predictions::printable;
use crate::eval::metrics::macro_average;
use crate::eval::{ClassMetrics, Evaluation, Report};
use console::{Alignment, measure_text_width, pad_str, truncate_str};
use std::fmt::Write;

/// Classes in the table; where there are more, the worst.
const CLASSES: usize = 10;
/// Confused pairs that are listed.
const PAIRS: usize = 5;
/// Columns of a class's name in the table, at most.
const NAME: usize = 38;
/// Columns of each of the two names of a pair, at most.
const PAIR_NAME: usize = 30;

/// The last row of the table.
const AVERAGE: &str = "macro average";

/// The figures, the table of the classes and the most confused pairs.
pub fn text(report: &Report) -> String {
    let Evaluation {
        images,
        skipped,
        loss,
        top1,
        top5,
        seconds,
        images_per_second,
        classes,
        ..
    } = &report.evaluation;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{name:<8}{}", truncate_str(&value, 72, "…"));
    };
    line("model", printable(&report.model));
    line(
        "data",
        format!("{}, {}", printable(&report.data), report.split),
    );
    line(
        "images",
        match skipped {
            0 => images.to_string(),
            _ => format!("{images}, and {skipped} that cannot be read"),
        },
    );
    line("loss", format!("{loss:.4}"));
    let mark = report
        .mark
        .map_or(String::new(), |mark| format!("  ({mark})"));
    line("top-1", format!("{top1:6.2} %{mark}"));
    if let Some(top5) = top5 {
        line("top-5", format!("{top5:6.2} %{mark}"));
    }
    line(
        "speed",
        format!("{images_per_second:.1} images a second, {seconds:.1} s"),
    );
    table(&mut text, classes);
    pairs(&mut text, &report.evaluation);
    text
}

/// A row a class, the worst first where not all have room, and the averages.
fn table(text: &mut String, classes: &[ClassMetrics]) {
    let mut shown: Vec<&ClassMetrics> = classes.iter().collect();
    // Classes without a picture say nothing of the model.
    shown.retain(|class| class.images > 0);
    let with_pictures = shown.len();
    let all = with_pictures <= CLASSES;
    if !all {
        shown.sort_by(|a, b| a.f1.total_cmp(&b.f1).then(a.recall.total_cmp(&b.recall)));
        shown.truncate(CLASSES);
    }
    let title = if all {
        "class".to_owned()
    } else {
        format!("the {CLASSES} worst of {with_pictures} classes")
    };
    let names: Vec<String> = shown.iter().map(|class| printable(&class.label)).collect();
    let titles = [title.as_str(), AVERAGE];
    let widest = names.iter().map(String::as_str).chain(titles);
    let width = widest.map(measure_text_width).max().unwrap_or(0).min(NAME);
    let name = |name: &str| pad_str(name, width, Alignment::Left, Some("…")).into_owned();
    text.push('\n');
    let mut line = |first: &str, images: &str, figures: [String; 3]| {
        let [precision, recall, f1] = figures;
        let _ = writeln!(
            text,
            "{}  {images:>9}  {precision:>9}  {recall:>6}  {f1:>6}",
            name(first)
        );
    };
    let figure = |value: f64| format!("{value:.4}");
    line(
        &title,
        "images",
        ["precision", "recall", "f1"].map(str::to_owned),
    );
    for (class, name) in shown.iter().zip(&names) {
        let figures = [class.precision, class.recall, class.f1];
        line(name, &class.images.to_string(), figures.map(figure));
    }
    let [precision, recall, f1] = macro_average(classes);
    let images: usize = classes.iter().map(|class| class.images).sum();
    line(
        AVERAGE,
        &images.to_string(),
        [precision, recall, f1].map(figure),
    );
}

/// The pairs of classes that are most often confused.
fn pairs(text: &mut String, evaluation: &Evaluation) {
    let mut pairs = Vec::new();
    for (class, row) in evaluation.confusion.iter().enumerate() {
        for (predicted, &count) in row.iter().enumerate() {
            if class != predicted && count > 0 {
                pairs.push((count, class, predicted));
            }
        }
    }
    if pairs.is_empty() {
        return;
    }
    pairs.sort_by(|a, b| b.0.cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    text.push_str("\nmost confused\n");
    let name = |class: usize| {
        let label = printable(&evaluation.classes[class].label);
        truncate_str(&label, PAIR_NAME, "…").into_owned()
    };
    for (count, class, predicted) in pairs.into_iter().take(PAIRS) {
        let _ = writeln!(
            text,
            "{count:>6}  {} taken for {}",
            name(class),
            name(predicted)
        );
    }
}
