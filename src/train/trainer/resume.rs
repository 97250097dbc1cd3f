//! Resuming a run: its state, and the data as it was when the run started.

use crate::data::dataset::DataName;
use crate::error::{error_with_hint, one_line, usage_error};
use crate::text::{pluralize, shell_word};
use crate::train::checkpoint::run_dir::{RunFolder, Which};
use crate::train::checkpoint::state::{Identity, Standing, State, under};
use crate::train::config::recipe::Recipe;
use crate::train::config::settings::Settings;
use crate::train::context::{Site, place};
use crate::train::data::batching::schedule;
use crate::train::data::check::unreadable_images;
use crate::train::data::dataset::Data;
use crate::train::observe::observer::Watch;
use crate::train::observe::outcome::Why;
use crate::train::trainer::Run;
use crate::train::trainer::build::{Parts, instructions};
use crate::train::trainer::finish::BEST;
use anyhow::{Context, Result};
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

impl Run {
    /// Prepares the run in `folder` to be resumed, with a new length if given.
    ///
    /// # Errors
    /// If it is not a run folder, its data has changed, or fewer epochs are asked for than are done.
    pub fn resume(
        folder: &Path,
        length: Length,
        site: &Site,
        watch: &mut dyn Watch,
    ) -> Result<Self> {
        let (run_folder, state) = RunFolder::resume(folder, &site.device)?;
        let before = state.identity.recipe.clone();
        let resumed = Self::resume_state(state, length, site, watch);
        let mut run = resumed.with_context(|| format!("cannot resume `{}`", folder.display()))?;
        run.unreadable = run_folder.survey().as_ref().map_or(0, unreadable_images);
        run.folder = Some(run_folder);
        run.ended_inside = run.end_inside_on_disk();
        run.standing.ended_inside = None;
        if run.ended_inside.is_none() {
            run.restore_best()?;
        }
        run.miss_best(watch);
        run.note_edits(length, watch)?;
        if length != Length::default() {
            run.be_patient_again(watch);
        }
        if let Some(folder) = &run.folder {
            let about = folder.command().unwrap_or_default();
            let changes = run.identity.recipe != before || run.end().is_none();
            if length != Length::default() && changes {
                // The length holds from now on, whatever happens before the next save.
                run.save()?;
                folder.write_config(
                    &run.config_toml(&format!("{about}\nresumed with another length"))?,
                )?;
            } else if !folder.has_config() {
                folder.write_config(&run.config_toml("resumed")?)?;
            }
        }
        match run.finished_already() {
            Some(text) => watch.note(&text),
            None => run.announce(watch),
        }
        Ok(run)
    }

    /// Notes edited lines of `config.toml`: the recipe in the state applies, with the `length` that was asked for.
    fn note_edits(&self, length: Length, watch: &mut dyn Watch) -> Result<()> {
        let Some(folder) = self.folder.as_ref().filter(|folder| folder.has_config()) else {
            return Ok(());
        };
        let written = match folder.config() {
            Ok(written) => written,
            Err(error) => {
                let error = one_line(&error);
                watch.note(&format!(
                    "{error}; the run resumes with the settings in its state"
                ));
                return Ok(());
            }
        };
        for [key, kept, written] in self.recipe.differences(&written)? {
            let way_out = match key.as_str() {
                "epochs" | "max-steps" if length != Length::default() => continue,
                "epochs" | "max-steps" if written != "unset" => format!("pass --{key} {written}"),
                _ => "to change it, start a new run with `--recipe`".to_owned(),
            };
            watch.note(&format!(
                "config.toml has {key} = {written}, but a resumed run keeps {kept}: {way_out}"
            ));
        }
        Ok(())
    }

    /// Lets a run that stopped early continue: its patience counts from here.
    fn be_patient_again(&mut self, watch: &mut dyn Watch) {
        if let Some(Why::NoBetter(patience)) = self.end() {
            let epoch = self.standing.epoch;
            self.standing.patient_since = epoch;
            watch.note(&format!(
                "the run had stopped early; it continues, and --patience {patience} counts from epoch {epoch}"
            ));
        }
    }

    /// Returns the note on a run that is finished, with the command that extends it.
    fn finished_already(&self) -> Option<String> {
        let Standing { epoch, step, .. } = self.standing;
        let folder = self.folder.as_ref()?.path().display().to_string();
        let done = match self.end()? {
            Why::NoBetter(patience) => {
                let patience = pluralize(patience, "epoch");
                format!("the run stopped early after epoch {epoch}: no improvement in {patience}")
            }
            Why::Done | Why::Stopped { .. } if self.is_last_step() => {
                format!("the run is finished after {}", pluralize(step, "step"))
            }
            Why::Done | Why::Stopped { .. } => {
                format!("the run is finished after {}", pluralize(epoch, "epoch"))
            }
        };
        let more = match self.settings.epochs {
            epochs if epochs > epoch => epochs,
            _ => 2 * epoch,
        };
        Some(format!(
            "{done}; `resnet train --resume {} --epochs {more}` extends it",
            shell_word(&folder)
        ))
    }

