//! Line charts of a page: an SVG stretched to the width at hand under axes of HTML, so that letters keep their size on every
//! screen.

use std::fmt::Write;

use super::html::{Html, escape};
use crate::report::plot::scale::{range, tick, ticks};

/// Points of a line, at most; more are averaged.
const POINTS: usize = 400;
/// The side of the stretched coordinate system.
const SIDE: f64 = 1000.0;
/// The least distance of two labels at the ends of lines, in parts of the chart's height.
const LABEL: f64 = 0.085;

/// A line.
#[derive(Debug, Clone, Default)]
pub struct Line {
    /// The name in the legend; a line without one is not in it.
    pub name: String,
    /// The class of its color: `train`, `val`, `rate`, or `s0`, `s1` and so on for models.
    pub class: String,
    /// True if each point gets a dot.
    pub has_dots: bool,
    /// True for the faint background of another line, which does not widen the chart's range.
    pub is_faint: bool,
    /// Position and value, in ascending order of positions.
    pub points: Vec<(f64, f64)>,
}

/// A chart of lines over epochs.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    /// The heading.
    pub title: String,
    /// The unit after values, such as `%`.
    pub unit: &'static str,
    /// The lines.
    pub lines: Vec<Line>,
    /// The least and the largest possible value.
    pub bounds: [f64; 2],
    /// The position of the best epoch and its label.
    pub best: Option<(f64, String)>,
    /// The points that are circled, with the class of their color: the best epoch, or that of each model.
    pub rings: Vec<(f64, f64, String)>,
    /// The last position, at least.
    pub epochs: f64,
    /// True if positions start at 0, as those of steps do, rather than at the first point.
    pub starts_at_0: bool,
    /// True if the names are at the ends of the lines, too.
    pub has_end_labels: bool,
}

impl Chart {
    /// Writes the chart as a figure.
    pub fn write(&self, page: &mut Html) {
        let last = |line: &Line| line.points.last().map_or(0.0, |point| point.0);
        let right = self.lines.iter().map(last).fold(self.epochs, f64::max);
        let first = |line: &Line| line.points.first().map_or(right, |point| point.0);
        let left = self.lines.iter().map(first).fold(right, f64::min);
        // A single epoch stands at the right end.
        let left = if self.starts_at_0 || right <= left {
            0.0
        } else {
            left
        };
        let right = if right > left { right } else { left + 1.0 };
        let shown = self.lines.iter().filter(|line| !line.is_faint);
        let values: Vec<f64> = shown
            .flat_map(|line| line.points.iter().map(|point| point.1))
            .collect();
        let [low, high] = range(&values, self.bounds);
        let x = |at: f64| (at - left) / (right - left);
        let y = |value: f64| (high - value) / (high - low);
        let labels = if self.has_end_labels { " ends" } else { "" };
        page.raw(&format!(
            "<figure class=\"chart{labels}\" data-x=\"{left} {right}\">\n<figcaption><h3>{}</h3>{}</figcaption>\n",
            escape(&self.title),
            self.legend()
        ));
        page.raw("<div class=\"plot\">\n");
        let marks = ticks(low, high, 5);
        let step = marks.get(1).map_or(high - low, |next| next - marks[0]);
        let mut grid = String::new();
        for &mark in &marks {
            let top = y(mark);
            // Writing into a string cannot fail.
            let _ = write!(grid, "M0 {:.1}H{SIDE}", SIDE * top);
            page.raw(&format!(
                "<span class=\"y\" style=\"top:{:.2}%\">{}</span>",
                100.0 * top,
                tick(mark, step)
            ));
        }
        for mark in whole(left, right) {
            page.raw(&format!(
                "<span class=\"x\" style=\"left:{:.2}%\">{mark}</span>",
                100.0 * x(mark)
            ));
        }
        page.raw("<span class=\"axis\">epoch</span>\n");
        page.raw(&format!(
            "<svg viewBox=\"0 0 {SIDE} {SIDE}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">\n<path class=\"grid\" d=\"{grid}\"/>\n",
            escape(&self.described())
        ));
        if let Some((at, _)) = &self.best {
            page.raw(&format!(
                "<path class=\"best\" d=\"M{:.1} 0V{SIDE}\"/>\n",
                SIDE * x(*at)
            ));
        }
        for line in &self.lines {
            let points = averaged(&line.points);
            let place = |(at, value): &(f64, f64)| (SIDE * x(*at), SIDE * y(*value));
            write_line(page, line, &points.iter().map(place).collect::<Vec<_>>());
        }
        page.raw("</svg>\n");
        for (at, value, class) in &self.rings {
            page.raw(&format!(
                "<i class=\"ring {class}\" style=\"left:{:.2}%;top:{:.2}%\"></i>\n",
                100.0 * x(*at),
                100.0 * y(*value)
            ));
        }
        self.write_labels(page, [high, right], &x, &y);
        page.raw("<i class=\"cursor\" hidden></i>\n</div>\n</figure>\n");
    }

