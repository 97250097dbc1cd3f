//! The report of a run, and the plot of its curves.

use crate::data::DatasetSurvey;
use crate::data::panic::catch_panic;
use crate::eval::Evaluation;
use crate::eval::history::Epoch;
use crate::explain::Explainer;
use crate::infer::Workload;
use crate::model::{Preprocess, ResNet};
use crate::report::date::Date;
use crate::report::environment::environment;
use crate::report::evaluation_report::EvaluationReport;
use crate::report::page::{Again, Heading, Headline, Learning, Page, Settings, StepPoint, shared};
use crate::report::plot::Figure;
use crate::report::plot::curves::{Point, learning_curves};
use crate::report::{REPORT, write_page};
use crate::text::{pluralize, thousands};
use crate::train::checkpoint::checkpointer::Checkpointer;
use crate::train::checkpoint::progress::TrainProgress;
use crate::train::checkpoint::run_dir::RunFolder;
use crate::train::config::recipe::Recipe;
use crate::train::data::evaluators::Evaluators;
use crate::train::data::validation::EvalSet;
use crate::train::observe::observer::Observer;
use crate::train::observe::outcome::{Outcome, StopReason};
use crate::train::observe::tensorboard::read::scalars_of;
use anyhow::Result;

/// The parts of a run that its report shows.
#[derive(Clone, Copy)]
pub(in crate::train) struct ReportedRun<'a> {
    pub counts: ReportedCounts,
    pub progress: &'a TrainProgress,
    pub eval: &'a Evaluators,
    pub preprocess: &'a Preprocess,
    pub checkpoints: &'a Checkpointer,
}

/// The sizes of a run that its report shows.
#[derive(Debug, Clone, Copy)]
pub(in crate::train) struct ReportedCounts {
    /// Parameters of the network.
    pub parameters: usize,
    /// Training images without unreadable ones.
    pub images: usize,
    /// Training images that could not be read.
    pub unreadable_images: usize,
    /// Steps per epoch.
    pub steps_an_epoch: u64,
}

