//! `resnet train --check`: inspects a dataset.

use crate::cli::exit::ExitStatus;
use crate::cli::output::console::Console;
use crate::cli::output::stdout::print;
use crate::cli::output::survey;
use crate::cli::output::terminal::{COLUMNS, stdout_columns};
use crate::error::error_with_hint;
use crate::hub::Progress;
use crate::train::{self, Recipe};
use anyhow::{Result, anyhow};

/// Inspects the data that a run of `recipe` would use, and prints what was found. Unreadable images make the exit status 1.
pub fn run(
    recipe: &Recipe,
    is_json: bool,
    workers: usize,
    console: &Console,
) -> Result<ExitStatus> {
    let mut is_shown = false;
    let survey = train::check(recipe, workers, console, &mut |done, images| {
        if !is_shown {
            console.start_images("checking", images);
            is_shown = true;
        }
        console.advance(done as u64);
    });
    console.finish();
    let survey = survey?;
    console.messages(&survey.notes);
    print(&if is_json {
        format!("{}\n", serde_json::to_string(&survey)?)
    } else {
        survey::text(&survey, stdout_columns().unwrap_or(COLUMNS))
    })?;
    for [text, way_out] in survey::warnings(&survey) {
        console.warning(&error_with_hint(text, way_out));
    }
    if recipe.class_weights.is_none() {
        console.notes(survey::imbalance(&survey).as_slice());
    }
    if survey.unreadable.is_empty() {
        return Ok(ExitStatus::Done);
    }
    console.error(&anyhow!("{}", survey::unreadable(&survey)));
    Ok(ExitStatus::SomeFailed)
}
