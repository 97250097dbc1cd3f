use super::*;
use crate::train::config::values::BestBy;
use crate::train::example::{scores, settings};

/// Trains `steps` steps on epochs of five batches of four images, the third of which cannot be trained on, two batches per step.
/// Every epoch that ends is finished. `saved` receives the progress after every step.
fn train(
    mut progress: TrainProgress,
    steps: u64,
    mut saved: impl FnMut(&TrainProgress),
) -> TrainProgress {
    while progress.step < steps {
        let number = progress.batch;
        let images = if number == 2 { 0 } else { 4 };
        let loss = 1.0 / (3 * progress.epoch as usize + number + 1) as f64;
        progress.totals.add(loss, images as u64 / 2, images);
        progress.finish_batch(number);
        if progress.is_step_due(2, 5) {
            progress.finish_step(0.1 * (progress.step + 1) as f64);
            saved(&progress);
        }
        if progress.is_epoch_complete(5) {
            let epoch = progress.current_epoch(&scores(50.0, 0.5));
            let best = progress.best;
            progress.finish_epoch(&epoch, best);
        }
    }
    progress
}

#[test]
fn a_step_follows_every_second_batch_and_the_last_one_of_an_epoch() {
    let mut seen = Vec::new();
    let end = train(TrainProgress::default(), 6, |progress| {
        seen.push((progress.step, progress.epoch, progress.batch));
    });
    let expected = [
        (1, 0, 2),
        (2, 0, 4),
        (3, 0, 5),
        (4, 1, 2),
        (5, 1, 4),
        (6, 1, 5),
    ];
    assert_eq!(seen, expected);
    assert_eq!((end.epoch, end.batch, end.step), (2, 0, 6));
    assert_eq!(end.totals, EpochTotals::default());
}

#[test]
fn a_state_saved_after_any_step_counts_on_as_if_nothing_had_happened() {
    let mut states = Vec::new();
    let whole = train(TrainProgress::default(), 9, |progress| {
        states.push(serde_json::to_string(progress).unwrap());
    });
    assert_eq!((states.len(), whole.epochs().len()), (9, 3));
    for state in states {
        let mut read: TrainProgress = serde_json::from_str(&state).unwrap();
        if read.is_epoch_complete(5) {
            // The process ended before the epoch was validated.
            let epoch = read.current_epoch(&scores(50.0, 0.5));
            read.finish_epoch(&epoch, None);
        }
        assert_eq!(train(read, 9, |_| {}), whole, "{state}");
    }
}

#[test]
fn the_figures_of_an_epoch_are_means_of_the_images_that_were_trained_on() {
    let mut progress = TrainProgress {
        epoch: 6,
        ..TrainProgress::default()
    };
    progress.totals.add(0.5, 3, 4);
    progress.totals.add(2.0, 0, 1);
    progress.finish_step(0.25);
    progress.totals.seconds = Exact(1.5);
    let epoch = progress.current_epoch(&scores(75.0, 0.75));
    let expected = Epoch {
        epoch: 7,
        train_loss: 0.8,
        train_top1: 60.0,
        val_loss: Some(0.75),
        val_top1: Some(75.0),
        val_top5: None,
        lr: 0.25,
        seconds: 1.5,
    };
    assert_eq!(epoch, expected);
    progress.finish_epoch(&epoch, None);
    assert_eq!(progress.epochs(), [expected]);
}

/// Returns the best epoch `epoch`, whose measure last improved in epoch `since`.
fn best(epoch: u64, since: u64) -> Best {
    Best {
        epoch,
        top1: Some(Exact(50.0)),
        loss: None,
        measure: Some(Exact(50.0)),
        since: Some(since),
    }
}

