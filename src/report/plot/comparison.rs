//! Models side by side: the curves of their runs, and their top-1 with its certainty.
//!
//! Above, error against epoch, as in figure 6 of the [paper](https://arxiv.org/abs/1512.03385); below, top-1 with 95 %
//! intervals.

use anyhow::Result;

use super::canvas::{Area, Stand, figure, fill, letters, line, write};
use super::color::SERIES;
use super::curve_panel::{Curve, CurvePanel, panel};
use super::scale::{tick, ticks};
use super::text::{WIDTH, room};
use super::{Color, Figure};
use crate::text::{cut_middle, wrapped};

/// Width of the figure.
const SIZE: i32 = 960;
/// Height of the panels of curves.
const CURVES: i32 = 340;
/// Height of a model's row.
const ROW: i32 = 32;
/// Units of a name, at most.
const NAME: f64 = 240.0;
/// Units of a name at the end of a curve.
const END: i32 = 140;
/// Units at the right of the intervals, for their numbers.
const NUMBERS: i32 = 210;
/// The size of the letters of the caption.
const CAPTION: i32 = 12;

/// A model among others; accuracies in percent.
#[derive(Debug, Clone, PartialEq)]
pub struct PlottedModel {
    /// Its name.
    pub name: String,
    /// Top-1, and the ends of its 95 % interval.
    pub top1: [f64; 3],
    /// Epoch, and top-1 on the training set and on the validation set, if it is a run.
    pub epochs: Vec<(f64, f64, Option<f64>)>,
}

/// Draws models side by side; `caption` says what they were measured on.
///
/// # Errors
/// Never: any numbers can be drawn.
pub fn comparison(models: &[PlottedModel], caption: &str) -> Result<Figure> {
    let has_curves = models.iter().any(|model| !model.epochs.is_empty());
    let above = if has_curves { CURVES + 16 } else { 0 };
    let height = above + 78 + ROW * models.len() as i32;
    let (subtitle, remarks) = caption.split_once("; ").unwrap_or((caption, ""));
    let columns = f64::from(SIZE - 32) / (f64::from(CAPTION) * WIDTH);
    let remarks = match remarks {
        "" => Vec::new(),
        remarks => wrapped(remarks, columns as usize),
    };
    let size = [SIZE, height + 20 * remarks.len() as i32];
    let title = format!("{} models side by side", models.len());
    figure([&title, subtitle], size, |area| {
        let muted = letters(Color::Muted, CAPTION);
        for (line, y) in remarks.iter().zip((height..).step_by(20)) {
            write(area, line, [16, y], Stand::Right, SIZE - 32, &muted)?;
        }
        let mut panels = Vec::new();
        if has_curves {
            let (curves, _) = area.split_vertically(CURVES);
            let (left, right) = curves.split_horizontally((SIZE - END) / 2);
            panels.push(panel(&left, &errors(models, false))?);
            panels.push(panel(&right, &errors(models, true))?);
        }
        intervals(area, models, above)?;
        Ok(panels)
    })
}

/// Returns training or validation error by epoch, each model in its color, with its best epoch circled and its name at its end.
fn errors(models: &[PlottedModel], is_validation: bool) -> CurvePanel {
    let mut curves = Vec::new();
    let mut marks = Vec::new();
    for (model, color) in models.iter().zip(SERIES.into_iter().cycle()) {
        let points = model.epochs.iter().filter_map(|(epoch, train, val)| {
            let top1 = if is_validation { *val } else { Some(*train) };
            Some((*epoch, 100.0 - top1?))
        });
        let points: Vec<(f64, f64)> = points.collect();
        let best = points.iter().rev().min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((epoch, error)) = best.filter(|_| is_validation) {
            marks.push((*epoch, *error, color));
        }
        curves.push(Curve {
            name: if is_validation {
                cut_middle(&model.name, 18)
            } else {
                String::new()
            },
            color,
            is_dashed: false,
            points,
        });
    }
    CurvePanel {
        title: if is_validation {
            "Validation error, % (circled: best epoch)".to_owned()
        } else {
            "Training error, %".to_owned()
        },
        curves,
        bounds: [0.0, 100.0],
        marks,
        best: None,
        ends: if is_validation { END } else { 0 },
    }
}

