//! What a run shows while a person watches: how far it is, how well it does, and the course of the loss, in three lines.

use super::curve::Curve;
use crate::train::watch::{Epoch, Step};
use anstyle::{AnsiColor, Style};
use console::{measure_text_width, truncate_str};
use std::time::Duration;

const GREEN: Style = AnsiColor::Green.on_default();
/// Columns of the longest bar and of the longest curve.
const BAR: usize = 24;
const CURVE: usize = 60;
/// Columns below which a bar says nothing.
const SHORTEST: usize = 5;

/// All that is shown.
#[derive(Debug, Default)]
pub struct View {
    /// Epochs in all.
    pub epochs: u64,
    /// Done, of all: the steps of the epoch, or pictures that are looked at.
    pub done: [u64; 2],
    /// What pictures are looked at for, instead of learning.
    pub looks: Option<String>,
    /// What the run will still take.
    pub remaining: Option<Duration>,
    /// The step that was done last.
    pub step: Option<Step>,
    /// The best epoch, and what it recognises of the validation pictures.
    pub best: Option<(u64, f64)>,
    /// The steps' losses.
    pub losses: Curve,
}

impl View {
    /// A step was done.
    pub fn step(&mut self, step: &Step) {
        self.looks = None;
        self.losses.push(step.loss);
        self.step = Some(*step);
    }

    /// An epoch was finished.
    pub fn epoch(&mut self, epoch: &Epoch, is_best: bool) {
        self.looks = None;
        if let (true, Some(top1)) = (is_best, epoch.val_top1) {
            self.best = Some((epoch.epoch, top1));
        }
    }

    /// The lines, each of at most so many columns.
    pub fn lines(&self, columns: usize, has_colours: bool) -> Vec<String> {
        let mut lines = vec![self.way(columns)];
        if let Some(step) = &self.step {
            lines.push(self.figures(step, columns, has_colours));
            lines.push(self.course(columns));
        }
        let fits = |line: String| truncate_str(&line, columns, "…").into_owned();
        lines.into_iter().map(fits).collect()
    }

    /// How far it is.
    fn way(&self, columns: usize) -> String {
        let [done, all] = self.done;
        let what = match (&self.looks, &self.step) {
            (Some(what), _) => what.clone(),
            (None, Some(step)) => format!("epoch {}/{}", step.epoch, self.epochs),
            (None, None) => return "begins".to_owned(),
        };
        let step = self.step.filter(|_| self.looks.is_none());
        let count = format!("  {done}/{all}");
        let left = step.and(self.remaining);
        let left = left.map_or(String::new(), |left| format!("  ETA {}", clock(left)));
        let rate = step.map_or(String::new(), |step| {
            format!("  {:.0} img/s", step.images_per_second)
        });
        // Two spaces and two brackets go with a bar.
        let room = |parts: &[&str]| {
            let taken: usize = parts.iter().map(|part| measure_text_width(part)).sum();
            columns.saturating_sub(taken + 4).min(BAR)
        };
        let all_of_it = [what.as_str(), &count, &left, &rate];
        let shown = match room(&all_of_it) {
            SHORTEST.. => &all_of_it[..],
            _ => &all_of_it[..3],
        };
        let cells = room(shown);
        let bar = match cells {
            SHORTEST.. => format!("  [{}]", bar(done, all, cells)),
            _ => String::new(),
        };
        format!("{what}{bar}{}", shown[1..].concat())
    }

    /// How well it does.
    fn figures(&self, step: &Step, columns: usize, has_colours: bool) -> String {
        let loss = format!("loss {:.4}", step.loss);
        let top1 = format!("top-1 {:.1} %", step.top1);
        let best = self.best.map(|(epoch, top1)| {
            let text = format!("best {top1:.2} % (epoch {epoch})");
            if has_colours {
                format!("{GREEN}{text}{GREEN:#}")
            } else {
                text
            }
        });
        let all = [Some(loss.clone()), Some(top1), best.clone()];
        let fewer = [Some(loss), best];
        let join = |parts: &[Option<String>]| {
            let parts: Vec<&str> = parts.iter().flatten().map(String::as_str).collect();
            parts.join("  ")
        };
        let line = join(&all);
        if measure_text_width(&line) <= columns {
            line
        } else {
            join(&fewer)
        }
    }

