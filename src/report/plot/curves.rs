//! Learning curves: loss, accuracy and learning rate by epoch.

use anyhow::Result;

use super::canvas::{Stand, figure, letters, write};
use super::curve_panel::{Curve, CurvePanel, panel};
use super::{Color, Figure};

/// Width and height of the figure.
const SIZE: [i32; 2] = [860, 470];
/// Height of the panels of loss and accuracy; the learning rate has the rest.
const UPPER: i32 = 300;
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
                color: Color::Orange,
                is_dashed: true,
                points: train.collect(),
            },
            Curve {
                name: "validation".to_owned(),
                color: Color::Blue,
                is_dashed: false,
                points: val.collect(),
            },
        ]
    };
    let chosen = points.iter().find(|point| Some(point.epoch) == best);
    let at = chosen.map(|point| point.epoch as f64);
    let mark = |of: usize| {
        let point = at.zip(chosen.and_then(|point| point.val[of]));
        let point = point.map(|(at, value)| (at, value, Color::Green));
        point.into_iter().collect::<Vec<_>>()
    };
    let best = |value: Option<String>| {
        let value = value.map_or(String::new(), |value| format!(" {value}"));
        at.map(|at| (at, format!("best{value}")))
    };
    let val = |of: usize| chosen.and_then(|point| point.val[of]);
    let loss = CurvePanel {
        title: "Loss".to_owned(),
        curves: curves(0),
        bounds: [0.0, f64::INFINITY],
        marks: mark(0),
        best: best(val(0).map(|loss| format!("{loss:.4}"))),
        ends: 0,
    };
    let accuracy = CurvePanel {
        title: "Top-1, %".to_owned(),
        curves: curves(1),
        bounds: [0.0, 100.0],
        marks: mark(1),
        best: best(val(1).map(|top1| format!("{top1:.2} %"))),
        ends: 0,
    };
    let lr = CurvePanel {
        title: "Learning rate".to_owned(),
        curves: vec![Curve {
            name: String::new(),
            color: Color::Purple,
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
            let style = letters(Color::Muted, 16);
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

#[cfg(test)]
mod tests {
    use super::super::Panel;
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
