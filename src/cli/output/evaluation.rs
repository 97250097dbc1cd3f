//! An evaluation as text for people, in 80 columns, or in the fewer that the terminal has.

use crate::cli::output::terminal::{COLUMNS, Look, printable};
use crate::eval::metrics::{confused_pairs, macro_average};
use crate::eval::{ClassMetrics, Evaluation};
use crate::report::evaluation_dir::ModelEvaluation;

use crate::text::{cut_middle, thousands, wrapped};
use anstyle::{AnsiColor, Style};
use console::{Alignment, measure_text_width, pad_str};
use std::fmt::Write;

/// Maximum number of classes in the table; the worst are shown.
const CLASSES: usize = 10;
/// Maximum number of confused pairs.
const PAIRS: usize = 5;
/// Maximum columns of a class name in the table.
const NAME: usize = 38;
/// Minimum columns of a class name; a narrower terminal gets fewer metrics.
const LEAST_NAME: usize = 14;
/// Columns of a row besides the name and the number of images, and of a row with fewer metrics.
const FIGURES: [usize; 2] = [40, 27];
/// Maximum columns of each of the two names of a pair.
const PAIR_NAME: usize = 30;
const BEST: Style = AnsiColor::Green.on_default();
const WORST: Style = AnsiColor::Yellow.on_default();

/// Name of the last row of the table.
const AVERAGE: &str = "macro average";

/// Returns the metrics, the table of classes, the most confused pairs, and last the `remark` on all of it.
pub fn text(report: &ModelEvaluation, remark: Option<&str>, look: Look) -> String {
    let look = Look {
        columns: look.columns.min(COLUMNS),
        ..look
    };
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
    let row = |name: &str, value: &str| {
        let value = cut_middle(value, look.columns.saturating_sub(8));
        format!("{name:<8}{value}\n")
    };
    text += &row("model", &printable(&report.model));
    let held_out = if report.held_out {
        " (held out in training)"
    } else {
        ""
    };
    let data = printable(&report.data);
    text += &row("data", &format!("{data}, {}{held_out}", report.split));
    let skipped = match skipped {
        0 => String::new(),
        skipped => format!(", and {} unreadable", thousands(*skipped)),
    };
    text += &row("images", &format!("{}{skipped}", thousands(*images)));
    text += &row("loss", &format!("{loss:.4}"));
    text += &row("top-1", &format!("{top1:6.2} %"));
    if let Some(top5) = top5 {
        text += &row("top-5", &format!("{top5:6.2} %"));
    }
    table(&mut text, classes, look);
    pairs(&mut text, &report.evaluation, look.columns);
    let speed = format!("{images_per_second:.1} images/s, {seconds:.1} s");
    text.push('\n');
    text += &row("speed", &speed);
    if let Some(remark) = remark {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "\n{}", wrapped(remark, look.columns).join("\n"));
    }
    text
}

/// Writes one row per class, the worst first if not all fit, and the averages.
fn table(text: &mut String, classes: &[ClassMetrics], look: Look) {
    let mut shown: Vec<&ClassMetrics> = classes.iter().collect();
    // Classes without an image say nothing of the model.
    shown.retain(|class| class.images > 0);
    let with_images = shown.len();
    let all = with_images <= CLASSES;
    if !all {
        shown.sort_by(|a, b| a.f1.total_cmp(&b.f1).then(a.recall.total_cmp(&b.recall)));
        shown.truncate(CLASSES);
    }
    let title = if all {
        "class".to_owned()
    } else {
        format!("the {CLASSES} worst of {} classes", thousands(with_images))
    };
    let marks = marks(&shown, all);
    let names: Vec<String> = shown.iter().map(|class| printable(&class.label)).collect();
    let titles = [title.as_str(), AVERAGE];
    let widest = names.iter().map(String::as_str).chain(titles);
    let images: usize = classes.iter().map(|class| class.images).sum();
    let total = thousands(images);
    let count_width = total.len().max("images".len());
    // The images and the precision are dropped first: an f1 has the precision in it.
    let all_figures = FIGURES[0] + count_width;
    let is_wide = look.columns >= LEAST_NAME + all_figures;
    let room = look
        .columns
        .saturating_sub(if is_wide { all_figures } else { FIGURES[1] });
    let widest = widest.map(measure_text_width).max().unwrap_or(0);
    let width = widest.min(NAME).min(room);
    text.push('\n');
    let mut line = |first: &str, images: &str, figures: [&str; 3], mark: &str| {
        let [precision, recall, f1] = figures;
        // A name cut before a wide letter may be a column short.
        let name = cut_middle(first, width);
        let name = pad_str(&name, width, Alignment::Left, None);
        let style = if mark == "best" { BEST } else { WORST };
        let mark = match mark {
            "" => String::new(),
            mark => format!("  {}", look.paint(style, mark)),
        };
        // Writing into a string cannot fail.
        let _ = if is_wide {
            writeln!(
                text,
                "{name}  {images:>count_width$}  {precision:>9}  {recall:>8}  {f1:>8}{mark}"
            )
        } else {
            writeln!(text, "{name}  {recall:>8}  {f1:>8}{mark}")
        };
    };
    line(&title, "images", ["precision", "recall", "f1"], "");
    for ((class, name), mark) in shown.iter().zip(&names).zip(marks) {
        let figures = [class.precision, class.recall, class.f1].map(percent);
        let figures = figures.each_ref().map(String::as_str);
        line(name, &thousands(class.images), figures, mark);
    }
    let averages = macro_average(classes).map(percent);
    line(AVERAGE, &total, averages.each_ref().map(String::as_str), "");
}