    /// Lets a later epoch be the best if `best/` was removed and cannot be restored.
    fn miss_best(&mut self, watch: &mut dyn Watch) {
        let can_be_made = |epoch| epoch == self.standing.epoch && self.standing.batch == 0;
        let best = self.standing.best.filter(|best| !can_be_made(best.epoch));
        let is_there = |folder: &RunFolder| folder.has_model(Which::Best);
        if let (Some(best), Some(false)) = (best, self.folder.as_ref().map(is_there)) {
            watch.note(&format!(
                "best/, the model of epoch {}, is missing: the best epoch from here on replaces it",
                best.epoch
            ));
            self.standing.best = None;
        }
    }

    fn resume_state(
        state: State,
        length: Length,
        site: &Site,
        watch: &mut dyn Watch,
    ) -> Result<Self> {
        let State {
            mut identity,
            mut standing,
            tensors,
        } = state;
        standing.complete_best();
        let here = place(&site.device);
        if identity.device != here {
            return Err(usage_error(
                format!(
                    "the run was started on {}, and this is {here}",
                    identity.device
                ),
                format!("pass --device {}", identity.device),
            ));
        }
        let mut recipe = Recipe::parse(&identity.recipe)?;
        let written = recipe.data.clone().context("the state has no dataset")?;
        // The path at the start of the run; if it is gone, the data as the user wrote it.
        let (name, from) = match DataName::parse(&identity.place) {
            Ok(name) => (name, identity.place.clone()),
            Err(_) => match DataName::parse(&written) {
                Ok(name) => (name, written.clone()),
                Err(_) => return Err(moved(&identity.place)),
            },
        };
        let before = Settings::new(&recipe)?;
        let data = Data::open(
            &name,
            &from,
            &recipe,
            Some(&before.preprocess),
            site.progress,
        )?;
        if data.fingerprint() != identity.pictures {
            return Err(error_with_hint(
                format!(
                    "the images of dataset `{written}` are not those that the run was started with"
                ),
                "restore the images, or start a new run from this one's weights with `-m`",
            ));
        }
        let (sizes, contents) = (data.sizes(), Some(data.contents()));
        let is_other = identity.contents.is_some() && identity.contents != contents;
        if sizes != identity.sizes || is_other {
            watch.note(&format!(
                "images of `{written}` have changed since the run was saved: the results will differ from those of an uninterrupted run"
            ));
        }
        (identity.sizes, identity.contents) = (sizes, contents);
        let steps_an_epoch = data.steps_an_epoch(&recipe, &identity.config, before.preprocess.size);
        length.apply(&mut recipe, steps_an_epoch);
        let settings = Settings::new(&recipe)?;
        note_instructions(
            &mut identity,
            instructions(settings.dtype, &site.device),
            watch,
        );
        let begun = standing.epoch + u64::from(standing.batch > 0);
        if settings.epochs < begun {
            return Err(usage_error(
                format!(
                    "cannot end at epoch {}: epoch {begun} has started",
                    settings.epochs
                ),
                "pass more --epochs, or none",
            ));
        }
        if let Some(steps) = settings.max_steps.filter(|&steps| steps < standing.step) {
            return Err(usage_error(
                format!("cannot end at step {steps}: {} are done", standing.step),
                "pass more --max-steps, or none",
            ));
        }
        if settings.epochs != before.epochs {
            let lr = |settings| schedule(settings, steps_an_epoch).lr(standing.step);
            watch.note(&format!(
                "the run now has {}, not {}: the learning rate follows the new schedule, {:.3e} in the next step instead of {:.3e}",
                pluralize(settings.epochs, "epoch"),
                before.epochs,
                lr(&settings),
                lr(&before)
            ));
        }
        identity.recipe = recipe.to_toml("")?;
        let step = standing.step;
        let parts = Parts {
            settings,
            recipe,
            identity,
            standing,
        };
        let mut run = parts.assemble(data, &HashMap::new(), site)?;
        run.learner.restore(&tensors, step)?;
        run.earlier_best = under(BEST, &tensors).into_iter().collect();
        Ok(run)
    }
}

/// Notes that the run was computed with another instruction set than the current one.
fn note_instructions(identity: &mut Identity, here: Option<String>, watch: &mut dyn Watch) {
    if let (Some(before), Some(here)) = (&identity.instructions, &here)
        && before != here
    {
        watch.note(&format!(
            "the run was saved with {before} instructions and resumes with {here}: the results will differ in their last bits from those of an uninterrupted run"
        ));
    }
    identity.instructions = here;
}

/// The error for a run whose images were moved.
fn moved(place: &str) -> anyhow::Error {
    error_with_hint(
        format!("the run's data `{place}` is missing"),
        "move the images back, or put a link to them there, and resume again",
    )
}
