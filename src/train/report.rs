//! What a run leaves to be looked at: its curves, drawn again as it goes on, and at its end the report.
//!
//! None of it is needed to go on with a run, so that what cannot be drawn or written ends nothing: a warning says so.

use super::ended::Ended;
use super::recipe::Recipe;
use super::run::Run;
use super::validation::Measured;
use super::watch::{COLUMNS, Epoch, Watch};
use crate::data::ordered::caught;
use crate::eval::Evaluation;
use crate::explain::Explainer;
use crate::infer::Work;
use crate::model::ResNet;
use crate::report::environment::environment;
use crate::report::examined::Examined;
use crate::report::page::{Again, Learning, Page};
use crate::report::plot::Figure;
use crate::report::plot::curves::{Point, learning_curves};
use crate::report::{REPORT, thousands, write_page};
use crate::words::counted;
use anyhow::Result;
use std::time::{Duration, Instant};

/// How much longer the pause between two drawings of the curves is than a drawing, so that epochs of a moment are not slowed.
const PAUSE: u32 = 20;

/// What was drawn of a run so far.
#[derive(Debug, Default)]
pub(super) struct Drawing {
    /// When the curves were drawn last, and how long that took.
    last: Option<(Instant, Duration)>,
    /// Whether it was said that they cannot be.
    is_said_to_fail: bool,
}

impl Run {
    /// Draws the curves of the epochs so far, unless that was done a moment ago.
    pub(super) fn draw_now_and_then(&mut self, watch: &mut dyn Watch) {
        let is_moment_ago = |(at, took): (Instant, Duration)| at.elapsed() < PAUSE * took;
        if self.folder.is_none() || self.drawing.last.is_some_and(is_moment_ago) {
            return;
        }
        let start = Instant::now();
        let drawn = caught(|| self.save_curves(&self.curves(&self.epochs())?));
        self.drawing.last = Some((Instant::now(), start.elapsed()));
        if let Err(error) = drawn
            && !self.drawing.is_said_to_fail
        {
            self.drawing.is_said_to_fail = true;
            watch.warning(&error.context("the curves cannot be drawn"));
        }
    }

    /// Whether there is a report.
    pub(super) fn has_report(&self) -> bool {
        let folder = self.folder.as_ref();
        folder.is_some_and(|folder| folder.path().join(REPORT).is_file())
    }

    /// Writes the report of a run that has come to `ended`, with the net of its best epoch and what it makes of the pictures that
    /// measure it.
    pub(super) fn report(
        &self,
        ended: &Ended,
        examined: Option<(Evaluation, ResNet)>,
        watch: &mut dyn Watch,
    ) {
        if let Err(error) = caught(|| self.write_report(ended, examined)) {
            watch.warning(&error.context("the report cannot be written"));
        }
    }