    /// The course of the loss.
    fn course(&self, columns: usize) -> String {
        let ends = self.losses.ends();
        let ends = ends.map_or(String::new(), |[first, last]| {
            format!("  {first:.3} to {last:.3}")
        });
        let room = columns.saturating_sub(5 + ends.len());
        if room < SHORTEST {
            return format!("loss {}", self.losses.blocks(columns.saturating_sub(5)));
        }
        format!("loss {}{ends}", self.losses.blocks(room.min(CURVE)))
    }
}

fn bar(done: u64, all: u64, cells: usize) -> String {
    let full = (done.min(all) as usize * cells) / (all.max(1) as usize);
    let head = if full < cells { ">" } else { "" };
    format!("{:<cells$}", format!("{}{head}", "=".repeat(full)))
}

/// `0:05`, `2:03:04`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        let mut view = View {
            epochs: 30,
            done: [23, 47],
            remaining: Some(Duration::from_secs(3725)),
            best: Some((12, 88.125)),
            ..View::default()
        };
        for index in 0..200 {
            view.step(&Step {
                epoch: 13,
                step: index,
                loss: 2.5 / (1.0 + index as f64),
                lr: 0.1,
                step_ms: 100.0,
                images_per_second: 1520.4,
                top1: 72.43,
            });
        }
        view
    }

    #[test]
    fn eighty_columns_show_all_of_it() {
        assert_eq!(
            view().lines(80, false),
            [
                "epoch 13/30  [===========>            ]  23/47  ETA 1:02:05  1520 img/s",
                "loss 0.0125  top-1 72.4 %  best 88.12 % (epoch 12)",
                &format!("loss █▃▂▂▂▂{}  2.500 to 0.013", "▁".repeat(53)),
            ]
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for columns in 1..=100 {
            for has_colours in [false, true] {
                let mut view = view();
                let mut lines = view.lines(columns, has_colours);
                view.looks = Some("computing features".to_owned());
                lines.extend(view.lines(columns, has_colours));
                lines.extend(View::default().lines(columns, has_colours));
                for line in &lines {
                    assert!(measure_text_width(line) <= columns, "{columns}: {line}");
                }
            }
        }
        let forty = view().lines(40, false);
        assert_eq!(
            forty,
            [
                "epoch 13/30  [==>  ]  23/47  ETA 1:02:05",
                "loss 0.0125  best 88.12 % (epoch 12)",
                "loss █▂▂▂▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  2.500 to 0.013"
            ]
        );
    }

    #[test]
    fn colour_marks_the_best_alone() {
        let lines = view().lines(80, true);
        assert!(
            lines[1].ends_with("\u{1b}[32mbest 88.12 % (epoch 12)\u{1b}[0m"),
            "{lines:?}"
        );
        assert_eq!(lines.join("").matches('\u{1b}').count(), 2);
    }

    #[test]
    fn a_better_epoch_takes_the_best_ones_place() {
        let mut view = view();
        let mut epoch = Epoch {
            epoch: 13,
            train_loss: 1.0,
            train_top1: 50.0,
            val_loss: Some(1.0),
            val_top1: Some(88.0),
            val_top5: None,
            lr: 0.1,
            seconds: 1.0,
        };
        view.epoch(&epoch, false);
        assert_eq!(view.best, Some((12, 88.125)));
        epoch.val_top1 = Some(90.0);
        view.epoch(&epoch, true);
        assert_eq!(view.best, Some((13, 90.0)));
    }

    #[test]
    fn bars_are_full_at_the_end() {
        assert_eq!(bar(0, 47, 8), ">       ");
        assert_eq!(bar(47, 47, 8), "========");
        assert_eq!(bar(50, 47, 8), "========");
        assert_eq!(bar(0, 0, 4), ">   ");
    }
}