/// Draws the top-1 of each model as a mark in its interval.
fn intervals(area: &Area, models: &[PlottedModel], y: i32) -> Result<()> {
    let title = letters(Color::Ink, 14);
    let heading = "Top-1, %, with 95 % intervals";
    write(area, heading, [16, y + 16], Stand::Right, 400, &title)?;
    let names: Vec<String> = models
        .iter()
        .map(|model| cut_middle(&model.name, (NAME / (13.0 * WIDTH)) as usize))
        .collect();
    let names_room = 13.0 * room(names.iter().map(String::as_str));
    let left = 54 + names_room.min(NAME) as i32 + 14;
    let width = SIZE - left - NUMBERS;
    let low = models
        .iter()
        .map(|model| model.top1[1])
        .fold(100.0, f64::min);
    let high = models.iter().map(|model| model.top1[2]).fold(0.0, f64::max);
    let room = (0.06 * (high - low)).max(0.2);
    let (low, high) = ((low - room).max(0.0), (high + room).min(100.0));
    let at = |top1: f64| left + ((top1 - low) / (high - low) * f64::from(width)) as i32;
    let (top, bottom) = (y + 32, y + 36 + ROW * models.len() as i32);
    let muted = letters(Color::Muted, 12);
    let marks = ticks(low, high, 6);
    let step = marks.get(1).map_or(high - low, |next| next - marks[0]);
    for mark in marks {
        line(area, &[(at(mark), top), (at(mark), bottom)], Color::Grid, 1)?;
        let place = [at(mark), bottom + 13];
        write(area, &tick(mark, step), place, Stand::Middle, 60, &muted)?;
    }
    let ink = letters(Color::Ink, 13);
    let rows = models.iter().zip(&names).zip(SERIES.into_iter().cycle());
    for (index, ((model, name), color)) in rows.enumerate() {
        let middle = top + ROW * index as i32 + ROW / 2;
        let [top1, from, to] = model.top1;
        line(area, &[(20, middle), (40, middle)], color, 4)?;
        let place = [50, middle];
        write(area, name, place, Stand::Right, left - 54, &ink)?;
        line(area, &[(at(from), middle), (at(to), middle)], color, 2)?;
        for end in [from, to] {
            line(
                area,
                &[(at(end), middle - 5), (at(end), middle + 5)],
                color,
                2,
            )?;
        }
        let dot = [at(top1) - 4, middle - 4, at(top1) + 4, middle + 4];
        fill(area, dot, &color.solid())?;
        let text = format!("{top1:.2}  ({from:.1} to {to:.1})");
        let right = [left + width + 18, middle];
        write(area, &text, right, Stand::Right, NUMBERS - 20, &ink)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_better_model_stands_further_to_the_right() {
        let model = |name: &str, top1: f64| PlottedModel {
            name: name.to_owned(),
            top1: [top1, top1 - 1.0, top1 + 1.0],
            epochs: vec![(1.0, 50.0, Some(60.0)), (2.0, 70.0, None)],
        };
        let figure = comparison(
            &[model("plain<56>", 80.0), model("resnet56", 90.0)],
            "photos, val: 19 images; optimistic",
        )
        .unwrap();
        let dots: Vec<i32> = figure
            .svg
            .lines()
            .filter(|line| line.contains("width=\"8\" height=\"8\""))
            .map(|line| {
                let (_, rest) = line.split_once(" x=\"").unwrap();
                rest.split_once('"').unwrap().0.parse().unwrap()
            })
            .collect();
        assert!(dots.len() == 2 && dots[0] < dots[1], "{dots:?}");
        assert!(figure.svg.contains("plain&lt;56&gt;"));
        assert!(
            figure.svg.contains("\nphotos, val: 19 images\n")
                && figure.svg.contains("\noptimistic\n")
        );
        assert_eq!(figure.panels.len(), 2);
    }

    #[test]
    fn models_without_epochs_have_intervals_alone() {
        let model = PlottedModel {
            name: "a".to_owned(),
            top1: [100.0, 100.0, 100.0],
            epochs: Vec::new(),
        };
        let figure = comparison(&[model], "").unwrap();
        assert!(figure.panels.is_empty() && !figure.svg.contains("NaN"));
        assert!(comparison(&[], "").is_ok());
    }
}
