//! Resuming a run: its state, and the data as it was when the run started.

use crate::data::dataset::DatasetName;
use crate::error::{
    Error, Message, WithKind, command, error_with_hint, message_of, setting, usage_error,
};
use crate::message;
use crate::text::pluralize;
use crate::train::checkpoint::checkpointer::BEST;
use crate::train::checkpoint::layout::SavedModel;
use crate::train::checkpoint::progress::TrainProgress;
use crate::train::checkpoint::state::{RunIdentity, RunState, under};
use crate::train::config::recipe::Recipe;
use crate::train::config::settings::Settings;
use crate::train::config::train_config::TrainConfig;
use crate::train::context::{ExecutionContext, device_name};
use crate::train::data::batching::schedule;
use crate::train::data::check::unreadable_images;
use crate::train::data::dataset::Data;
use crate::train::observe::observer::Observer;
use crate::train::observe::outcome::StopReason;
use crate::train::trainer::Trainer;
use crate::train::trainer::announce::Facts;
use crate::train::trainer::build::{Parts, instructions};
use crate::train::trainer::{same, together};
use anyhow::{Context, Result};
use candle_core::Tensor;
use std::collections::HashMap;
use std::path::Path;

/// A new length for a resumed run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Length {
    /// Epochs of the whole run.
    pub epochs: Option<u64>,
    /// Steps of the whole run.
    pub max_steps: Option<u64>,
}

impl Length {
    /// Sets the length in a recipe: more steps imply the epochs that they need, and epochs alone remove a limit of steps.
    fn apply(self, recipe: &mut Recipe, steps_an_epoch: u64) {
        if let Some(epochs) = self.epochs {
            recipe.epochs = Some(epochs);
            recipe.max_steps = None;
        }
        if let Some(steps) = self.max_steps {
            recipe.max_steps = Some(steps);
            if self.epochs.is_none() {
                let needed = steps.div_ceil(steps_an_epoch.max(1));
                recipe.epochs = recipe.epochs.max(Some(needed));
            }
        }
    }
}

impl Trainer {
    /// Prepares the run in `folder` to be resumed, with a new length if given.
    ///
    /// # Errors
    /// If it is not a run folder, its data has changed, or fewer epochs are asked for than are done.
    pub(crate) fn start_resumed(
        folder: &Path,
        length: Length,
        context: &ExecutionContext,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let (run_folder, state) = together::read_state(folder, context)?;
        let before = state.identity.recipe.clone();
        let resumed = Self::resume_state(state, length, context, observer);
        let (mut trainer, facts, earlier_best) =
            resumed.with_context(|| format!("cannot resume `{}`", folder.display()))?;
        if let Some(run_folder) = run_folder {
            let unreadable = run_folder.survey().as_ref().map_or(0, unreadable_images);
            trainer.train.expect_unreadable(unreadable);
            trainer.checkpoints.resume(run_folder, earlier_best);
        }
        if !trainer.is_last_step() {
            trainer.progress.provisional = None;
        }
        if trainer.progress.provisional.is_none() {
            let selection = trainer.eval.selection(trainer.progress.best);
            trainer.checkpoints.restore_best(selection)?;
        }
        trainer.miss_best(observer);
        trainer.note_edits(length, observer)?;
        if length != Length::default() {
            trainer.be_patient_again(observer);
        }
        trainer.write_length(length, &before)?;
        trainer.receive_progress()?;
        match trainer.finished_already() {
            Some(note) => observer.note(&note),
            None => trainer.announce(facts, observer),
        }
        Ok(trainer)
    }

    /// Saves the `length` that was asked for, and restores `config.toml`; `before` is the recipe of the state.
    fn write_length(&self, length: Length, before: &str) -> Result<()> {
        let Some(folder) = self.checkpoints.folder() else {
            return Ok(());
        };
        let about = folder.command().unwrap_or_default();
        let is_news = self.checkpoints.identity().recipe != before || self.stop_reason().is_none();
        if length != Length::default() && is_news {
            // The length holds from now on, whatever happens before the next save.
            self.save()?;
            let about = format!("{about}\nresumed with another length");
            folder.write_config(&self.config_toml(&about)?)
        } else if !folder.has_config() {
            folder.write_config(&self.config_toml("resumed")?)
        } else {
            Ok(())
        }
    }

