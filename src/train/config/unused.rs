//! Rejects options that would have no effect.

use crate::error::usage_error;
use crate::train::config::recipe::Recipe;
use crate::train::learner::lr_schedule::Scheduler;
use crate::train::learner::optimizer::OptimizerKind;
use anyhow::Result;

/// Rejects a recipe with options that would have no effect.
///
/// # Errors
/// Wrong usage: names the flag, the reason and the way out.
pub(in crate::train) fn reject_unused_options(overrides: &Recipe) -> Result<()> {
    reject_without_optimizer(overrides)?;
    reject_without_scheduler(overrides)?;
    if overrides.zero_init_residual == Some(true) && overrides.plain == Some(true) {
        return Err(usage_error(
            "cannot train with --zero-init-residual and --plain: without shortcuts no signal passes a block that starts at 0",
            "leave one of them out",
        ));
    }
    Ok(())
}

fn reject_without_optimizer(overrides: &Recipe) -> Result<()> {
    let name = match overrides.optimizer {
        Some(OptimizerKind::Adam) => "adam",
        Some(OptimizerKind::Adamw) => "adamw",
        Some(OptimizerKind::Sgd) | None => return Ok(()),
    };
    let idle = match (overrides.momentum, overrides.nesterov) {
        (Some(momentum), _) => format!("--momentum {momentum}"),
        (None, Some(true)) => "--nesterov".to_owned(),
        (None, _) => return Ok(()),
    };
    Err(usage_error(
        format!("cannot train with {idle}: {name} has its own moving averages instead"),
        "leave it out, or pass --optimizer sgd",
    ))
}

fn reject_without_scheduler(overrides: &Recipe) -> Result<()> {
    if overrides.scheduler != Some(Scheduler::Step)
        && let Some([first, ..]) = overrides.milestones.as_deref()
    {
        return Err(usage_error(
            format!("cannot train with --milestones {first}: only the scheduler `step` uses them"),
            "pass --scheduler step, or leave --milestones out",
        ));
    }
    let Some(warmup) = overrides.warmup_epochs.filter(|&epochs| epochs > 0.0) else {
        return Ok(());
    };
    if overrides.scheduler == Some(Scheduler::Onecycle) {
        return Err(usage_error(
            format!(
                "cannot train with --warmup-epochs {warmup}: the scheduler `onecycle` has its own warm-up"
            ),
            "leave --warmup-epochs out, or pass another --scheduler",
        ));
    }
    // Steps alone cut a run short as it is.
    match overrides.epochs {
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
            let error = reject_unused_options(&Recipe::parse(recipe).unwrap()).unwrap_err();
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
            reject_unused_options(&Recipe::parse(recipe).unwrap()).unwrap();
        }
    }
}
