//! Learning curves: loss, accuracy and learning rate by epoch.

use anyhow::Result;
use plotters::chart::ChartBuilder;
use plotters::element::Circle;
use plotters::series::{DashedLineSeries, LineSeries};
use plotters::style::Color;

use super::canvas::{Area, LETTERS, Stand, drawing, figure, letters, line, write};
use super::scale::{range, tick};
use super::words::room;
use super::{Colour, Figure, Panel};

/// Width and height of the figure.
const SIZE: [i32; 2] = [860, 470];
/// Height of the panels of loss and accuracy; the learning rate has the rest.
const UPPER: i32 = 300;
/// Points up to which each has a dot.
const DOTS: usize = 40;
/// Units between the names at the ends of curves.
const ENDS: i32 = 16;

/// One curve: a value per epoch.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Its name.
    pub name: String,
    /// Its color.
    pub colour: Colour,
    /// True if its line is dashed.
    pub is_dashed: bool,
    /// Epoch and value, in the order of epochs.
    pub points: Vec<(f64, f64)>,
}

/// The content of a panel of curves.
#[derive(Debug, Clone)]
pub struct Plot {
    /// The measure, with its unit.
    pub title: String,
    /// The curves.
    pub curves: Vec<Curve>,
    /// The least and the largest possible value.
    pub bounds: [f64; 2],
    /// Points that are circled, in their colors.
    pub marks: Vec<(f64, f64, Colour)>,
    /// The epoch that a line marks, with the words above it.
    pub best: Option<(f64, String)>,
    /// Units at the right for the curves' names; 0 if they stand beside the title.
    pub ends: i32,
}

/// One epoch of a run; accuracies in percent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// From 1.
    pub epoch: u64,
    /// Loss and accuracy on the training set, before each step's update.
    pub train: [f64; 2],
    /// Loss and accuracy on the validation set, if any.
    pub val: [Option<f64>; 2],
    /// The learning rate of the last step.
    pub lr: f64,
}

