//! From a run's folder to a run that goes on: its state, and the data as it was when the run began.

use super::ended::{BEST, Why};
use super::folder::{RunFolder, Which};
use super::pictures::Data;
use super::prepare::{Parts, Site, instructions, place};
use super::recipe::Recipe;
use super::rules::schedule;
use super::run::Run;
use super::settings::Settings;
use super::state::{Identity, Standing, State, under};
use super::watch::Watch;
use crate::datasets::DataName;
use crate::error::{hinted, misuse, one_line};
use crate::words::{counted, shell_word};
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
        let before = state.identity.recipe.clone();
        let resumed = Self::resume_state(state, length, site, watch);
        let mut run = resumed.with_context(|| format!("cannot resume `{}`", folder.display()))?;
        run.folder = Some(run_folder);
        run.ended_inside = run.end_inside_on_disk();
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
                // The length is the run's from now on, whatever happens before the next state.
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

    /// Says which lines of `config.toml` were edited: the state's recipe is what goes on, with the `length` that was asked for.
    fn note_edits(&self, length: Length, watch: &mut dyn Watch) -> Result<()> {
        let Some(folder) = self.folder.as_ref().filter(|folder| folder.has_config()) else {
            return Ok(());
        };
        let written = match folder.config() {
            Ok(written) => written,
            Err(error) => {
                let error = one_line(&error);
                watch.note(&format!("{error}; the run goes on by what its state says"));
                return Ok(());
            }
        };
        for [key, kept, written] in self.recipe.differences(&written)? {
            let way_out = match key.as_str() {
                "epochs" | "max-steps" if length != Length::default() => continue,
                "epochs" | "max-steps" if written != "nothing" => format!("pass --{key} {written}"),
                _ => "only a new run can have another, by `--recipe`".to_owned(),
            };
            watch.note(&format!(
                "config.toml says {key} = {written}; a resumed run keeps {kept}: {way_out}"
            ));
        }
        Ok(())
    }

    /// Lets a run that was ended for lack of a better epoch go on: its patience counts anew.
    fn be_patient_again(&mut self, watch: &mut dyn Watch) {
        if let Some(Why::NoBetter(patience)) = self.end() {
            let epoch = self.standing.epoch;
            self.standing.patient_since = epoch;
            watch.note(&format!(
                "the run had ended early; it goes on, and its --patience of {patience} counts from epoch {epoch} on"
            ));
        }
    }

    /// What to say of a run that has nothing left to do, with what lets it go on.
    fn finished_already(&self) -> Option<String> {
        let Standing { epoch, step, .. } = self.standing;
        let folder = self.folder.as_ref()?.path().display().to_string();
        let done = match self.end()? {
            Why::NoBetter(patience) => {
                let patience = counted(patience, "epoch");
                format!("the run ended early after epoch {epoch}: {patience} without a better one")
            }
            Why::Done | Why::Stopped { .. } if self.is_last_step() => {
                format!("the run is finished, after {}", counted(step, "step"))
            }
            Why::Done | Why::Stopped { .. } => {
                format!("the run is finished, after {}", counted(epoch, "epoch"))
            }
        };
        let more = match self.settings.epochs {
            epochs if epochs > epoch => epochs,
            _ => 2 * epoch,
        };
        Some(format!(
            "{done}; `resnet train --resume {} --epochs {more}` goes on with it",
            shell_word(&folder)
        ))
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
            return Err(hinted(
                format!("data set `{written}` has other pictures than when the run began"),
                "put the pictures back as they were, or start a new run from this one's weights by `-m`",
            ));
        }
        let (sizes, contents) = (data.sizes(), Some(data.contents()));
        let is_other = identity.contents.is_some() && identity.contents != contents;
        if sizes != identity.sizes || is_other {
            watch.note(&format!(
                "pictures of `{written}` have changed since the run was saved: it goes on with them as they are now, so it is no longer bit for bit what it would have been"
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
                "the run has {} now, not {}: the learning rate follows that schedule from here on, {:.3e} in the next step rather than {:.3e}",
                counted(settings.epochs, "epoch"),
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

/// Says so where the run's numbers came from other instructions than those that go on with it.
fn note_instructions(identity: &mut Identity, here: Option<String>, watch: &mut dyn Watch) {
    if let (Some(before), Some(here)) = (&identity.instructions, &here)
        && before != here
    {
        watch.note(&format!(
            "the run was saved by {before} instructions and goes on by {here}: it is no longer bit for bit what it would have been"
        ));
    }
    identity.instructions = here;
}

/// The error of a run whose pictures are not where they were.
fn moved(place: &str) -> anyhow::Error {
    hinted(
        format!("the run learns from `{place}`, which is not there any more"),
        "put the pictures back there, or a link to where they are now, and resume again",
    )
}
