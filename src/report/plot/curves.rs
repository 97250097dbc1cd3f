//! Learning curves: loss, accuracy and learning rate by epoch.

use anyhow::Result;
use plotters::chart::ChartBuilder;
use plotters::element::Circle;
use plotters::series::{DashedLineSeries, LineSeries};
use plotters::style::Color;

use super::canvas::{Area, LETTERS, Stand, drawing, figure, letters, line, write};
use super::words::room;
use super::{Colour, Figure, Panel};

/// Width and height of the figure.
const SIZE: [i32; 2] = [860, 470];
/// Height of the panels of loss and accuracy; the learning rate has the rest.
const UPPER: i32 = 300;
/// Points up to which each has a dot.
const DOTS: usize = 40;

/// One curve: a number an epoch, where there is one.
#[derive(Debug, Clone)]
pub struct Curve {
    /// What it is, beside the panel's title.
    pub name: String,
    /// Its colour.
    pub colour: Colour,
    /// Whether its line is broken, so that it is told from the other of its colour.
    pub is_dashed: bool,
    /// Epoch and number, in the order of epochs.
    pub points: Vec<(f64, f64)>,
}

/// What a panel of curves shows.
#[derive(Debug, Clone)]
pub struct Plot {
    /// What is measured, with its unit.
    pub title: String,
    /// The curves.
    pub curves: Vec<Curve>,
    /// The least and the largest number that there can be.
    pub bounds: [f64; 2],
    /// A point to be pointed at, with a word for it.
    pub mark: Option<(f64, f64, String)>,
}

/// One epoch of a run; accuracies in percent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// From 1.
    pub epoch: u64,
    /// Of the training pictures before each step.
    pub train: [f64; 2],
    /// Loss and accuracy of the validation pictures, where there are such.
    pub val: [Option<f64>; 2],
    /// The last step's.
    pub lr: f64,
}

/// Draws the epochs of a run; `best` is the number of the best.
///
/// # Errors
/// Never: any numbers can be drawn.
pub fn learning_curves(points: &[Point], best: Option<u64>) -> Result<Figure> {
    let curves = |of: usize| {
        let train = points
            .iter()
            .map(|point| (point.epoch as f64, point.train[of]));
        let val = points
            .iter()
            .filter_map(|point| Some((point.epoch as f64, point.val[of]?)));
        vec![
            Curve {
                name: "train".to_owned(),
                colour: Colour::Orange,
                is_dashed: true,
                points: train.collect(),
            },
            Curve {
                name: "val".to_owned(),
                colour: Colour::Blue,
                is_dashed: false,
                points: val.collect(),
            },
        ]
    };
    let mark = points
        .iter()
        .find(|point| Some(point.epoch) == best)
        .and_then(|point| {
            let top1 = point.val[1]?;
            Some((
                point.epoch as f64,
                top1,
                format!("best {top1:.2} at {}", point.epoch),
            ))
        });
    let loss = Plot {
        title: "loss".to_owned(),
        curves: curves(0),
        bounds: [0.0, f64::INFINITY],
        mark: None,
    };
    let accuracy = Plot {
        title: "top-1, %".to_owned(),
        curves: curves(1),
        bounds: [0.0, 100.0],
        mark,
    };
    let lr = Plot {
        title: "learning rate".to_owned(),
        curves: vec![Curve {
            name: String::new(),
            colour: Colour::Purple,
            is_dashed: false,
            points: points
                .iter()
                .map(|point| (point.epoch as f64, point.lr))
                .collect(),
        }],
        bounds: [0.0, f64::INFINITY],
        mark: None,
    };
    figure("learning curves", SIZE, |area| {
        if points.is_empty() {
            let middle = [SIZE[0] / 2, SIZE[1] / 2];
            let style = letters(Colour::Muted, 16);
            write(
                area,
                "no epoch is finished yet",
                middle,
                Stand::Middle,
                SIZE[0],
                &style,
            )?;
            return Ok(Vec::new());
        }
        let (upper, lower) = area.split_vertically(UPPER);
        let (left, right) = upper.split_horizontally(SIZE[0] / 2);
        Ok(vec![
            panel(&left, &loss)?,
            panel(&right, &accuracy)?,
            panel(&lower, &lr)?,
        ])
    })
}