    fn write_report(&self, ended: &Ended, examined: Option<(Evaluation, ResNet)>) -> Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let epochs = self.epochs();
        let curves = self.curves(&epochs)?;
        let measured = self.test.as_ref().or(self.validation.as_ref());
        let examined = match (examined, measured) {
            (Some((evaluation, net)), Some(measured)) => {
                let Measured { split, options, .. } = &measured.pictures;
                let labels = self.identity.labels.clone();
                let decoding = &options.decoding;
                let mut explainer = Explainer::new(net, &self.settings.preprocess, Work::many(1))?;
                let examined = Examined::new(evaluation, labels, split, decoding);
                Some(examined.explained(&mut explainer, split, decoding))
            }
            _ => None,
        };
        let name = &self.card.name;
        // As it was written: a resumed run knows the folder from the root.
        let recipe = Recipe::parse(&self.identity.recipe)?;
        let data = recipe.data.unwrap_or_default();
        let mut summary = vec![self.in_words(recipe.model.as_deref())];
        summary.extend(ended.in_words().iter().map(|words| sentence(words)));
        summary.extend(self.warning_of_few().iter().map(|words| sentence(words)));
        if self.validation.is_none() {
            summary.push("No pictures chose the best epoch: it is the last one.".to_owned());
        }
        let page = Page {
            title: format!("{name} trained on {data}"),
            summary,
            facts: self.facts(&epochs, ended, examined.as_ref()),
            learning: Some(Learning {
                epochs: &epochs,
                best: ended.best.map(|(epoch, _)| epoch),
                curves: &curves,
            }),
            examined: examined.as_ref(),
            again: Again {
                command: folder.command().and_then(|command| {
                    let (_, command) = command.split_once(": ")?;
                    Some(command.to_owned())
                }),
                config: Some(("config.toml".to_owned(), folder.config_text()?)),
                environment: environment(&self.identity.device),
            },
        };
        write_page(folder.path(), &page)?;
        self.save_curves(&curves)
    }

    /// What was trained, and how.
    fn in_words(&self, began_with: Option<&str>) -> String {
        let [_, parameters] = self.learner.counts();
        format!(
            "{}, {} parameters, which began with {}, learnt for {} from {} of {}: {}.",
            self.card.name,
            thousands(parameters),
            began_with.map_or("random numbers".to_owned(), |model| format!("`{model}`")),
            counted(self.standing.step, "step"),
            counted(self.feed.count(), "picture"),
            counted(self.identity.labels.len(), "class"),
            self.settings
        )
    }

    /// The figures of the run under their names.
    fn facts(
        &self,
        epochs: &[Epoch],
        ended: &Ended,
        examined: Option<&Examined>,
    ) -> Vec<(&'static str, String)> {
        let mut facts = vec![
            (
                "epochs",
                format!("{} of {}", self.standing.epoch, self.settings.epochs),
            ),
            ("steps", self.standing.step.to_string()),
        ];
        if let Some((epoch, _)) = ended.best {
            facts.push(("best epoch", epoch.to_string()));
        }
        if let Some(examined) = examined {
            facts.extend(examined.facts());
        }
        if self.feed.left_out() > 0 {
            facts.push((
                "training pictures that cannot be read",
                self.feed.left_out().to_string(),
            ));
        }
        let seconds = epochs.iter().fold(0.0, |sum, epoch| sum + epoch.seconds);
        facts.push(("time", duration(seconds)));
        facts
    }

    /// The curves of `epochs`.
    fn curves(&self, epochs: &[Epoch]) -> Result<Figure> {
        let points: Vec<Point> = epochs.iter().map(Point::from).collect();
        learning_curves(&points, self.best().map(|(epoch, _)| epoch))
    }

    /// Writes the curves into the run's folder.
    fn save_curves(&self, curves: &Figure) -> Result<()> {
        match &self.folder {
            Some(folder) => curves.save(&folder.plots()?, "curves"),
            None => Ok(()),
        }
    }

    /// The finished epochs, and the one that the run ended inside of.
    pub(super) fn epochs(&self) -> Vec<Epoch> {
        let mut rows = self.standing.rows.clone();
        if let (Some(_), Some(folder)) = (self.ended_inside, &self.folder) {
            rows = folder.metrics();
        }
        rows.iter()
            .filter_map(|row| Epoch::of_csv(COLUMNS, row))
            .collect()
    }
}

impl From<&Epoch> for Point {
    fn from(epoch: &Epoch) -> Self {
        Self {
            epoch: epoch.epoch,
            train: [epoch.train_loss, epoch.train_top1],
            val: [epoch.val_loss, epoch.val_top1],
            lr: epoch.lr,
        }
    }
}

/// Seconds as people say them.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Words as a sentence.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_in_two_units() {
        for (seconds, text) in [(7.25, "7.2 s"), (90.0, "1 min 30 s"), (7260.0, "2 h 1 min")] {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(sentence("it is"), "It is.");
    }
}