/// Returns for each class `best`, `worst` or an empty mark, by F1; ties have no mark. `all` is true if no class is left
/// out.
fn marks(classes: &[&ClassMetrics], all: bool) -> Vec<&'static str> {
    let is_above_others = |at: usize, is_above: fn(f64, f64) -> bool| {
        let mut others = classes.iter().enumerate();
        others.all(|(other, class)| other == at || is_above(classes[at].f1, class.f1))
    };
    let mark = |at: usize| match at {
        _ if classes.len() < 2 => "",
        at if all && is_above_others(at, |f1, other| f1 > other) => "best",
        at if is_above_others(at, |f1, other| f1 < other) => "worst",
        _ => "",
    };
    (0..classes.len()).map(mark).collect()
}

/// Formats a fraction in percent.
fn percent(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}

/// Writes the pairs of classes that are most often confused.
fn pairs(text: &mut String, evaluation: &Evaluation, columns: usize) {
    let pairs = confused_pairs(&evaluation.confusion);
    if pairs.is_empty() {
        return;
    }
    text.push_str("\nmost confused\n");
    // The count, the words between and the spaces.
    let width = (columns.saturating_sub(22) / 2).min(PAIR_NAME);
    let name = |class: usize| cut_middle(&printable(&evaluation.classes[class].label), width);
    for (count, class, predicted) in pairs.into_iter().take(PAIRS) {
        let count = thousands(count as usize);
        let (class, predicted) = (name(class), name(predicted));
        let _ = writeln!(text, "{count:>6}  {class} predicted as {predicted}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(labels: &[&str]) -> ModelEvaluation {
        let count = labels.len();
        let class = |label: &&str| ClassMetrics {
            label: (*label).to_owned(),
            images: 50,
            precision: 0.5,
            recall: 0.25,
            f1: 1.0 / 3.0,
        };
        ModelEvaluation {
            model: "runs/a-model-of-a-rather-long-name/and-another-one/best".to_owned(),
            data: "photos".to_owned(),
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
            trained_on: false,
            remark: Some("the same images selected the best epoch"),
            held_out: true,
        }
    }

    fn printed(labels: &[&str], columns: usize) -> String {
        let look = Look {
            columns,
            colors: false,
        };
        let remark = "optimistic: the same images selected the best epoch (epoch 3)";
        text(&report(labels), Some(remark), look)
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_whatever_the_script() {
        let long = "a class of a name that is much longer than any table has room for";
        for labels in [
            ["tabby", "lynx"],
            ["고양이 그리고 아주 긴 이름을 가진 다른 동물들의 무리", long],
        ] {
            for columns in [32, 40, 52, 60, 80, 200] {
                let text = printed(&labels, columns);
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
        let wide = printed(&labels, 80);
        assert!(
            wide.contains("\ntabby              50    50.00 %   25.00 %   33.33 %\n"),
            "{wide}"
        );
        assert!(
            wide.contains("\n    25  tabby predicted as 고양이\n"),
            "{wide}"
        );
        assert!(wide.contains("\ndata    photos, test (held out in training)\n"));
        // The speed, and last of all what makes the figures optimistic, once.
        let end = "\n\nspeed   100.0 images/s, 1.0 s\n\noptimistic: the same images selected the best epoch (epoch 3)\n";
        assert!(wide.ends_with(end), "{wide}");
        assert_eq!(wide.matches("optimistic").count(), 1);
        assert_eq!(printed(&labels, 60).matches(" 50.00 %").count(), 3);
        let narrow = printed(&labels, 40);
        assert!(
            narrow.contains("\nclass            recall        f1\ntabby           25.00 %   33.33 %\n고양이          25.00 %   33.33 %\n"),
            "{narrow}"
        );
    }

    #[test]
    fn the_best_and_the_worst_class_are_marked_in_their_colors() {
        let mut report = report(&["a", "b", "c", "d"]);
        let classes = &mut report.evaluation.classes;
        (classes[1].f1, classes[3].f1) = (0.75, 0.125);
        let look = |colors| Look {
            columns: 80,
            colors,
        };
        let plain = text(&report, None, look(false));
        assert!(plain.contains(" 75.00 %  best\n") && plain.contains(" 12.50 %  worst\n"));
        assert_eq!(
            (
                plain.matches("  best").count(),
                plain.matches("  worst").count()
            ),
            (1, 1)
        );
        let colored = text(&report, None, look(true));
        assert!(colored.contains("\u{1b}[32mbest\u{1b}[0m\n"), "{colored:?}");
        assert_eq!(anstream::adapter::strip_str(&colored).to_string(), plain);
        // Equally good ones are neither.
        report.evaluation.classes[0].f1 = 0.75;
        assert!(!text(&report, None, look(false)).contains("  best"));
    }
}
