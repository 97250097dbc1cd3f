//! From a run's folder to a run that goes on: its state, and the data as it was when the run began.

use super::ended::BEST;
use super::folder::{RunFolder, Which};
use super::pictures::Data;
use super::prepare::{Parts, Site, place};
use super::recipe::Recipe;
use super::rules::schedule;
use super::run::Run;
use super::settings::Settings;
use super::state::{State, under};
use super::watch::Watch;
use crate::datasets::DataName;
use crate::error::{hinted, misuse};
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::path::Path;

/// Another length for a run that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Length {
    /// Epochs in all.
    pub epochs: Option<u64>,
    /// Steps in all.
    pub max_steps: Option<u64>,
}

impl Length {
    /// Gives a run this length: more steps bring the epochs that they take, and epochs alone lift a limit of steps.
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
    /// Prepares the run in `folder` to go on, up to so many epochs or steps where they are said.
    ///
    /// # Errors
    /// A folder that is no run's, data that are no longer the same, and fewer epochs than are done.
    pub fn resume(
        folder: &Path,
        length: Length,
        site: &Site,
        watch: &mut dyn Watch,
    ) -> Result<Self> {
        let (run_folder, state) = RunFolder::resume(folder, &site.device)?;
        let resumed = Self::resume_state(state, length, site, watch);
        let mut run = resumed.with_context(|| format!("cannot resume `{}`", folder.display()))?;
        run.folder = Some(run_folder);
        run.restore_best()?;
        run.miss_best(watch);
        if let Some(folder) = &run.folder {
            let about = folder.command().unwrap_or_default();
            if length != Length::default() {
                // The length is the run's from now on, whatever happens before the next state.
                run.save()?;
                folder.write_config(
                    &run.config_toml(&format!("{about}\nresumed with another length"))?,
                )?;
            } else if !folder.has_config() {
                folder.write_config(&run.config_toml("resumed")?)?;
            }
        }
        run.announce(watch);
        Ok(run)
    }

    /// Lets a later epoch be the best where `best/` was taken away and cannot be made again.
    fn miss_best(&mut self, watch: &mut dyn Watch) {
        let can_be_made = |epoch| epoch == self.standing.epoch && self.standing.batch == 0;
        let best = self.standing.best.filter(|best| !can_be_made(best.epoch));
        let is_there = |folder: &RunFolder| folder.has_model(Which::Best);
        if let (Some(best), Some(false)) = (best, self.folder.as_ref().map(is_there)) {
            watch.note(&format!(
                "best/, the model of epoch {}, is gone: the best epoch from here on takes its place",
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
            standing,
            tensors,
        } = state;
        let here = place(&site.device);
        if identity.device != here {
            return Err(misuse(
                format!(
                    "the run was begun on {}, and this is {here}",
                    identity.device
                ),
                format!("pass --device {}", identity.device),
            ));
        }
        let mut recipe = Recipe::parse(&identity.recipe)?;
        let written = recipe.data.clone().context("the state names no data")?;
        // Where it was when the run began; where it is not any more, as it was written.
        let (name, from) = match DataName::parse(&identity.place) {
            Ok(name) => (name, identity.place.clone()),
            Err(_) => (DataName::parse(&written)?, written.clone()),
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
            return Err(hinted(
                format!("data set `{written}` has other pictures than when the run began"),
                "put the pictures back as they were, or start a new run",
            ));
        }
        let steps_an_epoch = data.steps_an_epoch(&recipe, &identity.config, before.preprocess.size);
        length.apply(&mut recipe, steps_an_epoch);
        let settings = Settings::new(&recipe)?;
        let begun = standing.epoch + u64::from(standing.batch > 0);
        if settings.epochs < begun {
            return Err(misuse(
                format!(
                    "it cannot end at epoch {}: {begun} have begun",
                    settings.epochs
                ),
                "pass more --epochs, or none",
            ));
        }
        if let Some(steps) = settings.max_steps.filter(|&steps| steps < standing.step) {
            return Err(misuse(
                format!("it cannot end at step {steps}: {} are done", standing.step),
                "pass more --max-steps, or none",
            ));
        }
        if settings.epochs != before.epochs {
            let lr = |settings| schedule(settings, steps_an_epoch).lr(standing.step);
            watch.note(&format!(
                "the run has {} epochs now, not {}: the learning rate follows that schedule from here on, {:.3e} in the next step rather than {:.3e}",
                settings.epochs, before.epochs, lr(&settings), lr(&before)
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