/// Draws the curves of one panel with their axes.
///
/// # Errors
/// Never: any numbers can be drawn.
pub(super) fn panel(area: &Area, plot: &Plot) -> Result<Panel> {
    let x = epochs(&plot.curves);
    let y = range(&plot.curves, plot.bounds);
    let mut chart = ChartBuilder::on(area)
        .margin_top(38)
        .margin_right(18)
        .margin_bottom(4)
        .x_label_area_size(34)
        .y_label_area_size(54)
        .build_cartesian_2d(x[0]..x[1], y[0]..y[1])
        .map_err(drawing)?;
    // No line between two epochs.
    let ticks = ((x[1] - x[0]).ceil() as usize).clamp(1, 12);
    chart
        .configure_mesh()
        .light_line_style(plotters::style::TRANSPARENT)
        .bold_line_style(Colour::Grid.solid())
        .axis_style(Colour::Muted.solid())
        .label_style(letters(Colour::Muted, 11))
        .x_labels(ticks)
        .y_labels(6)
        .x_desc("epoch")
        .x_label_formatter(&|x| {
            if (x - x.round()).abs() < 1e-9 {
                format!("{x:.0}")
            } else {
                String::new()
            }
        })
        .y_label_formatter(&|&at| tick(at, (y[1] - y[0]) / 6.0))
        .draw()
        .map_err(drawing)?;
    for curve in &plot.curves {
        let points = || {
            let finite = curve.points.iter().copied();
            finite.filter(|(_, y)| y.is_finite())
        };
        let style = curve.colour.solid().stroke_width(2);
        if curve.is_dashed {
            let series = DashedLineSeries::new(points(), 6, 3, style);
            chart.draw_series(series).map_err(drawing)?;
        } else {
            let series = LineSeries::new(points(), style);
            chart.draw_series(series).map_err(drawing)?;
        }
        if curve.points.len() <= DOTS {
            let dots = points().map(|point| Circle::new(point, 2, curve.colour.solid().filled()));
            chart.draw_series(dots).map_err(drawing)?;
        }
    }
    if let Some((x, y, _)) = &plot.mark {
        let ring = Circle::new((*x, *y), 5, Colour::Green.solid().stroke_width(2));
        chart.draw_series([ring]).map_err(drawing)?;
    }
    let (across, down) = chart.plotting_area().get_pixel_range();
    heading(area, plot)?;
    Ok(Panel {
        title: plot.title.clone(),
        place: [across.start, down.start, across.end, down.end],
        x,
        y,
    })
}

/// The panel's title, and what its curves are.
fn heading(area: &Area, plot: &Plot) -> Result<()> {
    let (width, _) = area.dim_in_pixel();
    let title = letters(Colour::Ink, 14);
    let mut x = 54;
    write(
        area,
        &plot.title,
        [x, 18],
        Stand::Right,
        width as i32 - x,
        &title,
    )?;
    x += (room([plot.title.as_str()]) * 14.0) as i32 + 18;
    for curve in plot
        .curves
        .iter()
        .filter(|curve| !curve.name.is_empty() && !curve.points.is_empty())
    {
        let dashes: &[[i32; 2]] = if curve.is_dashed {
            &[[0, 8], [12, 20]]
        } else {
            &[[0, 20]]
        };
        for [from, to] in dashes {
            line(area, &[(x + from, 18), (x + to, 18)], curve.colour, 2)?;
        }
        write(
            area,
            &curve.name,
            [x + 26, 18],
            Stand::Right,
            (width as i32 - x - 30).max(20),
            &letters(Colour::Ink, LETTERS),
        )?;
        x += 26 + (room([curve.name.as_str()]) * f64::from(LETTERS)) as i32 + 16;
    }
    if let Some((_, _, words)) = &plot.mark {
        let style = letters(Colour::Green, LETTERS);
        let right = width as i32 - 18;
        write(area, words, [right, 18], Stand::Left, right - x, &style)?;
    }
    Ok(())
}

/// The epochs that all curves go over, with room for the dots of the first and the last.
fn epochs(curves: &[Curve]) -> [f64; 2] {
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let first = all().map(|point| point.0).fold(f64::INFINITY, f64::min);
    let last = all().map(|point| point.0).fold(1.0, f64::max);
    let first = first.min(last);
    let room = (0.02 * (last - first)).max(if last > first { 0.05 } else { 0.5 });
    [first - room, last + room]
}