    /// Writes the best epoch's label, the values beyond the top, and the names at the ends of the lines.
    fn write_labels(
        &self,
        page: &mut Html,
        [high, right]: [f64; 2],
        x: &impl Fn(f64) -> f64,
        y: &impl Fn(f64) -> f64,
    ) {
        if let Some((at, label)) = &self.best {
            let side = if x(*at) > 0.5 { " before" } else { "" };
            page.raw(&format!(
                "<span class=\"best{side}\" style=\"left:{:.2}%\">{}</span>\n",
                100.0 * x(*at),
                escape(label)
            ));
        }
        for line in self.lines.iter().filter(|line| !line.is_faint) {
            let beyond = line.points.iter().filter(|point| point.1 > high);
            if let Some((at, value)) = beyond.max_by(|a, b| a.1.total_cmp(&b.1)) {
                let side = if x(*at) > 0.5 { " before" } else { "" };
                page.raw(&format!(
                    "<span class=\"beyond {}{side}\" style=\"left:{:.2}%\">▲ {value:.2}</span>\n",
                    line.class,
                    100.0 * x(*at)
                ));
            }
        }
        if self.has_end_labels {
            let ends = self.lines.iter().filter(|line| !line.name.is_empty());
            let ends = ends.filter_map(|line| {
                let (_, value) = *line.points.last()?;
                Some((line, y(value).clamp(0.0, 1.0)))
            });
            let mut ends: Vec<(&Line, f64)> = ends.collect();
            ends.sort_by(|a, b| a.1.total_cmp(&b.1));
            for (line, top) in apart(&ends, LABEL) {
                page.raw(&format!(
                    "<span class=\"end {}\" style=\"left:{:.2}%;top:{:.2}%\">{}</span>\n",
                    line.class,
                    100.0 * x(right),
                    100.0 * top,
                    super::html::name(&line.name, 18)
                ));
            }
        }
    }

    fn legend(&self) -> String {
        let mut legend = String::from("<ul class=\"legend\">");
        for line in &self.lines {
            if !line.name.is_empty() && !line.points.is_empty() {
                let _ = write!(
                    legend,
                    "<li><i class=\"key {}\"></i>{}</li>",
                    line.class,
                    super::html::name(&line.name, 28)
                );
            }
        }
        legend + "</ul>"
    }

    /// Returns the chart in words, for those who cannot see it.
    fn described(&self) -> String {
        let mut text = self.title.clone();
        for line in self.lines.iter().filter(|line| !line.name.is_empty()) {
            if let (Some(first), Some(last)) = (line.points.first(), line.points.last()) {
                let _ = write!(
                    text,
                    "; {}: from {:.3} to {:.3}{}",
                    line.name, first.1, last.1, self.unit
                );
            }
        }
        text
    }
}

/// Writes a line through finite points, with gaps where values are not.
fn write_line(page: &mut Html, line: &Line, points: &[(f64, f64)]) {
    let mut path = String::new();
    let mut dots = String::new();
    let mut is_open = false;
    for (x, y) in points {
        if !y.is_finite() {
            is_open = false;
            continue;
        }
        // Coordinates far outside the drawing are outside of it.
        let y = y.clamp(-SIDE, 2.0 * SIDE);
        let command = if is_open { 'L' } else { 'M' };
        let _ = write!(path, "{command}{x:.1} {y:.1}");
        let _ = write!(dots, "M{x:.1} {y:.1}h0");
        is_open = true;
    }
    if path.is_empty() {
        return;
    }
    let faint = if line.is_faint { " faint" } else { "" };
    page.raw(&format!(
        "<path class=\"line {}{faint}\" d=\"{path}\"/>\n",
        line.class
    ));
    if line.has_dots || points.len() == 1 {
        page.raw(&format!(
            "<path class=\"dots {}\" d=\"{dots}\"/>\n",
            line.class
        ));
    }
}