#[test]
fn an_end_inside_an_epoch_counts_in_results_and_not_in_the_progress() {
    let mut progress = train(TrainProgress::default(), 4, |_| {});
    progress.best = Some(best(1, 1));
    let before = progress.clone();
    assert!(!progress.is_validated());
    let epoch = progress.current_epoch(&scores(75.0, 0.5));
    progress.end_inside(&epoch, Some(best(2, 2)));
    assert!(progress.is_validated() && progress.is_best());
    assert_eq!(progress.best_top1(), Some((2, Some(50.0))));
    assert_eq!(progress.epochs().len(), 2);
    assert_eq!(progress.all_rows(), [before.rows[0].clone(), epoch.csv()]);
    progress.provisional = None;
    assert_eq!(progress, before);
    assert_eq!(progress.best_top1(), Some((1, Some(50.0))));
}

#[test]
fn the_validated_epoch_is_the_best_one_only_if_it_was_selected() {
    let mut progress = TrainProgress::default();
    for (new, is_best) in [
        (Some(best(1, 1)), true),
        (Some(best(1, 1)), false),
        (Some(best(3, 1)), true),
    ] {
        let epoch = progress.current_epoch(&scores(50.0, 0.5));
        progress.finish_epoch(&epoch, new);
        assert_eq!(progress.is_best(), is_best, "epoch {}", progress.epoch);
    }
}

#[test]
fn a_run_is_done_after_its_epochs_and_after_its_last_step_once_that_is_validated() {
    let epochs = settings("epochs = 3\nmax-steps = 7");
    let at = |steps| train(TrainProgress::default(), steps, |_| {});
    for (steps, is_last) in [(6, false), (7, true)] {
        let progress = at(steps);
        assert_eq!(progress.is_last_step(&epochs), is_last);
        assert_eq!(progress.stop_reason(&epochs, true), None);
    }
    let mut inside = at(7);
    let epoch = inside.current_epoch(&scores(50.0, 0.5));
    inside.end_inside(&epoch, None);
    assert_eq!(inside.stop_reason(&epochs, true), Some(StopReason::Done));
    // The last step ends an epoch.
    let whole = settings("epochs = 3\nmax-steps = 6");
    assert_eq!(at(6).stop_reason(&whole, true), Some(StopReason::Done));
    assert_eq!(
        at(6).stop_reason(&settings("epochs = 2"), false),
        Some(StopReason::Done)
    );
    assert_eq!(at(6).stop_reason(&settings("epochs = 3"), false), None);
}

#[test]
fn patience_counts_from_the_last_improvement_or_from_where_the_run_was_extended() {
    let settings = settings("epochs = 9\npatience = 2");
    let at = |epoch, best, patient_since| TrainProgress {
        epoch,
        best,
        patient_since,
        ..TrainProgress::default()
    };
    let lost = Some(StopReason::NoBetter(2));
    for (progress, expected) in [
        (at(2, Some(best(1, 1)), 0), None),
        (at(3, Some(best(1, 1)), 0), lost),
        // Epoch 3 is the best one, but only ties with the first.
        (at(3, Some(best(3, 1)), 0), lost),
        (at(4, Some(best(3, 3)), 0), None),
        (at(3, Some(best(1, 1)), 3), None),
        (at(4, Some(best(1, 1)), 3), None),
        (at(5, Some(best(1, 1)), 3), lost),
        (at(5, None, 0), None),
    ] {
        assert_eq!(progress.stop_reason(&settings, true), expected);
        assert_eq!(progress.stop_reason(&settings, false), None);
    }
}

#[test]
fn a_measure_that_metrics_lack_survives_in_the_state() {
    let mut progress = train(TrainProgress::default(), 4, |_| {});
    let scores = ValidationMetrics {
        macro_f1: Some(200.0 / 3.0),
        balanced: Some(100.0 / 7.0),
        ..scores(50.0, 0.5)
    };
    let epoch = progress.current_epoch(&scores);
    for (by, value) in [
        (BestBy::MacroF1, 200.0 / 3.0),
        (BestBy::Balanced, 100.0 / 7.0),
    ] {
        progress.end_inside(&epoch, Best::select(by, None, 2, &scores));
        let state = serde_json::to_string(&progress).unwrap();
        let read: TrainProgress = serde_json::from_str(&state).unwrap();
        assert_eq!(read, progress);
        assert_eq!(read.best_so_far().unwrap().value(by), Some(value));
    }
}
