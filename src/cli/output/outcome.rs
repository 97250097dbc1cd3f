//! The outcome of a run, as messages.

use crate::cli::output::console::Console;
use crate::error::error_with_hint;
use crate::report::REPORT;
use crate::text::shell_word;
use crate::train::{Outcome, StopReason};
use std::path::PathBuf;

/// Returns the error of a run whose output cannot be written any more, for the reason `what`: a pipeline must not take it as complete.
pub fn unread(what: &str, outcome: &Outcome) -> anyhow::Error {
    match (outcome.reason, &outcome.folder) {
        (StopReason::Stopped { step }, Some(folder)) => error_with_hint(
            format!("{what} after step {step}; the run is saved"),
            format!(
                "`resnet train --resume {}` resumes it",
                shell_word(&folder.display().to_string())
            ),
        ),
        (StopReason::Stopped { step }, None) => error_with_hint(
            format!("{what} after step {step}; a dry run saves nothing"),
            "read its output to the end, or run it without --format json",
        ),
        (StopReason::Done | StopReason::NoBetter(_), Some(folder)) => error_with_hint(
            format!("{what} before the run's last line; the run is finished"),
            format!(
                "its results are in {}, with all epochs in metrics.csv",
                folder.display()
            ),
        ),
        (StopReason::Done | StopReason::NoBetter(_), None) => error_with_hint(
            format!("{what} before the run's last line"),
            "read its output to the end, or run it without --format json",
        ),
    }
}

/// Prints the outcome of a run.
pub fn report(outcome: &Outcome, console: &Console) {
    let folder = outcome.folder.as_ref().map(|folder| folder.display());
    match (outcome.reason, &folder) {
        (StopReason::Stopped { step }, Some(folder)) => {
            console.note(format_args!(
                "stopped after step {step}; `resnet train --resume {}` resumes the run",
                shell_word(&folder.to_string())
            ));
            return;
        }
        (StopReason::Stopped { step }, None) => {
            console.note(format_args!(
                "stopped after step {step}; a dry run saves nothing"
            ));
            return;
        }
        (StopReason::NoBetter(_) | StopReason::Done, _) => {}
    }
    for sentence in outcome.in_words() {
        console.note(sentence);
    }
    if let Some(folder) = folder {
        let report = report_of(outcome).map_or(String::new(), |_| format!("; open its {REPORT}"));
        console.note(format_args!("saved to {folder}{report}"));
    }
}

/// Returns the report of a run, if there is one.
pub fn report_of(outcome: &Outcome) -> Option<PathBuf> {
    let report = outcome.folder.as_ref()?.join(REPORT);
    report.is_file().then_some(report)
}
