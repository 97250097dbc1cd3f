//! The curves of a run, and a table of its epochs.

use super::chart::{Chart, Line, smoothed};
use super::html::Html;
use crate::eval::history::Epoch;

/// Steps that the script knows, at most.
const STEPS: usize = 500;

/// The epochs and steps of a run.
#[derive(Debug, Clone)]
pub struct Learning<'a> {
    /// The finished epochs.
    pub epochs: &'a [Epoch],
    /// The number of the best epoch.
    pub best: Option<u64>,
    /// Its steps; none if they are not known.
    pub steps: Vec<StepPoint>,
}

/// One optimizer step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepPoint {
    /// From 1 over the whole run.
    pub step: u64,
    /// Epochs that are done after it, such as 0.5.
    pub epoch: f64,
    /// The loss of the step's batch before the update.
    pub loss: f64,
    /// The learning rate of the update.
    pub lr: f64,
}

/// Writes the section.
pub fn section(page: &mut Html, learning: &Learning) {
    let lead = if learning.steps.is_empty() {
        ""
    } else {
        "The faint line is the training loss of each batch, the line over it their moving mean."
    };
    page.section("curves", "Curves", lead);
    page.raw("<div class=\"charts\" tabindex=\"0\" role=\"group\" aria-label=\"Curves\" aria-describedby=\"reading\">\n");
    for chart in learning.charts() {
        chart.write(page);
    }
    page.raw("</div>\n<p id=\"reading\" class=\"reading\" aria-live=\"polite\"><span class=\"fine\">Point at a chart for its values, or use the arrow keys.</span><span class=\"coarse\">Tap a chart for its values.</span></p>\n");
    table(page, learning);
    page.raw("</section>\n");
}

impl Learning<'_> {
    fn charts(&self) -> Vec<Chart> {
        let best = self
            .epochs
            .iter()
            .find(|epoch| Some(epoch.epoch) == self.best);
        let at = best.map(|epoch| epoch.epoch as f64);
        let label = |value: Option<String>| {
            let value = value.map_or(String::new(), |value| format!(" {value}"));
            at.map(|at| (at, format!("best{value}")))
        };
        let ring = |of: fn(&Epoch) -> Option<f64>| {
            let value = best.and_then(of);
            let point = at
                .zip(value)
                .map(|(at, value)| (at, value, "best".to_owned()));
            point.into_iter().collect()
        };
        let rate = if self.steps.is_empty() {
            self.by_epoch(|epoch| Some(epoch.lr))
        } else {
            self.by_step(|step| step.lr)
        };
        let epochs = self.epochs.last().map_or(0.0, |epoch| epoch.epoch as f64);
        let starts_at_0 = !self.steps.is_empty();
        let mut charts = vec![
            Chart {
                title: "Loss".to_owned(),
                lines: self.loss(),
                bounds: [0.0, f64::INFINITY],
                best: label(best.and_then(|epoch| Some(format!("{:.4}", epoch.val_loss?)))),
                rings: ring(|epoch| epoch.val_loss),
                ..Chart::default()
            },
            Chart {
                title: "Top-1 accuracy, %".to_owned(),
                unit: " %",
                lines: vec![
                    line(
                        "training",
                        "train",
                        self.by_epoch(|epoch| Some(epoch.train_top1)),
                    ),
                    line("validation", "val", self.by_epoch(|epoch| epoch.val_top1)),
                ],
                bounds: [0.0, 100.0],
                best: label(best.and_then(|epoch| Some(format!("{:.2} %", epoch.val_top1?)))),
                rings: ring(|epoch| epoch.val_top1),
                ..Chart::default()
            },
            Chart {
                title: "Learning rate".to_owned(),
                lines: vec![Line {
                    has_dots: self.steps.is_empty() && rate.len() <= 30,
                    ..line("", "rate", rate)
                }],
                bounds: [0.0, f64::INFINITY],
                best: at.map(|at| (at, "best epoch".to_owned())),
                ..Chart::default()
            },
        ];
        for chart in &mut charts {
            chart.epochs = epochs;
            chart.starts_at_0 = starts_at_0;
        }
        charts
    }

    /// Returns the lines of the loss: that of each step and their moving mean where they are known, and those of the epochs.
    fn loss(&self) -> Vec<Line> {
        let mut loss = Vec::new();
        if self.steps.is_empty() {
            loss.push(line(
                "training",
                "train",
                self.by_epoch(|epoch| Some(epoch.train_loss)),
            ));
        } else {
            let steps = self.by_step(|step| step.loss);
            loss.push(Line {
                name: String::new(),
                is_faint: true,
                has_dots: false,
                ..line("", "train", steps.clone())
            });
            loss.push(Line {
                has_dots: false,
                ..line("training", "train", smoothed(&steps))
            });
        }
        loss.push(line(
            "validation",
            "val",
            self.by_epoch(|epoch| epoch.val_loss),
        ));
        loss
    }

    /// Returns a value of each epoch that has it.
    fn by_epoch(&self, of: fn(&Epoch) -> Option<f64>) -> Vec<(f64, f64)> {
        let points = self.epochs.iter();
        points
            .filter_map(|epoch| Some((epoch.epoch as f64, of(epoch)?)))
            .collect()
    }

    /// Returns a value of each step.
    fn by_step(&self, of: fn(&StepPoint) -> f64) -> Vec<(f64, f64)> {
        let points = self.steps.iter();
        points.map(|step| (step.epoch, of(step))).collect()
    }

    /// Returns step, epoch, loss and learning rate of at most `STEPS` steps.
    pub fn steps_for_script(&self) -> Vec<[f64; 4]> {
        let every = self.steps.len().div_ceil(STEPS).max(1);
        let round = |value: f64| format!("{value:.5e}").parse().unwrap_or(value);
        let steps = self.steps.iter().step_by(every);
        steps
            .map(|one| {
                let [epoch, loss, lr] = [one.epoch, one.loss, one.lr].map(round);
                [one.step as f64, epoch, loss, lr]
            })
            .collect()
    }
}

