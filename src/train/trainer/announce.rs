//! The start of a run: its description, the notes that go with it, and the head of `config.toml`.

use crate::error::{Message, setting};
use crate::message;
use crate::model::{Frozen, StemKind};
use crate::text::{pluralize, thousands};
use crate::train::config::values::BestBy;
use crate::train::data::batching::steps;
use crate::train::learner::init::DEFAULT_MODEL;
use crate::train::learner::lr_schedule::Scheduler;
use crate::train::observe::observer::{Observer, RunStarted};
use crate::train::trainer::Trainer;
use crate::weights::provenance::Exposure;
use anyhow::Result;

/// Validation images below which the top-1 of many epochs is equal.
const FEW_TO_CHOOSE: usize = 50;
/// Training images per class below which a pretrained start is better for small images, too.
const FEW_PER_CLASS: usize = 100;
/// Says why a setting that concerns the best epoch has no effect.
const NOT_VALIDATED: &str = " has no effect: there is no validation set";

/// Facts about a run that its start announces beside its parts.
#[derive(Debug, Clone, Copy)]
pub(in crate::train) struct Facts {
    /// Approximate memory of a step on a CPU in bytes.
    pub step_bytes: Option<u64>,
    /// True if the images are photographs in a folder.
    pub is_photographs: bool,
}

impl Trainer {
    /// Notes that the model that the run starts from has already seen images that measure the run; `name` tells the dataset from others.
    pub(in crate::train) fn note_seen(&self, name: &str, observer: &mut dyn Observer) {
        let Some(before) = &self.checkpoints.identity().pretrained_on else {
            return;
        };
        for measured in self.eval.validation.iter().chain(&self.eval.test) {
            if before.exposure(name, &measured.split) != Exposure::Never {
                observer.note(&message![format!(
                    "results on {} are optimistic: the pretrained model was trained on these images or selected by them",
                    measured.text
                )]);
            }
        }
    }

    /// Lets a trial of a few steps validate on as many images as it trains on: at most `most`.
    pub(in crate::train) fn shorten_validation(
        &mut self,
        most: usize,
        observer: &mut dyn Observer,
    ) {
        let Some(validation) = &mut self.eval.validation else {
            return;
        };
        if validation.shorten(most) {
            observer.note(&message![
                "a dry run with ",
                setting("max-steps"),
                " validates on as many images as it trains on: ",
                validation.text.as_str(),
            ]);
        }
    }

    /// Returns the text of `config.toml`, with `about` as its first comment.
    pub(in crate::train) fn config_toml(&self, about: &str) -> Result<String> {
        let validation = match &self.eval.validation {
            Some(validation) => format!(
                "best/ is selected by {} on {}",
                self.config.settings.best_by.caption(),
                validation.text
            ),
            None => "best/ is the last epoch: there is no validation set".to_owned(),
        };
        self.config
            .recipe
            .to_toml(&format!("{about}\n{validation}"))
    }

    /// Tells `observer` that the run starts or resumes.
    pub(in crate::train) fn announce(&self, facts: Facts, observer: &mut dyn Observer) {
        observer.started(&RunStarted {
            description: self.description(),
            recipe: self.config.recipe.clone(),
            epochs: self.config.settings.epochs,
            steps_an_epoch: steps(&self.config.settings, self.train.batches_an_epoch()),
            step_bytes: facts.step_bytes,
            done: [self.progress.epoch, self.progress.step],
            best: self.progress.best_top1(),
            history: self.progress.epochs(),
            folder: self
                .checkpoints
                .folder()
                .map(|folder| folder.path().to_owned()),
        });
        for remark in self.remarks(facts.is_photographs) {
            observer.note(&remark);
        }
    }

    /// Returns the run in labels and values, each fact once.
    fn description(&self) -> Vec<(&'static str, String)> {
        let settings = &self.config.settings;
        let [trained, all] = self.learner.counts();
        let part = if trained == all {
            String::new()
        } else {
            format!("{} of ", thousands(trained))
        };
        let mut rows = vec![(
            "training",
            format!(
                "{} ({part}{} parameters) on {} in {}",
                self.checkpoints.info().name,
                thousands(all),
                pluralize(self.train.readable_images(), "image"),
                pluralize(self.checkpoints.identity().labels.len(), "class")
            ),
        )];
        if self.progress.step > 0 {
            rows.push(("resuming", self.resumed_at()));
        }
        rows.extend([
            ("model", self.model_in_words()),
            ("data", self.data_in_words()),
            ("validation", self.validation_in_words()),
            ("augmentation", settings.describe_augmentation()),
            ("optimizer", settings.describe_optimizer()),
            ("schedule", self.describe_schedule()),
            (
                "output",
                match self.checkpoints.folder() {
                    Some(folder) => folder.path().display().to_string(),
                    None => "none (dry run)".to_owned(),
                },
            ),
        ]);
        rows
    }