    /// Notes edited lines of `config.toml`: the recipe in the state applies, with the `length` that was asked for.
    fn note_edits(&self, length: Length, observer: &mut dyn Observer) -> Result<()> {
        let Some(folder) = self
            .checkpoints
            .folder()
            .filter(|folder| folder.has_config())
        else {
            return Ok(());
        };
        let written = match folder.config() {
            Ok(written) => written,
            Err(error) => {
                observer.note(&message![
                    message_of(&error),
                    "; the run resumes with the settings in its state",
                ]);
                return Ok(());
            }
        };
        for [key, kept, written] in self.config.recipe.differences(&written)? {
            let of_length = ["epochs", "max-steps"]
                .into_iter()
                .find(|name| *name == key);
            let way_out = match of_length {
                Some(_) if length != Length::default() => continue,
                Some(name) if written != "unset" => message!["pass ", setting(name).to(&written)],
                _ => message!["to change it, start a new run with ", setting("recipe")],
            };
            observer.note(&message![
                format!("config.toml has {key} = {written}, but a resumed run keeps {kept}: "),
                way_out,
            ]);
        }
        Ok(())
    }

    /// Lets a run that stopped early continue: its patience counts from here.
    fn be_patient_again(&mut self, observer: &mut dyn Observer) {
        if let Some(StopReason::NoBetter(patience)) = self.stop_reason() {
            let epoch = self.progress.epoch;
            self.progress.patient_since = epoch;
            observer.note(&message![
                "the run had stopped early; it continues, and ",
                setting("patience").to(patience),
                format!(" counts from epoch {epoch}"),
            ]);
        }
    }

    /// Returns the note on a run that is finished, with the command that extends it.
    fn finished_already(&self) -> Option<Message> {
        let TrainProgress { epoch, step, .. } = self.progress;
        let folder = self.checkpoints.folder()?.path().display().to_string();
        let done = match self.stop_reason()? {
            StopReason::NoBetter(patience) => {
                let patience = pluralize(patience, "epoch");
                format!("the run stopped early after epoch {epoch}: no improvement in {patience}")
            }
            StopReason::Done | StopReason::Stopped { .. }
                if self.progress.is_last_step(&self.config.settings) =>
            {
                format!("the run is finished after {}", pluralize(step, "step"))
            }
            StopReason::Done | StopReason::Stopped { .. } => {
                format!("the run is finished after {}", pluralize(epoch, "epoch"))
            }
        };
        let more = match self.config.settings.epochs {
            epochs if epochs > epoch => epochs,
            _ => 2 * epoch,
        };
        let extend = command("train").with(setting("resume").to(folder));
        Some(message![
            done,
            "; `",
            extend.with(setting("epochs").to(more)),
            "` extends it",
        ])
    }

    /// Lets a later epoch be the best if `best/` was removed and cannot be restored.
    fn miss_best(&mut self, observer: &mut dyn Observer) {
        if self.progress.is_validated() && self.progress.is_best() {
            // The state has its weights.
            return;
        }
        let folder = self.checkpoints.folder();
        let is_there = folder.map(|folder| folder.has_model(SavedModel::Best));
        if let (Some(best), Some(false)) = (self.progress.best, is_there) {
            observer.note(&message![format!(
                "best/, the model of epoch {}, is missing: the best epoch from here on replaces it",
                best.epoch
            )]);
            self.progress.best = None;
            self.progress.provisional = None;
        }
    }