/// The least and the largest number of the curves with some room, within the bounds of what there can be.
fn range(curves: &[Curve], bounds: [f64; 2]) -> [f64; 2] {
    let all = || {
        let points = curves.iter().flat_map(|curve| &curve.points);
        points.map(|point| point.1).filter(|y| y.is_finite())
    };
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| {
        (low.min(y), high.max(y))
    });
    if low > high {
        return [0.0, 1.0];
    }
    // Of what nearly reaches the bound the bound is shown.
    let low = if low - bounds[0] < 0.35 * (high - bounds[0]) {
        bounds[0]
    } else {
        low
    };
    let room = match high - low {
        extent if extent > 1e-12 * high.abs() => 0.06 * extent,
        _ if high == 0.0 => 1.0,
        _ => 0.1 * high.abs(),
    };
    [(low - room).max(bounds[0]), (high + room).min(bounds[1])]
}

/// A number beside an axis, with the digits that tell it from the next one, which is about `step` away.
fn tick(y: f64, step: f64) -> String {
    if y.abs() < step / 100.0 {
        return "0".to_owned();
    }
    let decimals = (-step.log10()).ceil().max(0.0) as usize;
    if decimals <= 4 && y.abs() < 1e5 {
        let text = format!("{y:.decimals$}");
        return if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        };
    }
    let digits = (y.abs().log10().floor() - step.log10().floor()).max(0.0) as usize;
    format!("{y:.digits$e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(epoch: u64, loss: f64, top1: f64) -> Point {
        Point {
            epoch,
            train: [loss, top1],
            val: [Some(loss + 0.1), Some(top1 - 1.0)],
            lr: 0.1 / epoch as f64,
        }
    }

    /// Whether a number of `panel` falls where it belongs, in units of the figure.
    fn place(panel: &Panel, x: f64, y: f64) -> (f64, f64) {
        let [left, top, right, bottom] = panel.place.map(f64::from);
        let part = |at: f64, [from, to]: [f64; 2]| (at - from) / (to - from);
        (
            left + part(x, panel.x) * (right - left),
            bottom - part(y, panel.y) * (bottom - top),
        )
    }

    #[test]
    fn the_best_epoch_is_ringed_where_its_numbers_are() {
        let points = [
            point(1, 2.0, 30.0),
            point(2, 1.0, 60.0),
            point(3, 0.8, 58.0),
        ];
        let figure = learning_curves(&points, Some(2)).unwrap();
        assert!(figure.svg.contains("best 59.00 at 2"));
        let (x, y) = place(&figure.panels[1], 2.0, 59.0);
        let rings: Vec<_> = figure
            .svg
            .lines()
            .filter(|line| line.contains("<circle") && line.contains("r=\"5\""))
            .collect();
        let number = |name: &str| -> f64 {
            let (_, rest) = rings[0].split_once(&format!("{name}=\"")).unwrap();
            rest.split_once('"').unwrap().0.parse().unwrap()
        };
        assert_eq!(rings.len(), 1);
        assert!((number("cx") - x).abs() <= 1.0 && (number("cy") - y).abs() <= 1.0);
    }

    #[test]
    fn a_run_of_no_epoch_and_of_one_can_be_drawn() {
        let empty = learning_curves(&[], None).unwrap();
        assert!(empty.svg.contains("no epoch is finished yet") && empty.panels.is_empty());
        let one = learning_curves(&[point(1, 2.0, 30.0)], Some(1)).unwrap();
        assert_eq!(one.panels.len(), 3);
        assert!(one.svg.matches("<circle").count() >= 5);
        assert!(!one.svg.contains("NaN"), "{}", one.svg);
    }

    #[test]
    fn numbers_that_are_none_and_constant_ones_leave_axes_that_can_be_read() {
        let mut flat = point(1, 0.5, 100.0);
        flat.val = [None, None];
        let mut nan = flat;
        (nan.epoch, nan.train) = (2, [f64::NAN, 100.0]);
        let figure = learning_curves(&[flat, nan], None).unwrap();
        assert!(!figure.svg.contains("NaN") && !figure.svg.contains("inf"));
        assert!(!figure.svg.contains(">\nval\n"));
    }

    #[test]
    fn ticks_have_the_digits_that_tell_them_apart() {
        for (number, step, text) in [
            (0.0, 0.02, "0"),
            (0.1, 0.02, "0.1"),
            (97.5, 0.5, "97.5"),
            (80.0, 20.0, "80"),
            (2.8e-4, 1e-5, "2.8e-4"),
            (2e-6, 1e-6, "2e-6"),
        ] {
            assert_eq!(tick(number, step), text);
        }
    }
}