impl ReportedRun<'_> {
    /// Draws the curves of the epochs so far.
    ///
    /// # Errors
    /// If they cannot be drawn or saved.
    pub fn draw_curves(&self) -> Result<()> {
        self.save_curves(&self.curves(&self.progress.epochs())?)
    }

    /// Returns true if there is a report.
    pub fn has_report(&self) -> bool {
        let folder = self.checkpoints.folder();
        folder.is_some_and(|folder| folder.path().join(REPORT).is_file())
    }

    /// Writes the report of a run with this outcome, the evaluation of its best epoch and that epoch's model.
    pub fn report(
        &self,
        outcome: &Outcome,
        evaluation_report: Option<(Evaluation, ResNet)>,
        observer: &mut dyn Observer,
    ) {
        if let Err(error) = catch_panic(|| self.write_report(outcome, evaluation_report)) {
            observer.warning(&error.context("the report cannot be written"));
        }
    }

    fn write_report(
        &self,
        outcome: &Outcome,
        evaluation_report: Option<(Evaluation, ResNet)>,
    ) -> Result<()> {
        let Some(folder) = self.checkpoints.folder() else {
            return Ok(());
        };
        let epochs = self.progress.epochs();
        let curves = self.curves(&epochs)?;
        let measured = self.eval.measuring();
        let evaluation_report = match (evaluation_report, measured) {
            (Some((evaluation, model)), Some(measured)) => {
                let EvalSet { split, options, .. } = &measured.images;
                let labels = self.checkpoints.identity().labels.clone();
                let decoding = &options.decoding;
                let explainer = Explainer::new(model, self.preprocess, Workload::many(1))?;
                let evaluation_report = EvaluationReport::new(evaluation, labels, split, decoding);
                Some(evaluation_report.explained(&explainer, split, decoding))
            }
            _ => None,
        };
        let recipe = Recipe::parse(&self.checkpoints.identity().recipe)?;
        let data = recipe.data.unwrap_or_default();
        let config = folder.config_text()?;
        let survey = folder.survey();
        let mut headline = self.headline(&epochs, outcome, evaluation_report.as_ref(), &data);
        let overlaps = survey.as_ref().map(DatasetSurvey::overlaps);
        let overlaps = overlaps.iter().flatten();
        headline.warnings.extend(
            overlaps
                .filter(|overlap| overlap.splits[0] == "train")
                .map(shared),
        );
        let page = Page {
            heading: self.heading(&data, recipe.model.as_deref()),
            headline,
            learning: Some(Learning {
                epochs: &epochs,
                best: outcome.best.map(|(epoch, _)| epoch),
                steps: self.steps(),
            }),
            evaluation_report: evaluation_report.as_ref(),
            data: survey.as_ref(),
            settings: Settings::of_toml(&config),
            again: Again {
                command: folder.command().and_then(|command| {
                    let (_, command) = command.split_once(": ")?;
                    Some(command.to_owned())
                }),
                config: Some(("config.toml".to_owned(), config)),
                environment: environment(&self.checkpoints.identity().device),
            },
        };
        write_page(folder.path(), &page)?;
        self.save_curves(&curves)
    }

    /// Returns the run's name and its training on `data`, beginning with the weights of a model or with random ones.
    fn heading(&self, data: &str, began_with: Option<&str>) -> Heading {
        let start = began_with.map_or("trained from scratch".to_owned(), |model| {
            format!("fine-tuned from {model}")
        });
        Heading {
            name: self.name(),
            what: format!("{} {start} on {data}:", self.checkpoints.info().name),
            detail: format!(
                "{} parameters, {} in {}, {} ({})",
                thousands(self.counts.parameters),
                pluralize(self.counts.images, "training image"),
                pluralize(self.checkpoints.identity().labels.len(), "class"),
                pluralize(self.progress.epoch as usize, "epoch"),
                pluralize(self.progress.step as usize, "step"),
            ),
            date: Some(Date::now()),
        }
    }

    /// Returns the name of the run's folder.
    fn name(&self) -> String {
        let path = self.checkpoints.folder().map(RunFolder::path);
        // `.` has a name, too.
        let path = path.map(|path| path.canonicalize().unwrap_or_else(|_| path.to_owned()));
        let name = path.as_deref().and_then(|path| path.file_name());
        name.map_or_else(
            || self.checkpoints.info().name.clone(),
            |name| name.to_string_lossy().into_owned(),
        )
    }

    /// Returns the result of the run on the images of `data` that measured it.
    fn headline(
        &self,
        epochs: &[Epoch],
        outcome: &Outcome,
        evaluation_report: Option<&EvaluationReport>,
        data: &str,
    ) -> Headline {
        let measuring = self.eval.measuring();
        // Without an evaluation, the best epoch's own figure.
        let of_epoch = || {
            let images = self.eval.validation.as_ref()?.images();
            let top1 = outcome.best?.1?;
            let right = (top1 / 100.0 * images as f64).round() as usize;
            Some((
                [right, images],
                self.eval.validation.as_ref()?.split.as_str(),
            ))
        };
        let measured = evaluation_report
            .zip(measuring)
            .map(|(evaluation_report, measuring)| {
                (evaluation_report.measured(), measuring.split.as_str())
            })
            .or_else(of_epoch);
        let kind = |split: &str| match split {
            "val" => "validation image",
            "train" => "held-out image",
            _ => "test image",
        };
        let on = measured.map_or_else(
            || data.to_owned(),
            |([_, all], split)| format!("{} of {data}", pluralize(all, kind(split))),
        );
        let mut figures = Vec::new();
        if let Some((epoch, _)) = outcome.best {
            let all = self.progress.epoch.max(epoch);
            figures.push(("Best epoch", format!("{epoch} of {all}")));
        }
        figures.extend(
            evaluation_report
                .iter()
                .flat_map(|evaluation_report| evaluation_report.figures_beside()),
        );
        let seconds = epochs.iter().fold(0.0, |sum, epoch| sum + epoch.seconds);
        figures.push(("Training time", duration(seconds)));
        let mut warnings = Vec::new();
        if self.eval.test.is_none() && measured.is_some() {
            warnings.push("the same images selected the best epoch".to_owned());
        }
        let mut notes = Vec::new();
        match outcome.reason {
            StopReason::NoBetter(epochs) => notes.push(format!(
                "Stopped early: {} without a better one.",
                pluralize(epochs as usize, "epoch")
            )),
            StopReason::Stopped { step } => {
                notes.push(format!("Stopped after step {}.", thousands(step as usize)));
            }
            StopReason::Done => {}
        }
        if self.eval.validation.is_none() {
            notes.push("No validation set: the best epoch is the last one.".to_owned());
        }
        if self.counts.unreadable_images > 0 {
            notes.push(format!(
                "{} could not be read.",
                pluralize(self.counts.unreadable_images, "training image")
            ));
        }
        Headline {
            measured: measured.map(|(measured, _)| measured),
            on,
            figures,
            warnings,
            notes,
        }
    }

    /// Returns loss and learning rate of each step, from the event files in the run's folder.
    fn steps(&self) -> Vec<StepPoint> {
        let Some(folder) = self.checkpoints.folder() else {
            return Vec::new();
        };
        let steps = scalars_of(folder.path()).into_iter();
        let steps = steps.filter(|one| one.step <= self.progress.step);
        steps
            .map(|one| StepPoint {
                step: one.step,
                epoch: one.step as f64 / self.counts.steps_an_epoch.max(1) as f64,
                loss: one.loss,
                lr: one.lr,
            })
            .collect()
    }

    /// Draws the curves of `epochs`.
    fn curves(&self, epochs: &[Epoch]) -> Result<Figure> {
        let points: Vec<Point> = epochs.iter().map(Point::from).collect();
        let recipe = Recipe::parse(&self.checkpoints.identity().recipe)?;
        let data = recipe.data.unwrap_or_default();
        let subtitle = format!(
            "{}: {} on {data}",
            self.name(),
            self.checkpoints.info().name
        );
        learning_curves(
            &points,
            self.progress.best_top1().map(|(epoch, _)| epoch),
            &subtitle,
        )
    }

    /// Saves the curves in the run's folder.
    fn save_curves(&self, curves: &Figure) -> Result<()> {
        match self.checkpoints.folder() {
            Some(folder) => curves.save(&folder.plots()?, "curves"),
            None => Ok(()),
        }
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

/// Formats seconds in two units.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests;
