//! Models side by side: how they learnt, and how much they recognise with how much certainty.
//!
//! On the left error against epoch, as in figure 6 of the [paper](https://arxiv.org/abs/1512.03385); on the right top-1 with
//! 95 % intervals.

use anyhow::Result;

use super::canvas::{Area, Stand, figure, fill, letters, line, write};
use super::colour::SERIES;
use super::curves::{Curve, Plot, panel};
use super::words::{WIDTH, room};
use super::{Colour, Figure};
use crate::words::wrapped;

/// Width and height of the panel of curves.
const CURVES: [i32; 2] = [560, 400];
/// Width of the intervals, names not counted.
const INTERVALS: i32 = 300;
/// Height of a model's row.
const ROW: i32 = 34;
/// Units of a name, at most.
const NAME: f64 = 220.0;
/// The size of the letters of the caption.
const CAPTION: i32 = 12;

/// A model among others; accuracies in percent.
#[derive(Debug, Clone, PartialEq)]
pub struct Entrant {
    /// What it is called.
    pub name: String,
    /// Top-1, and the ends of its 95 % interval.
    pub top1: [f64; 3],
    /// Epoch, and top-1 of the training pictures and of the validation pictures, where it is a run.
    pub epochs: Vec<(f64, f64, Option<f64>)>,
}

/// Draws models side by side, with what they were measured on below.
///
/// # Errors
/// Never: any numbers can be drawn.
pub fn comparison(models: &[Entrant], caption: &str) -> Result<Figure> {
    let has_curves = models.iter().any(|model| !model.epochs.is_empty());
    let left = if has_curves { CURVES[0] + 20 } else { 0 };
    let names = 12.0 * room(models.iter().map(|model| model.name.as_str()));
    let names = names.min(NAME) as i32 + 60;
    let rows = 90 + ROW * models.len() as i32;
    let width = left + names + INTERVALS + 90;
    let height = if has_curves {
        rows.max(CURVES[1])
    } else {
        rows
    };
    let columns = f64::from(width - 28) / (f64::from(CAPTION) * WIDTH);
    let caption = wrapped(caption, columns as usize);
    let size = [width, height + 20 * caption.len() as i32 + 8];
    figure("models side by side", size, |area| {
        let muted = letters(Colour::Muted, CAPTION);
        for (line, y) in caption.iter().zip((height + 8..).step_by(20)) {
            write(area, line, [14, y], Stand::Right, width - 28, &muted)?;
        }
        let mut panels = Vec::new();
        if has_curves {
            let (curves, _) = area.split_horizontally(CURVES[0]);
            let (curves, _) = curves.split_vertically(CURVES[1]);
            panels.push(panel(&curves, &errors(models))?);
        }
        intervals(area, models, [left, 0], names)?;
        Ok(panels)
    })
}

/// Error by epoch, each model in its colour.
fn errors(models: &[Entrant]) -> Plot {
    let mut curves = Vec::new();
    for (model, colour) in models.iter().zip(SERIES.into_iter().cycle()) {
        let train = model
            .epochs
            .iter()
            .map(|(epoch, train, _)| (*epoch, 100.0 - train));
        let val = model
            .epochs
            .iter()
            .filter_map(|(epoch, _, val)| Some((*epoch, 100.0 - (*val)?)));
        for (is_dashed, points) in [(true, train.collect()), (false, val.collect::<Vec<_>>())] {
            curves.push(Curve {
                // The names stand beside the intervals, in the same colours.
                name: String::new(),
                colour,
                is_dashed,
                points,
            });
        }
    }
    Plot {
        title: "error, %; dashed: train, solid: val".to_owned(),
        curves,
        bounds: [0.0, 100.0],
        mark: None,
    }
}

/// Top-1 of each model as a dot in its interval.
fn intervals(area: &Area, models: &[Entrant], [x, y]: [i32; 2], names: i32) -> Result<()> {
    let title = letters(Colour::Ink, 14);
    let heading = "top-1, %, with 95 % intervals";
    write(area, heading, [x + 14, y + 18], Stand::Right, 400, &title)?;
    let low = models
        .iter()
        .map(|model| model.top1[1])
        .fold(100.0, f64::min);
    let high = models.iter().map(|model| model.top1[2]).fold(0.0, f64::max);
    let room = (0.08 * (high - low)).max(0.2);
    let (low, high) = ((low - room).max(0.0), (high + room).min(100.0));
    let left = x + names;
    let at = |top1: f64| left + ((top1 - low) / (high - low) * f64::from(INTERVALS)) as i32;
    let (top, bottom) = (y + 44, y + 54 + ROW * models.len() as i32);
    let muted = letters(Colour::Muted, 11);
    for tick in ticks(low, high) {
        line(
            area,
            &[(at(tick), top), (at(tick), bottom)],
            Colour::Grid,
            1,
        )?;
        let text = format!("{}", (tick * 100.0).round() / 100.0);
        write(
            area,
            &text,
            [at(tick), bottom + 12],
            Stand::Middle,
            60,
            &muted,
        )?;
    }
    let ink = letters(Colour::Ink, 12);
    for (index, (model, colour)) in models.iter().zip(SERIES.into_iter().cycle()).enumerate() {
        let middle = top + ROW * index as i32 + ROW / 2;
        let [top1, from, to] = model.top1;
        line(area, &[(x + 14, middle), (x + 30, middle)], colour, 4)?;
        write(
            area,
            &model.name,
            [x + 36, middle],
            Stand::Right,
            names - 44,
            &ink,
        )?;
        line(area, &[(at(from), middle), (at(to), middle)], colour, 2)?;
        for end in [from, to] {
            line(
                area,
                &[(at(end), middle - 5), (at(end), middle + 5)],
                colour,
                2,
            )?;
        }
        let dot = [at(top1) - 4, middle - 4, at(top1) + 4, middle + 4];
        fill(area, dot, &colour.solid())?;
        let text = format!("{top1:.2}");
        let right = [left + INTERVALS + 14, middle];
        write(area, &text, right, Stand::Right, 70, &ink)?;
    }
    Ok(())
}

/// Four to ten round numbers between two.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low).max(1e-9) / 4.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [5.0, 2.0, 1.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step <= rough)
        .unwrap_or(power);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|number| number as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_better_model_stands_further_to_the_right() {
        let model = |name: &str, top1: f64| Entrant {
            name: name.to_owned(),
            top1: [top1, top1 - 1.0, top1 + 1.0],
            epochs: vec![(1.0, 50.0, Some(60.0)), (2.0, 70.0, None)],
        };
        let figure = comparison(
            &[model("plain<56>", 80.0), model("resnet56", 90.0)],
            "photos, val: 19 images",
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
        assert!(figure.svg.contains("photos, val: 19 images"));
        assert_eq!(figure.panels.len(), 1);
    }

    #[test]
    fn models_without_epochs_have_intervals_alone() {
        let model = Entrant {
            name: "a".to_owned(),
            top1: [100.0, 100.0, 100.0],
            epochs: Vec::new(),
        };
        let figure = comparison(&[model], "").unwrap();
        assert!(figure.panels.is_empty() && !figure.svg.contains("NaN"));
        assert!(comparison(&[], "").is_ok());
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(86.3, 92.6), [87.0, 88.0, 89.0, 90.0, 91.0, 92.0]);
        assert!((4..=10).contains(&ticks(0.0, 100.0).len()));
    }
}
