//! Rejects options that would have no effect.

use crate::error::{setting, usage_error};
use crate::message;
use crate::train::config::recipe::Recipe;
use crate::train::learner::lr_schedule::Scheduler;
use crate::train::learner::optimizer::OptimizerKind;
use anyhow::Result;

/// Rejects a recipe with options that would have no effect.
///
/// # Errors
/// Wrong usage: names the setting, the reason and the way out.
pub(in crate::train) fn reject_unused_options(overrides: &Recipe) -> Result<()> {
    reject_without_optimizer(overrides)?;
    reject_without_scheduler(overrides)?;
    if overrides.zero_init_residual == Some(true) && overrides.plain == Some(true) {
        return Err(usage_error(
            message![
                "cannot train with ",
                setting("zero-init-residual"),
                " and ",
                setting("plain"),
                ": without shortcuts no signal passes a block that starts at 0",
            ],
            "leave one of them out",
        ));
    }
    Ok(())
}

fn reject_without_optimizer(overrides: &Recipe) -> Result<()> {
    let name = match overrides.optimizer {
        Some(OptimizerKind::Adam) => "adam",
        Some(OptimizerKind::Adamw) => "adamw",
        Some(OptimizerKind::Lamb) => "lamb",
        Some(OptimizerKind::Sgd | OptimizerKind::Lars) | None => return Ok(()),
    };
    let unused = match (overrides.momentum, overrides.nesterov) {
        (Some(momentum), _) => setting("momentum").to(momentum),
        (None, Some(true)) => setting("nesterov"),
        (None, _) => return Ok(()),
    };
    Err(usage_error(
        message![
            "cannot train with ",
            unused,
            format!(": {name} has its own moving averages instead"),
        ],
        message!["leave it out, or pass ", setting("optimizer").to("sgd")],
    ))
}

fn reject_without_scheduler(overrides: &Recipe) -> Result<()> {
    if overrides.scheduler != Some(Scheduler::Step)
        && let Some([first, ..]) = overrides.milestones.as_deref()
    {
        return Err(usage_error(
            message![
                "cannot train with ",
                setting("milestones").to(first),
                ": only the scheduler `step` uses them",
            ],
            message![
                "pass ",
                setting("scheduler").to("step"),
                ", or leave ",
                setting("milestones"),
                " out",
            ],
        ));
    }
    let Some(warmup) = overrides.warmup_epochs.filter(|&epochs| epochs > 0.0) else {
        return Ok(());
    };
    if overrides.scheduler == Some(Scheduler::Onecycle) {
        return Err(usage_error(
            message![
                "cannot train with ",
                setting("warmup-epochs").to(warmup),
                ": the scheduler `onecycle` has its own warm-up",
            ],
            message![
                "leave ",
                setting("warmup-epochs"),
                " out, or pass another ",
                setting("scheduler"),
            ],
        ));
    }
    // Steps alone cut a run short as it is.
    match overrides.epochs {
        Some(epochs) if warmup > epochs as f64 => Err(usage_error(
            message![
                "cannot train with ",
                setting("warmup-epochs").to(warmup),
                ": the run ends after ",
                setting("epochs").to(epochs),
                ", before the warm-up does",
            ],
            message![
                "pass more ",
                setting("epochs"),
                ", or ",
                setting("warmup-epochs"),
                format!(" below {epochs}, such as 0"),
            ],
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
                "momentum = 0.9: adam has",
            ),
            (
                "optimizer = 'adamw'\nnesterov = true",
                "`nesterov`: adamw has",
            ),
            (
                "optimizer = 'lamb'\nmomentum = 0.9",
                "momentum = 0.9: lamb has",
            ),
            ("milestones = [3, 5]", "milestones = 3: only"),
            (
                "scheduler = 'cosine'\nmilestones = [3]",
                "milestones = 3: only",
            ),
            (
                "scheduler = 'onecycle'\nwarmup-epochs = 1",
                "warmup-epochs = 1: ",
            ),
            (
                "epochs = 2\nwarmup-epochs = 2.5",
                "warmup-epochs = 2.5: the run ends after epochs = 2",
            ),
            (
                "plain = true\nzero-init-residual = true",
                "`zero-init-residual` and `plain`: ",
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
    fn momentum_of_adam_is_refused_with_the_way_out() {
        let recipe = Recipe::parse("optimizer = 'adam'\nmomentum = 0.9").unwrap();
        let error = reject_unused_options(&recipe).unwrap_err();
        let expected = "cannot train with momentum = 0.9: adam has its own moving averages instead";
        assert_eq!(error.to_string(), expected);
        let hint = hint_of(&error).unwrap().to_string();
        assert_eq!(hint, "leave it out, or pass optimizer = sgd");
    }

    #[test]
    fn what_does_something_or_says_nothing_new_is_let_pass() {
        for recipe in [
            "",
            "momentum = 0.9\nnesterov = true",
            "optimizer = 'lars'\nmomentum = 0.9\nnesterov = true",
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
