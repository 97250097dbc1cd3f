//! Rejects options that would have no effect.

use crate::error::usage_error;
use crate::train::config::recipe::Recipe;
use crate::train::learner::lr_schedule::Scheduler;
use crate::train::learner::optimizer::OptimiserKind;
use anyhow::Result;

/// Rejects a recipe with options that would have no effect.
///
/// # Errors
/// Wrong usage: names the flag, the reason and the way out.
pub(in crate::train) fn refuse_idle(said: &Recipe) -> Result<()> {
    refuse_without_optimiser(said)?;
    refuse_without_scheduler(said)?;
    if said.zero_init_residual == Some(true) && said.plain == Some(true) {
        return Err(usage_error(
            "cannot train with --zero-init-residual and --plain: without shortcuts no signal passes a block that starts at 0",
            "leave one of them out",
        ));
    }
    Ok(())
}

fn refuse_without_optimiser(said: &Recipe) -> Result<()> {
    let name = match said.optimizer {
        Some(OptimiserKind::Adam) => "adam",
        Some(OptimiserKind::Adamw) => "adamw",
        Some(OptimiserKind::Sgd) | None => return Ok(()),
    };
    let idle = match (said.momentum, said.nesterov) {
        (Some(momentum), _) => format!("--momentum {momentum}"),
        (None, Some(true)) => "--nesterov".to_owned(),
        (None, _) => return Ok(()),
    };
    Err(usage_error(
        format!("cannot train with {idle}: {name} has its own moving averages instead"),
        "leave it out, or pass --optimizer sgd",
    ))
}

fn refuse_without_scheduler(said: &Recipe) -> Result<()> {
    if said.scheduler != Some(Scheduler::Step)
        && let Some([first, ..]) = said.milestones.as_deref()
    {
        return Err(usage_error(
            format!("cannot train with --milestones {first}: only the scheduler `step` uses them"),
            "pass --scheduler step, or leave --milestones out",
        ));
    }
    let Some(warmup) = said.warmup_epochs.filter(|&epochs| epochs > 0.0) else {
        return Ok(());
    };
    if said.scheduler == Some(Scheduler::Onecycle) {
        return Err(usage_error(
            format!(
                "cannot train with --warmup-epochs {warmup}: the scheduler `onecycle` has its own warm-up"
            ),
            "leave --warmup-epochs out, or pass another --scheduler",
        ));
    }
    // Steps alone cut a run short as it is.
    match said.epochs {
        Some(epochs) if warmup > epochs as f64 => Err(usage_error(
            format!(
                "cannot train with --warmup-epochs {warmup}: the run ends after --epochs {epochs}, before the warm-up does"
            ),
            format!("pass more --epochs, or --warmup-epochs below {epochs}, such as 0"),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{hint_of, is_usage_error};

    #[test]
    fn what_would_do_nothing_is_refused_by_its_name() {
        for (recipe, named) in [
            (
                "optimizer = 'adam'\nmomentum = 0.9",
                "--momentum 0.9: adam has",
            ),
            (
                "optimizer = 'adamw'\nnesterov = true",
                "--nesterov: adamw has",
            ),
            ("milestones = [3, 5]", "--milestones 3: only"),
            (
                "scheduler = 'cosine'\nmilestones = [3]",
                "--milestones 3: only",
            ),
            (
                "scheduler = 'onecycle'\nwarmup-epochs = 1",
                "--warmup-epochs 1: ",
            ),
            (
                "epochs = 2\nwarmup-epochs = 2.5",
                "--warmup-epochs 2.5: the run ends after --epochs 2",
            ),
            (
                "plain = true\nzero-init-residual = true",
                "--zero-init-residual and --plain: ",
            ),
        ] {
            let error = refuse_idle(&Recipe::parse(recipe).unwrap()).unwrap_err();
            let message = error.to_string();
            assert!(message.contains(named), "{recipe}: {message}");
            assert!(
                is_usage_error(&error) && hint_of(&error).is_some(),
                "{recipe}"
            );
        }
    }

    #[test]
    fn what_does_something_or_says_nothing_new_is_let_pass() {
        for recipe in [
            "",
            "momentum = 0.9\nnesterov = true",
            "optimizer = 'adam'\nnesterov = false",
            "scheduler = 'step'\nmilestones = [3, 5]\nwarmup-epochs = 1",
            "scheduler = 'onecycle'\nwarmup-epochs = 0",
            "epochs = 2\nwarmup-epochs = 2",
            "max-steps = 2\nwarmup-epochs = 5",
        ] {
            refuse_idle(&Recipe::parse(recipe).unwrap()).unwrap();
        }
    }
}