fn line(name: &str, class: &str, points: Vec<(f64, f64)>) -> Line {
    Line {
        name: name.to_owned(),
        class: class.to_owned(),
        has_dots: points.len() <= 30,
        is_faint: false,
        points,
    }
}

fn table(page: &mut Html, learning: &Learning) {
    if learning.epochs.is_empty() {
        page.raw("<p>No epoch is finished yet.</p>\n");
        return;
    }
    page.raw("<details><summary>All epochs</summary>\n<div class=\"scroll tall\"><table id=\"epoch-table\">\n");
    let columns = [
        "epoch",
        "train loss",
        "train top-1, %",
        "val loss",
        "val top-1, %",
        "val top-5, %",
        "learning rate",
        "seconds",
    ];
    page.head(&columns.map(|name| (name, true)), Some(0));
    page.raw("<tbody>\n");
    for epoch in learning.epochs {
        let is_best = Some(epoch.epoch) == learning.best;
        page.raw(if is_best {
            "<tr class=\"best\">"
        } else {
            "<tr>"
        });
        let mark = if is_best { " best" } else { "" };
        page.cell(&format!("{}{mark}", epoch.epoch), Some(epoch.epoch as f64));
        let mut number = |value: Option<f64>, digits: usize| match value {
            Some(value) => page.cell(&format!("{value:.digits$}"), Some(value)),
            // Below everything else.
            None => page.cell("", Some(-1e9)),
        };
        number(Some(epoch.train_loss), 4);
        number(Some(epoch.train_top1), 2);
        number(epoch.val_loss, 4);
        number(epoch.val_top1, 2);
        number(epoch.val_top5, 2);
        page.cell(&format!("{:.2e}", epoch.lr), Some(epoch.lr));
        page.cell(&format!("{:.1}", epoch.seconds), Some(epoch.seconds));
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div></details>\n");
}
