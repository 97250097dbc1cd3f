//! An evaluation as text for people, in 80 columns, or in the fewer that the terminal has.

use super::predictions::printable;
use super::terminal::COLUMNS;
use crate::eval::metrics::{confused_pairs, macro_average};
use crate::eval::{ClassMetrics, Evaluation, Report};
use console::{Alignment, measure_text_width, pad_str, truncate_str};
use std::fmt::Write;

/// Classes in the table; where there are more, the worst.
const CLASSES: usize = 10;
/// Confused pairs that are listed.
const PAIRS: usize = 5;
/// Columns of a class's name in the table, at most.
const NAME: usize = 38;
/// Columns of a class's name, at least; where the terminal has no room for it, figures are left out.
const LEAST_NAME: usize = 14;
/// Columns of each of the two names of a pair, at most.
const PAIR_NAME: usize = 30;

/// The last row of the table.
const AVERAGE: &str = "macro average";

/// The figures, the table of the classes and the most confused pairs, for a terminal of so many columns.
pub fn text(report: &Report, columns: usize) -> String {
    let columns = columns.min(COLUMNS);
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
        let _ = writeln!(
            text,
            "{name:<8}{}",
            truncate_str(&value, columns.saturating_sub(8), "…")
        );
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
    table(&mut text, classes, columns);
    pairs(&mut text, &report.evaluation, columns);
    text
}

/// A row a class, the worst first where not all have room, and the averages.
fn table(text: &mut String, classes: &[ClassMetrics], columns: usize) {
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
    // The images and the precision leave first: an f1 has the precision in it.
    let all_figures = 38;
    let is_wide = columns >= LEAST_NAME + all_figures;
    let room = columns.saturating_sub(if is_wide { all_figures } else { 16 });
    let widest = widest.map(measure_text_width).max().unwrap_or(0);
    let width = widest.min(NAME).min(room);
    let name = |name: &str| {
        // Cut before a wide letter it may be a column short.
        let cut = truncate_str(name, width, "…");
        pad_str(&cut, width, Alignment::Left, None).into_owned()
    };
    text.push('\n');
    let mut line = |first: &str, images: &str, figures: [String; 3]| {
        let [precision, recall, f1] = figures;
        let name = name(first);
        let _ = if is_wide {
            writeln!(
                text,
                "{name}  {images:>9}  {precision:>9}  {recall:>6}  {f1:>6}"
            )
        } else {
            writeln!(text, "{name}  {recall:>6}  {f1:>6}")
        };
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
fn pairs(text: &mut String, evaluation: &Evaluation, columns: usize) {
    let pairs = confused_pairs(&evaluation.confusion);
    if pairs.is_empty() {
        return;
    }
    text.push_str("\nmost confused\n");
    // The count, the words between and the spaces.
    let width = (columns.saturating_sub(19) / 2).min(PAIR_NAME);
    let name = |class: usize| {
        let label = printable(&evaluation.classes[class].label);
        truncate_str(&label, width, "…").into_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn report(labels: &[&str]) -> Report {
        let count = labels.len();
        let class = |label: &&str| ClassMetrics {
            label: (*label).to_owned(),
            images: 50,
            precision: 0.5,
            recall: 0.25,
            f1: 1.0 / 3.0,
        };
        Report {
            model: "runs/a-model-of-a-rather-long-name/and-another-one/best".to_owned(),
            data: "pictures".to_owned(),
            split: "test".to_owned(),
            evaluation: Evaluation {
                images: 50 * count,
                skipped: 0,
                loss: 1.25,
                top1: 25.0,
                top5: None,
                seconds: 1.0,
                images_per_second: 100.0,
                classes: labels.iter().map(class).collect(),
                confusion: vec![vec![25; count]; count],
                records: Vec::new(),
            },
            chose_best: true,
            learnt: false,
            mark: Some("these pictures also chose the epoch"),
        }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_whatever_the_script() {
        let long = "a class of a name that is much longer than any table has room for";
        for labels in [
            ["tabby", "lynx"],
            ["고양이 그리고 아주 긴 이름을 가진 다른 동물들의 무리", long],
        ] {
            for columns in [32, 40, 52, 60, 80, 200] {
                let text = text(&report(&labels), columns);
                let width = text.lines().map(measure_text_width).max();
                assert!(width <= Some(columns.min(80)), "{columns}\n{text}");
                // Columns stand under each other.
                let table = text.lines().skip_while(|line| !line.starts_with("class"));
                let table: Vec<usize> = table.take(4).map(measure_text_width).collect();
                assert!(table.iter().all(|width| *width == table[0]), "{text}");
            }
        }
    }

    #[test]
    fn a_narrow_terminal_has_fewer_figures() {
        let labels = ["tabby", "고양이"];
        let wide = text(&report(&labels), 80);
        assert!(
            wide.contains("\ntabby                 50     0.5000  0.2500  0.3333\n"),
            "{wide}"
        );
        assert!(
            wide.contains("\n    25  tabby taken for 고양이\n"),
            "{wide}"
        );
        let narrow = text(&report(&labels), 40);
        assert!(narrow.contains("\nclass          recall      f1\ntabby          0.2500  0.3333\n고양이         0.2500  0.3333\n"), "{narrow}");
    }
}
