//! Refusals and notes of a run that starts or resumes, before anything is trained.

mod resumed;
mod same;
mod started;

use super::*;
use crate::distributed::Processes;
use crate::error::one_line;
use crate::hub::Silent;
use crate::train::config::recipe::Recipe;
use crate::train::context::ExecutionContext;
use crate::train::observe::recorded::Recorded;
use crate::train::trainer::target::Target;
use candle_core::Device;

/// A small network on random inputs.
const SMALL: &str = "data = 'fake:8'\ndepth = 20\nwidth = 4\nimage-size = 16\nbatch-size = 4\n";

fn context() -> ExecutionContext<'static> {
    ExecutionContext {
        device: Device::Cpu,
        workers: 1,
        progress: &Silent,
        processes: Processes::alone(),
    }
}

/// Prepares a run of [`SMALL`] with these keys, and returns its events.
fn start(keys: &str, target: &Target) -> (Result<Trainer>, Vec<String>) {
    let small = Recipe::parse(SMALL).unwrap();
    let recipe = Recipe::parse(keys).map(|recipe| recipe.over(small));
    let mut observer = Recorded::default();
    let about = "resnet: a test";
    let trainer =
        recipe.and_then(|recipe| Trainer::start(recipe, target, about, &context(), &mut observer));
    (trainer, observer.events)
}

/// Prepares a dry run, which must succeed.
#[track_caller]
fn dry(keys: &str) -> Vec<String> {
    let (trainer, events) = start(keys, &Target::Dry(None));
    if let Err(error) = trainer {
        panic!("{keys}: {}", one_line(&error));
    }
    events
}

fn notes(events: &[String]) -> Vec<&str> {
    let notes = events
        .iter()
        .filter_map(|event| event.strip_prefix("note: "));
    notes.collect()
}