    fn resumed_at(&self) -> String {
        let (epoch, step) = (self.progress.epoch + 1, self.progress.step);
        if self.progress.is_last_step(&self.config.settings) {
            // Only the validation after it is left.
            return format!("after step {step} (epoch {epoch})");
        }
        format!("at step {} (epoch {epoch})", step + 1)
    }

    fn model_in_words(&self) -> String {
        let stem = match self.checkpoints.info().config.stem {
            StemKind::Imagenet => "ImageNet",
            StemKind::Deep | StemKind::DeepTiered => "deep",
            StemKind::Cifar => "CIFAR",
        };
        let start = match &self.config.recipe.model {
            Some(model) => format!("pretrained `{model}`"),
            None => "from scratch".to_owned(),
        };
        let frozen = match self.config.settings.frozen {
            Frozen::Nothing => String::new(),
            part => format!(", {part} frozen"),
        };
        format!("{start}, {stem} stem{frozen}")
    }

    fn data_in_words(&self) -> String {
        let [height, width] = self.config.settings.preprocess.size;
        let data = self.config.recipe.data.as_deref().unwrap_or_default();
        format!("{data} at {height}x{width} px")
    }

    fn validation_in_words(&self) -> String {
        match (&self.eval.validation, self.config.settings.best_by) {
            (None, _) => "none: best/ is the last epoch".to_owned(),
            (Some(validation), BestBy::Top1) => validation.text.clone(),
            (Some(validation), by) => {
                format!("{}; best epoch by {}", validation.text, by.caption())
            }
        }
    }

    fn describe_schedule(&self) -> String {
        let steps = steps(&self.config.settings, self.train.batches_an_epoch());
        let (shards, processes) = (self.train.shards().count(), self.processes.size());
        let parts = match (shards, processes) {
            (1, _) => String::new(),
            (_, 1) => format!(" in {shards} shards"),
            _ => format!(" in {shards} shards on {processes} processes"),
        };
        format!(
            "{} of {}, batch size {}{parts}, {}",
            pluralize(self.config.settings.epochs, "epoch"),
            pluralize(steps, "step"),
            self.config.settings.batch_size,
            self.config.settings.describe_schedule()
        )
    }

    /// Remarks on settings that have no effect, and on few images.
    fn remarks(&self, is_photographs: bool) -> Vec<Message> {
        let settings = &self.config.settings;
        let mut remarks: Vec<Message> = Vec::new();
        let left_over = self.train.left_over();
        if left_over > 0 && !settings.drop_last {
            remarks.push(message![format!(
                "each epoch drops its last batch, of {left_over}: batch norm cannot be trained on a single pixel"
            )]);
        }
        let is_unvalidated = self.eval.validation.is_none();
        if settings.patience.is_some() && is_unvalidated {
            remarks.push(message![setting("patience"), NOT_VALIDATED]);
        }
        if settings.best_by != BestBy::Top1 && is_unvalidated {
            remarks.push(message![setting("best-by"), NOT_VALIDATED]);
        }
        // A run of one epoch has no room for a milestone, whoever set it.
        let falls = |&at: &u64| settings.epochs == 1 || at < settings.epochs;
        if settings.scheduler == Scheduler::Step && !settings.milestones.iter().any(falls) {
            remarks.push(message![
                "the run ends before the first of ",
                setting("milestones"),
                ": the learning rate stays constant",
            ]);
        }
        let is_new = self.config.recipe.model.is_none() && self.progress.step == 0;
        if is_new && settings.frozen != Frozen::Nothing {
            remarks.push(message![
                setting("freeze"),
                " keeps random weights, as the network is new: start from a model with `",
                setting("model").to("MODEL"),
                "`",
            ]);
        }
        let optimizer = settings.optimizer.kind;
        if self.config.recipe.model.is_some()
            && self.progress.step == 0
            && optimizer.adapts_layers()
        {
            remarks.push(message![
                format!(
                    "{} updates weights in proportion to their size: a new last layer, which starts at 0, hardly moves (pass `",
                    optimizer.caption()
                ),
                setting("optimizer").to("sgd"),
                "` or adamw for fine-tuning)",
            ]);
        }
        remarks.extend(self.warning_of_few().map(Message::from));
        let (images, classes) = (self.train.count(), self.checkpoints.identity().labels.len());
        let is_few = images < FEW_PER_CLASS * classes;
        if is_new && self.train.is_of_files() && (is_few || is_photographs) {
            remarks.push(message![
                "training from scratch on ",
                pluralize(images / classes.max(1), "image"),
                " per class: a pretrained start (`",
                setting("model").to(DEFAULT_MODEL),
                "`) usually does better",
            ]);
        }
        remarks
    }

    /// Returns a remark if the validation set is small.
    pub(in crate::train) fn warning_of_few(&self) -> Option<String> {
        let images = self.eval.validation.as_ref()?.images();
        let is_few =
            self.train.is_of_files() && self.config.settings.epochs > 1 && images < FEW_TO_CHOOSE;
        is_few.then(|| {
            format!(
                "{} are too few to tell epochs apart reliably: `last/` may be as good as `best/`",
                pluralize(images, "validation image")
            )
        })
    }
}
