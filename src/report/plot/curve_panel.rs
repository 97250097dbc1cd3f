//! A panel of curves: a value by epoch, with axes, names, and the best epoch marked.

use anyhow::Result;
use plotters::chart::ChartBuilder;
use plotters::element::Circle;
use plotters::series::{DashedLineSeries, LineSeries};
use plotters::style::Color as _;

use super::canvas::{Area, LETTERS, Stand, drawing, letters, line, write};
use super::scale::{range, tick};
use super::text::room;
use super::{Color, Panel};

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
    pub color: Color,
    /// True if its line is dashed.
    pub is_dashed: bool,
    /// Epoch and value, in the order of epochs.
    pub points: Vec<(f64, f64)>,
}

/// The content of a panel of curves.
#[derive(Debug, Clone)]
pub struct CurvePanel {
    /// The measure, with its unit.
    pub title: String,
    /// The curves.
    pub curves: Vec<Curve>,
    /// The least and the largest possible value.
    pub bounds: [f64; 2],
    /// Points that are circled, in their colors.
    pub marks: Vec<(f64, f64, Color)>,
    /// The epoch that a line marks, with the words above it.
    pub best: Option<(f64, String)>,
    /// Units at the right for the curves' names; 0 if they stand beside the title.
    pub ends: i32,
}

/// Draws the curves of one panel with their axes.
///
/// # Errors
/// Never: any numbers can be drawn.
pub fn panel(area: &Area, plot: &CurvePanel) -> Result<Panel> {
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
        .bold_line_style(Color::Grid.solid())
        .axis_style(Color::Muted.solid())
        .label_style(letters(Color::Muted, 12))
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
        let style = curve.color.solid().stroke_width(2);
        if curve.is_dashed {
            let series = DashedLineSeries::new(points(), 6, 3, style);
            chart.draw_series(series).map_err(drawing)?;
        } else {
            let series = LineSeries::new(points(), style);
            chart.draw_series(series).map_err(drawing)?;
        }
        if curve.points.len() <= DOTS {
            let dots = points().map(|point| Circle::new(point, 2, curve.color.solid().filled()));
            chart.draw_series(dots).map_err(drawing)?;
        }
    }
    if let Some((at, _)) = plot.best {
        let style = Color::Green.solid().stroke_width(1);
        let marked = DashedLineSeries::new([(at, y[0]), (at, y[1])], 4, 4, style);
        chart.draw_series(marked).map_err(drawing)?;
    }
    for &(x, y, color) in &plot.marks {
        let ring = Circle::new(inside((x, y)), 5, color.solid().stroke_width(2));
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
        let style = letters(Color::Green, 12);
        write(area, words, [at, place[1] - 8], stand, 160, &style)?;
    }
    if plot.ends > 0 {
        ends(area, plot, place, y)?;
    }
    Ok(panel)
}

/// Draws the names of the curves at their ends, in their colors, none over another.
fn ends(
    area: &Area,
    plot: &CurvePanel,
    [_, top, right, bottom]: [i32; 4],
    y: [f64; 2],
) -> Result<()> {
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
        let style = letters(curve.color, 12);
        let at = [right + 8, at];
        write(area, &curve.name, at, Stand::Right, plot.ends - 4, &style)?;
    }
    Ok(())
}

/// Draws the panel's title and the names of its curves.
fn heading(area: &Area, plot: &CurvePanel) -> Result<()> {
    let (width, _) = area.dim_in_pixel();
    let title = letters(Color::Ink, 14);
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
            line(area, &[(x + from, 18), (x + to, 18)], curve.color, 2)?;
        }
        write(
            area,
            &curve.name,
            [x + 26, 18],
            Stand::Right,
            (width as i32 - x - 30).max(20),
            &letters(Color::Ink, LETTERS),
        )?;
        x += 26 + (room([curve.name.as_str()]) * f64::from(LETTERS)) as i32 + 16;
    }
    Ok(())
}

/// Returns the epochs that all curves go over, with room for the dots of the first and the last.
fn epochs(curves: &[Curve]) -> [f64; 2] {
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let first = all().map(|point| point.0).fold(f64::INFINITY, f64::min);
    let last = all().map(|point| point.0).fold(1.0, f64::max);
    let first = first.min(last);
    let room = (0.02 * (last - first)).max(if last > first { 0.05 } else { 0.5 });
    [first - room, last + room]
}