/// Returns at most [`POINTS`] points, each the mean of its neighbors.
fn averaged(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= POINTS {
        return points.to_vec();
    }
    let size = points.len().div_ceil(POINTS);
    let mean = |some: &[(f64, f64)]| {
        let count = some.len() as f64;
        let sum = some
            .iter()
            .fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (sum.0 / count, sum.1 / count)
    };
    points.chunks(size).map(mean).collect()
}

/// Returns the centered moving mean of values, over a window that suits their number.
pub fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let half = match points.len() {
        0..12 => 0,
        many => (many / 50).max(2),
    };
    let mean = |index: usize| {
        // The window shrinks towards both ends, so that they are not bent.
        let half = half.min(index).min(points.len() - 1 - index);
        let some = &points[index - half..=index + half];
        let sum: f64 = some.iter().map(|point| point.1).sum();
        (points[index].0, sum / some.len() as f64)
    };
    (0..points.len()).map(mean).collect()
}

/// Moves labels, sorted by their tops, apart until none overlaps.
fn apart<'a>(ends: &[(&'a Line, f64)], distance: f64) -> Vec<(&'a Line, f64)> {
    let mut placed: Vec<(&Line, f64)> = Vec::with_capacity(ends.len());
    for &(line, top) in ends {
        let least = placed.last().map_or(0.0, |(_, top)| top + distance);
        placed.push((line, top.max(least)));
    }
    let mut most = 1.0;
    for (_, top) in placed.iter_mut().rev() {
        *top = top.min(most);
        most = *top - distance;
    }
    placed
}

/// Returns whole epochs between two positions, eight at most.
fn whole(left: f64, right: f64) -> Vec<f64> {
    let (first, last) = (left.ceil() as u64, right.floor() as u64);
    let count = last.saturating_sub(first);
    let steps = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000];
    let step = steps.into_iter().find(|step| count / step <= 7);
    let step = step.unwrap_or(count.div_ceil(7).max(1));
    let marks = (first..=last).filter(|epoch| epoch.is_multiple_of(step));
    marks.map(|epoch| epoch as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_do_not_overlap_and_stay_in_the_chart() {
        let line = Line::default();
        let ends = [0.5, 0.51, 0.98, 0.99].map(|top| (&line, top));
        let tops: Vec<f64> = apart(&ends, 0.1).iter().map(|(_, top)| *top).collect();
        assert!(
            tops.windows(2).all(|two| two[1] - two[0] > 0.0999),
            "{tops:?}"
        );
        assert!(tops[0] >= 0.0 && tops[3] <= 1.0, "{tops:?}");
    }

    #[test]
    fn smoothing_keeps_the_ends_and_the_mean_of_a_straight_line() {
        let points: Vec<(f64, f64)> = (0..200).map(|i| (f64::from(i), f64::from(i))).collect();
        let smooth = smoothed(&points);
        assert!(
            points
                .iter()
                .zip(&smooth)
                .all(|(a, b)| (a.1 - b.1).abs() < 1e-9)
        );
        assert!(smoothed(&[]).is_empty());
    }

    #[test]
    fn nan_leaves_a_gap() {
        let chart = Chart {
            lines: vec![Line {
                name: "train".to_owned(),
                points: vec![(1.0, 1.0), (2.0, f64::NAN), (3.0, 1.0)],
                ..Line::default()
            }],
            bounds: [0.0, f64::INFINITY],
            ..Chart::default()
        };
        let mut page = Html::default();
        chart.write(&mut page);
        let text = page.finish();
        assert!(!text.contains("NaN\"") && !text.contains("NaN "), "{text}");
        let path = text.split("class=\"line").nth(1).unwrap();
        assert_eq!(path.split("/>").next().unwrap().matches('M').count(), 2);
    }

    #[test]
    fn epochs_are_marked_by_at_most_eight_whole_numbers() {
        assert_eq!(whole(0.0, 3.0), [0.0, 1.0, 2.0, 3.0]);
        assert!((3..=8).contains(&whole(1.0, 90.0).len()));
        assert!((3..=8).contains(&whole(0.0, 123_456.0).len()));
    }
}
