//! The start of a run: its description, the notes that go with it, and the head of `config.toml`.

use crate::model::{Frozen, StemKind};
use crate::text::{pluralize, thousands};
use crate::train::config::values::BestBy;
use crate::train::data::batching::steps;
use crate::train::learner::init::DEFAULT_MODEL;
use crate::train::learner::lr_schedule::Scheduler;
use crate::train::observe::observer::{Beginning, Watch};
use crate::train::trainer::Run;
use crate::weights::provenance::Exposure;
use anyhow::Result;

/// Validation images below which the top-1 of many epochs is equal.
const FEW_TO_CHOOSE: usize = 50;
/// Training images per class below which a pretrained start is better for small images, too.
const FEW_PER_CLASS: usize = 100;

impl Run {
    /// Notes that the model that the run starts from has already seen images that measure the run; `name` is the dataset's.
    pub(in crate::train) fn note_seen(&self, name: &str, watch: &mut dyn Watch) {
        let Some(before) = &self.identity.begun_with else {
            return;
        };
        for measured in self.validation.iter().chain(&self.test) {
            if before.exposure(name, &measured.split) != Exposure::Never {
                watch.note(&format!(
                    "results on {} are optimistic: the pretrained model was trained on these images or selected by them",
                    measured.text
                ));
            }
        }
    }

    /// Lets a trial of a few steps validate on as many images as it trains on.
    pub(in crate::train) fn shorten_validation(&mut self, watch: &mut dyn Watch) {
        let (Some(most), Some(validation)) = (self.looked_at, &mut self.validation) else {
            return;
        };
        if validation.shorten(most) {
            watch.note(&format!(
                "a dry run with --max-steps validates on as many images as it trains on: {}",
                validation.text
            ));
        }
    }

    /// Returns the text of `config.toml`, with `about` as its first comment.
    pub(in crate::train) fn config_toml(&self, about: &str) -> Result<String> {
        let validation = match &self.validation {
            Some(validation) => format!(
                "best/ is selected by {} on {}",
                self.settings.best_by.caption(),
                validation.text
            ),
            None => "best/ is the last epoch: there is no validation set".to_owned(),
        };
        self.recipe.to_toml(&format!("{about}\n{validation}"))
    }

    /// Tells `watch` that the run starts or resumes.
    pub(in crate::train) fn announce(&self, watch: &mut dyn Watch) {
        watch.begin(&Beginning {
            description: self.description(),
            answers: self.recipe.clone(),
            epochs: self.settings.epochs,
            steps_an_epoch: steps(&self.settings, self.feed.batches_an_epoch()),
            step_bytes: self.step_bytes,
            done: [self.standing.epoch, self.standing.step],
            best: self.best(),
            history: self.epochs(),
            folder: self.folder.as_ref().map(|folder| folder.path().to_owned()),
        });
        for remark in self.remarks() {
            watch.note(&remark);
        }
    }

