use super::*;
use crate::train::config::values::BestBy;
use crate::train::example::{identity, model_info};

const COUNTS: ReportedCounts = ReportedCounts {
    parameters: 1_234,
    images: 12,
    unreadable_images: 0,
    steps_an_epoch: 3,
};

/// Returns the outcome of a run without validation.
fn outcome(reason: StopReason) -> Outcome {
    Outcome {
        reason,
        best: Some((2, None)),
        best_by: BestBy::Top1,
        best_value: None,
        test: None,
        validation: None,
        is_optimistic: false,
        folder: None,
    }
}

/// Returns the result that the report of a run with these counts shows after three epochs.
fn headline(counts: ReportedCounts, eval: &Evaluators, outcome: &Outcome) -> Headline {
    let progress = TrainProgress {
        epoch: 3,
        ..TrainProgress::default()
    };
    let run = ReportedRun {
        counts,
        progress: &progress,
        eval,
        preprocess: &Preprocess::default(),
        checkpoints: &Checkpointer::new(identity(), model_info()),
    };
    run.headline(&progress.epochs(), outcome, None, "photos")
}

#[test]
fn durations_have_two_units() {
    for (seconds, text) in [(7.25, "7.2 s"), (90.0, "1 min 30 s"), (7260.0, "2 h 1 min")] {
        assert_eq!(duration(seconds), text);
    }
}

#[test]
fn a_result_names_the_reason_of_an_early_end_and_what_was_not_measured() {
    let eval = Evaluators::default();
    let missing = "No validation set: the best epoch is the last one.";
    for (reason, note) in [
        (StopReason::Done, None),
        (
            StopReason::NoBetter(2),
            Some("Stopped early: 2 epochs without a better one."),
        ),
        (
            StopReason::Stopped { step: 1234 },
            Some("Stopped after step 1,234."),
        ),
    ] {
        let headline = headline(COUNTS, &eval, &outcome(reason));
        let notes: Vec<&str> = note.into_iter().chain([missing]).collect();
        assert_eq!(headline.notes, notes);
        assert_eq!((headline.measured, headline.on.as_str()), (None, "photos"));
        assert!(headline.warnings.is_empty(), "{:?}", headline.warnings);
        let figures = [("Best epoch", "2 of 3"), ("Training time", "0.0 s")];
        let figures = figures.map(|(name, figure)| (name, figure.to_owned()));
        assert_eq!(headline.figures, figures);
    }
}

#[test]
fn unreadable_training_images_are_counted_in_a_note() {
    let counts = ReportedCounts {
        unreadable_images: 3,
        ..COUNTS
    };
    let headline = headline(counts, &Evaluators::default(), &outcome(StopReason::Done));
    assert_eq!(headline.notes[1], "3 training images could not be read.");
}