    /// Builds the trainer of a `state`; returns also the best weights of the finished epochs, if the run ended inside a later one.
    fn resume_state(
        state: RunState,
        length: Length,
        context: &ExecutionContext,
        observer: &mut dyn Observer,
    ) -> Result<(Self, Facts, HashMap<String, Tensor>)> {
        let RunState {
            mut identity,
            mut progress,
            tensors,
        } = state;
        progress.complete_best();
        let here = device_name(&context.device);
        if identity.device != here {
            return Err(usage_error(
                format!(
                    "the run was started on {}, and this is {here}",
                    identity.device
                ),
                message!["pass ", setting("device").to(&identity.device)],
            ));
        }
        let mut recipe = Recipe::parse(&identity.recipe)?;
        let written = recipe.data.clone().context("the state has no dataset")?;
        // The path at the start of the run; if it is gone, the data as the user wrote it.
        let (name, from) = match DatasetName::parse(&identity.data) {
            Ok(name) => (name, identity.data.clone()),
            Err(_) => match DatasetName::parse(&written) {
                Ok(name) => (name, written.clone()),
                Err(_) => return Err(moved(&identity.data)),
            },
        };
        let before = Settings::new(&recipe)?;
        let data = Data::open(
            &name,
            &from,
            &recipe,
            Some(&before.preprocess),
            context.progress,
            &context.processes,
        )?;
        let fingerprints = data.fingerprints().clone();
        if fingerprints.images != identity.images {
            return Err(error_with_hint(
                format!(
                    "the images of dataset `{written}` are not those that the run was started with"
                ),
                message![
                    "restore the images, or start a new run from this one's weights with ",
                    setting("model"),
                ],
            )
            .with_kind(Error::Dataset));
        }
        let (sizes, contents) = (fingerprints.sizes, Some(fingerprints.contents));
        let is_other = identity.contents.is_some() && identity.contents != contents;
        if sizes != identity.sizes || is_other {
            observer.note(&message![format!(
                "images of `{written}` have changed since the run was saved: the results will differ from those of an uninterrupted run"
            )]);
        }
        (identity.sizes, identity.contents) = (sizes, contents);
        let steps_an_epoch = data.steps_an_epoch(&recipe, &identity.config, before.preprocess.size);
        length.apply(&mut recipe, steps_an_epoch);
        let settings = Settings::new(&recipe)?;
        note_instructions(
            &mut identity,
            instructions(settings.dtype, &context.device),
            observer,
        );
        refuse_past_end(&settings, &progress)?;
        if settings.epochs != before.epochs {
            let lr = |settings| schedule(settings, steps_an_epoch).lr(progress.step);
            observer.note(&message![format!(
                "the run now has {}, not {}: the learning rate follows the new schedule, {:.3e} in the next step instead of {:.3e}",
                pluralize(settings.epochs, "epoch"),
                before.epochs,
                lr(&settings),
                lr(&before)
            )]);
        }
        identity.recipe = recipe.to_toml("")?;
        together::ensure_shared(&settings, &context.processes)?;
        let instructions = identity.instructions.as_deref();
        same::ensure_same(&identity.recipe, instructions, &data, context)?;
        together::connect_devices(context, observer)?;
        let step = progress.step;
        let parts = Parts {
            config: TrainConfig { recipe, settings },
            identity,
            progress,
        };
        let (mut trainer, facts) = parts.assemble(data, &HashMap::new(), context)?;
        trainer.learner.restore(&tensors, step)?;
        Ok((trainer, facts, under(BEST, &tensors)))
    }
}

/// Rejects an end before the point that the run has reached.
fn refuse_past_end(settings: &Settings, progress: &TrainProgress) -> Result<()> {
    let begun = progress.epoch + u64::from(progress.batch > 0);
    if settings.epochs < begun {
        return Err(usage_error(
            format!(
                "cannot end at epoch {}: epoch {begun} has started",
                settings.epochs
            ),
            message!["pass more ", setting("epochs"), ", or none"],
        ));
    }
    if let Some(steps) = settings.max_steps.filter(|&steps| steps < progress.step) {
        return Err(usage_error(
            format!("cannot end at step {steps}: {} are done", progress.step),
            message!["pass more ", setting("max-steps"), ", or none"],
        ));
    }
    Ok(())
}

/// Notes that the run was computed with another instruction set than the current one.
fn note_instructions(
    identity: &mut RunIdentity,
    here: Option<String>,
    observer: &mut dyn Observer,
) {
    if let (Some(before), Some(here)) = (&identity.instructions, &here)
        && before != here
    {
        observer.note(&message![format!(
            "the run was saved with {before} instructions and resumes with {here}: the results will differ in their last bits from those of an uninterrupted run"
        )]);
    }
    identity.instructions = here;
}

/// Returns the error for a run whose images were moved.
fn moved(place: &str) -> anyhow::Error {
    error_with_hint(
        format!("the run's data `{place}` is missing"),
        "move the images back, or put a link to them there, and resume again",
    )
    .with_kind(Error::Dataset)
}