    /// The run in labels and values, each fact once.
    fn description(&self) -> Vec<(&'static str, String)> {
        let settings = &self.settings;
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
                self.card.name,
                thousands(all),
                pluralize(self.images(), "image"),
                pluralize(self.identity.labels.len(), "class")
            ),
        )];
        if self.standing.step > 0 {
            rows.push(("resuming", self.resumed_at()));
        }
        rows.extend([
            ("model", self.model_in_words()),
            ("data", self.data_in_words()),
            ("validation", self.validation_in_words()),
            ("augmentation", settings.augmentation_in_words()),
            ("optimizer", settings.optimizer_in_words()),
            ("schedule", self.schedule_in_words()),
            (
                "output",
                match &self.folder {
                    Some(folder) => folder.path().display().to_string(),
                    None => "none (dry run)".to_owned(),
                },
            ),
        ]);
        rows
    }

    /// Training images, but for those that are known to be unreadable.
    pub(in crate::train) fn images(&self) -> usize {
        // Features are of readable images alone.
        let unreadable = if self.feed.is_of_files() {
            self.unreadable.max(self.feed.left_out())
        } else {
            0
        };
        self.feed.count() - unreadable
    }

    fn resumed_at(&self) -> String {
        let (epoch, step) = (self.standing.epoch + 1, self.standing.step);
        if self.is_last_step() {
            // Only the validation after it is left.
            return format!("after step {step} (epoch {epoch})");
        }
        format!("at step {} (epoch {epoch})", step + 1)
    }

    fn model_in_words(&self) -> String {
        let stem = match self.card.config.stem {
            StemKind::Imagenet => "ImageNet",
            StemKind::Cifar => "CIFAR",
        };
        let start = match &self.recipe.model {
            Some(model) => format!("pretrained `{model}`"),
            None => "from scratch".to_owned(),
        };
        let frozen = match self.settings.frozen {
            Frozen::Nothing => String::new(),
            part => format!(", {part} frozen"),
        };
        format!("{start}, {stem} stem{frozen}")
    }

    fn data_in_words(&self) -> String {
        let [height, width] = self.settings.preprocess.size;
        let data = self.recipe.data.as_deref().unwrap_or_default();
        format!("{data} at {height}x{width} px")
    }

    fn validation_in_words(&self) -> String {
        match (&self.validation, self.settings.best_by) {
            (None, _) => "none: best/ is the last epoch".to_owned(),
            (Some(validation), BestBy::Top1) => validation.text.clone(),
            (Some(validation), by) => {
                format!("{}; best epoch by {}", validation.text, by.caption())
            }
        }
    }

    fn schedule_in_words(&self) -> String {
        let steps = steps(&self.settings, self.feed.batches_an_epoch());
        format!(
            "{} of {}, batch size {}, {}",
            pluralize(self.settings.epochs, "epoch"),
            pluralize(steps, "step"),
            self.settings.batch_size,
            self.settings.schedule_in_words()
        )
    }

    /// Remarks on settings that have no effect, and on few images.
    fn remarks(&self) -> Vec<String> {
        let settings = &self.settings;
        let mut remarks = Vec::new();
        let left_over = self.feed.left_over();
        if left_over > 0 && !settings.drop_last {
            remarks.push(format!(
                "each epoch drops its last batch, of {left_over}: batch norm cannot be trained on a single pixel"
            ));
        }
        let is_unvalidated = self.validation.is_none();
        if settings.patience.is_some() && is_unvalidated {
            remarks.push("--patience has no effect: there is no validation set".to_owned());
        }
        if settings.best_by != BestBy::Top1 && is_unvalidated {
            remarks.push("--best-by has no effect: there is no validation set".to_owned());
        }
        // A run of one epoch has no room for a milestone, whoever set it.
        let falls = |&at: &u64| settings.epochs == 1 || at < settings.epochs;
        if settings.scheduler == Scheduler::Step && !settings.milestones.iter().any(falls) {
            remarks.push(
                "the run ends before the first of --milestones: the learning rate stays constant"
                    .to_owned(),
            );
        }
        let is_new = self.recipe.model.is_none() && self.standing.step == 0;
        if is_new && settings.frozen != Frozen::Nothing {
            remarks.push(
                "--freeze keeps random weights, as the network is new: start from a model with `-m MODEL`"
                    .to_owned(),
            );
        }
        remarks.extend(self.warning_of_few());
        let (images, classes) = (self.feed.count(), self.identity.labels.len());
        let is_few = images < FEW_PER_CLASS * classes;
        if is_new && self.feed.is_of_files() && (is_few || self.is_photographs) {
            remarks.push(format!(
                "training from scratch on {} per class: a pretrained start (`-m {DEFAULT_MODEL}`) usually does better",
                pluralize(images / classes.max(1), "image")
            ));
        }
        remarks
    }

    /// A remark if the validation set is small.
    pub(in crate::train) fn warning_of_few(&self) -> Option<String> {
        let images = self.validation.as_ref()?.images();
        let is_few = self.feed.is_of_files() && self.settings.epochs > 1 && images < FEW_TO_CHOOSE;
        is_few.then(|| {
            format!(
                "{} are too few to tell epochs apart reliably: `last/` may be as good as `best/`",
                pluralize(images, "validation image")
            )
        })
    }
}