/// Draws the epochs of a run; `best` is the number of the best, `subtitle` names the run and its data.
///
/// # Errors
/// Never: any numbers can be drawn.
pub fn learning_curves(points: &[Point], best: Option<u64>, subtitle: &str) -> Result<Figure> {
    let curves = |of: usize| {
        let train = points
            .iter()
            .map(|point| (point.epoch as f64, point.train[of]));
        let val = points
            .iter()
            .filter_map(|point| Some((point.epoch as f64, point.val[of]?)));
        vec![
            Curve {
                name: "training".to_owned(),
                colour: Colour::Orange,
                is_dashed: true,
                points: train.collect(),
            },
            Curve {
                name: "validation".to_owned(),
                colour: Colour::Blue,
                is_dashed: false,
                points: val.collect(),
            },
        ]
    };
    let chosen = points.iter().find(|point| Some(point.epoch) == best);
    let at = chosen.map(|point| point.epoch as f64);
    let mark = |of: usize| {
        let point = at.zip(chosen.and_then(|point| point.val[of]));
        let point = point.map(|(at, value)| (at, value, Colour::Green));
        point.into_iter().collect::<Vec<_>>()
    };
    let best = |value: Option<String>| {
        let value = value.map_or(String::new(), |value| format!(" {value}"));
        at.map(|at| (at, format!("best{value}")))
    };
    let val = |of: usize| chosen.and_then(|point| point.val[of]);
    let loss = Plot {
        title: "Loss".to_owned(),
        curves: curves(0),
        bounds: [0.0, f64::INFINITY],
        marks: mark(0),
        best: best(val(0).map(|loss| format!("{loss:.4}"))),
        ends: 0,
    };
    let accuracy = Plot {
        title: "Top-1, %".to_owned(),
        curves: curves(1),
        bounds: [0.0, 100.0],
        marks: mark(1),
        best: best(val(1).map(|top1| format!("{top1:.2} %"))),
        ends: 0,
    };
    let lr = Plot {
        title: "Learning rate".to_owned(),
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
        marks: Vec::new(),
        best: best(None),
        ends: 0,
    };
    figure(["Learning curves", subtitle], SIZE, |area| {
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
    let values = plot.curves.iter().flat_map(|curve| &curve.points);
    let values: Vec<f64> = values.map(|point| point.1).collect();
    let y = range(&values, plot.bounds);
    let step = (y[1] - y[0]) / 6.0;
    let mut chart = ChartBuilder::on(area)
        .margin_top(48)
        .margin_right((18 + plot.ends).unsigned_abs())
        .margin_bottom(4)
        .x_label_area_size(38)
        .y_label_area_size(58)
        .build_cartesian_2d(x[0]..x[1], y[0]..y[1])
        .map_err(drawing)?;
    // No line between two epochs.
    let count = ((x[1] - x[0]).ceil() as usize).clamp(1, 10);
    chart
        .configure_mesh()
        .light_line_style(plotters::style::TRANSPARENT)
        .bold_line_style(Colour::Grid.solid())
        .axis_style(Colour::Muted.solid())
        .label_style(letters(Colour::Muted, 12))
        .x_labels(count)
        .y_labels(6)
        .x_desc("epoch")
        .x_label_formatter(&|x| {
            if (x - x.round()).abs() < 1e-9 {
                format!("{x:.0}")
            } else {
                String::new()
            }
        })
        .y_label_formatter(&|&at| tick(at, step))
        .draw()
        .map_err(drawing)?;
    // What is beyond the top stays there.
    let inside = |(at, value): (f64, f64)| (at, value.min(y[1]));
    for curve in &plot.curves {
        let points = || {
            let finite = curve.points.iter().copied();
            finite.filter(|(_, y)| y.is_finite()).map(inside)
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
    if let Some((at, _)) = plot.best {
        let style = Colour::Green.solid().stroke_width(1);
        let marked = DashedLineSeries::new([(at, y[0]), (at, y[1])], 4, 4, style);
        chart.draw_series(marked).map_err(drawing)?;
    }
    for &(x, y, colour) in &plot.marks {
        let ring = Circle::new(inside((x, y)), 5, colour.solid().stroke_width(2));
        chart.draw_series([ring]).map_err(drawing)?;
    }
    let (across, down) = chart.plotting_area().get_pixel_range();
    let (left, top) = area.get_base_pixel();
    let panel = Panel {
        title: plot.title.clone(),
        place: [across.start, down.start, across.end, down.end],
        x,
        y,
    };
    let place = [
        across.start - left,
        down.start - top,
        across.end - left,
        down.end - top,
    ];
    heading(area, plot)?;
    if let Some((at, words)) = &plot.best {
        let part = (at - x[0]) / (x[1] - x[0]);
        let at = place[0] + (part * f64::from(place[2] - place[0])) as i32;
        let (stand, at) = if part > 0.5 {
            (Stand::Left, at + 10)
        } else {
            (Stand::Right, at - 10)
        };
        let style = letters(Colour::Green, 12);
        write(area, words, [at, place[1] - 8], stand, 160, &style)?;
    }
    if plot.ends > 0 {
        ends(area, plot, place, y)?;
    }
    Ok(panel)
}

/// The names of the curves at their ends, in their colors, none over another.
fn ends(area: &Area, plot: &Plot, [_, top, right, bottom]: [i32; 4], y: [f64; 2]) -> Result<()> {
    let named = plot.curves.iter().filter(|curve| !curve.name.is_empty());
    let ends = named.filter_map(|curve| {
        let (_, value) = curve.points.iter().rfind(|point| point.1.is_finite())?;
        let part = (y[1] - value.min(y[1])) / (y[1] - y[0]);
        Some((curve, top + (part * f64::from(bottom - top)) as i32))
    });
    let mut ends: Vec<(&Curve, i32)> = ends.collect();
    ends.sort_by_key(|(_, at)| *at);
    let mut least = top;
    for (_, at) in &mut ends {
        *at = (*at).max(least);
        least = *at + ENDS;
    }
    let mut most = bottom;
    for (_, at) in ends.iter_mut().rev() {
        *at = (*at).min(most);
        most = *at - ENDS;
    }
    for (curve, at) in ends {
        let style = letters(curve.colour, 12);
        let at = [right + 8, at];
        write(area, &curve.name, at, Stand::Right, plot.ends - 4, &style)?;
    }
    Ok(())
}

/// Draws the panel's title and the names of its curves.
fn heading(area: &Area, plot: &Plot) -> Result<()> {
    let (width, _) = area.dim_in_pixel();
    let title = letters(Colour::Ink, 14);
    let mut x = 58;
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
        .filter(|curve| plot.ends == 0 && !curve.name.is_empty() && !curve.points.is_empty())
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

    /// Returns the place of a value of `panel`, in units of the figure.
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
        let figure = learning_curves(&points, Some(2), "run on data").unwrap();
        assert!(figure.svg.contains("best 59.00 %") && figure.svg.contains("run on data"));
        let (x, y) = place(&figure.panels[1], 2.0, 59.0);
        let rings: Vec<_> = figure
            .svg
            .lines()
            .filter(|line| line.contains("<circle") && line.contains("r=\"5\""))
            .collect();
        let number = |name: &str| -> f64 {
            let (_, rest) = rings[1].split_once(&format!("{name}=\"")).unwrap();
            rest.split_once('"').unwrap().0.parse().unwrap()
        };
        assert_eq!(rings.len(), 2);
        assert!((number("cx") - x).abs() <= 1.0 && (number("cy") - y).abs() <= 1.0);
    }

    #[test]
    fn a_run_of_no_epoch_and_of_one_can_be_drawn() {
        let empty = learning_curves(&[], None, "").unwrap();
        assert!(empty.svg.contains("no epoch is finished yet") && empty.panels.is_empty());
        let one = learning_curves(&[point(1, 2.0, 30.0)], Some(1), "").unwrap();
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
        let figure = learning_curves(&[flat, nan], None, "").unwrap();
        assert!(!figure.svg.contains("NaN") && !figure.svg.contains("inf"));
        assert!(!figure.svg.contains(">\nvalidation\n"));
    }
}
