//! Bars of recall and precision, one row per class, the worst first.

use anyhow::Result;

use super::canvas::{Stand, figure, fill, letters, line, write};
use super::text::room;
use super::{Color, Figure};
use crate::eval::ClassMetrics;

/// Classes that are shown; where there are more, the worst.
const SHOWN: usize = 40;
/// Units of the longest bar.
const LENGTH: i32 = 420;
/// Units of a class's row.
const ROW: i32 = 26;
/// Units above the first row.
const TOP: i32 = 32;
/// Units of a name, at most.
const NAME: f64 = 240.0;

/// Draws recall and precision of the classes that have images; `subtitle` names the run and its data.
///
/// # Errors
/// Never: any figures can be drawn.
pub fn class_bars(classes: &[ClassMetrics], subtitle: &str) -> Result<Figure> {
    let mut shown: Vec<&ClassMetrics> = classes.iter().filter(|class| class.images > 0).collect();
    shown.sort_by(|a, b| a.f1.total_cmp(&b.f1));
    let all = shown.len();
    shown.truncate(SHOWN);
    let title = if all > SHOWN {
        format!("Recall and precision of the {SHOWN} worst of {all} classes")
    } else {
        "Recall and precision of each class".to_owned()
    };
    let names = room(shown.iter().map(|class| class.label.as_str()));
    let left = (13.0 * names).min(NAME) as i32 + 24;
    let size = [left + LENGTH + 150, 60 + ROW * shown.len() as i32];
    figure([&title, subtitle], size, |area| {
        let style = letters(Color::Ink, 13);
        let bottom = size[1] - 22;
        for percent in [0, 25, 50, 75, 100] {
            let x = left + LENGTH * percent / 100;
            line(area, &[(x, TOP), (x, bottom)], Color::Grid, 1)?;
            let text = format!("{percent} %");
            let muted = letters(Color::Muted, 12);
            write(area, &text, [x, bottom + 12], Stand::Middle, 60, &muted)?;
        }
        let muted = letters(Color::Muted, 13);
        fill(area, [left, 8, left + 18, 20], &Color::Blue.part(0.75))?;
        write(area, "recall", [left + 24, 14], Stand::Right, 80, &muted)?;
        line(area, &[(left + 92, 5), (left + 92, 23)], Color::Orange, 3)?;
        write(
            area,
            "precision",
            [left + 100, 14],
            Stand::Right,
            90,
            &muted,
        )?;
        let at = [left + LENGTH + 12, 14];
        write(area, "F1, % (images)", at, Stand::Right, 130, &muted)?;
        for (index, class) in shown.iter().enumerate() {
            let middle = TOP + ROW * index as i32 + ROW / 2;
            let end = |part: f64| left + (part * f64::from(LENGTH)).round() as i32;
            write(
                area,
                &class.label,
                [left - 8, middle],
                Stand::Left,
                left - 12,
                &style,
            )?;
            let bar = [left, middle - 7, end(class.recall), middle + 7];
            fill(area, bar, &Color::Blue.part(0.75))?;
            let x = end(class.precision);
            line(
                area,
                &[(x, middle - 10), (x, middle + 10)],
                Color::Orange,
                3,
            )?;
            let text = format!("{:.1}  ({})", 100.0 * class.f1, class.images);
            let at = [left + LENGTH + 12, middle];
            write(area, &text, at, Stand::Right, 136, &style)?;
        }
        Ok(Vec::new())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(label: &str, recall: f64, images: usize) -> ClassMetrics {
        ClassMetrics {
            label: label.to_owned(),
            images,
            precision: 0.5,
            recall,
            f1: recall,
        }
    }

    #[test]
    fn bars_are_as_long_as_recall_and_the_worst_stands_first() {
        let classes = [
            class("good", 1.0, 10),
            class("bad", 0.25, 4),
            class("none", 0.0, 0),
        ];
        let figure = class_bars(&classes, "").unwrap();
        assert!(!figure.svg.contains("\nnone\n"));
        assert!(figure.svg.find("\nbad\n") < figure.svg.find("\ngood\n"));
        for length in [LENGTH, LENGTH / 4] {
            assert!(
                figure
                    .svg
                    .contains(&format!("width=\"{length}\" height=\"14\"")),
                "{length}"
            );
        }
    }

    #[test]
    fn of_a_thousand_classes_the_worst_are_shown() {
        let classes: Vec<_> = (0..1000u32)
            .map(|class_number| {
                class(
                    &format!("n{class_number}"),
                    f64::from(class_number) / 1000.0,
                    50,
                )
            })
            .collect();
        let figure = class_bars(&classes, "").unwrap();
        assert!(figure.svg.contains("\nn0\n") && !figure.svg.contains("\nn40\n"));
        assert!(class_bars(&[], "").is_ok());
    }
}
