//! Evaluations that several processes share out, which are threads here.

use super::{labels, memory, network, options, preprocess};
use resnet::data::dataset::{ImageStore, Split};
use resnet::distributed::Stopped;
use resnet::distributed::threads::in_processes;
use resnet::error::one_line;
use resnet::eval::{EvalEvent, EvalOptions, evaluate};
use resnet::infer::Workload;
use resnet::pipeline::prepare;
use std::path::PathBuf;

/// The events of an evaluation, the evaluation without its times, and the error.
#[derive(Debug, Clone, PartialEq)]
struct Observed {
    events: Vec<String>,
    evaluation: Option<String>,
    error: Option<String>,
    is_stopped: bool,
}

/// Evaluates `split` in `size` processes in batches of `batch`; process `stopper` stops after `stop` images.
fn evaluations(
    split: &Split,
    size: usize,
    batch: usize,
    strict: bool,
    [stopper, stop]: [usize; 2],
) -> Vec<Observed> {
    let observed = in_processes(size, |processes| {
        let work = Workload::many(4);
        let (mut engine, transform) = prepare(network(3).0, &preprocess(), work).unwrap();
        let options = EvalOptions {
            strict,
            processes: processes.clone(),
            ..options(batch, 2)
        };
        let mut events = Vec::new();
        let mut each = |event: EvalEvent| {
            events.push(match event {
                EvalEvent::Image { logits, .. } => {
                    let bits: Vec<u64> = logits.iter().map(|logit| logit.to_bits()).collect();
                    format!("{event:?} {bits:?}")
                }
                EvalEvent::Unreadable { index, error } => {
                    format!("{index}: {}", one_line(error))
                }
                EvalEvent::Progress { done, .. } => {
                    if processes.rank() == stopper && done >= stop {
                        return Err(Stopped.into());
                    }
                    format!("{event:?}")
                }
            });
            Ok(())
        };
        let done = evaluate(
            &mut engine,
            split,
            &transform,
            &labels(),
            &options,
            &mut each,
        );
        // The calls of all match, and nobody waits for another one.
        processes.barrier().unwrap();
        let (evaluation, error) = match done {
            Ok(mut evaluation) => {
                (evaluation.seconds, evaluation.images_per_second) = (0.0, 0.0);
                (Some(evaluation), None)
            }
            Err(error) => (None, Some(error)),
        };
        Observed {
            events,
            evaluation: evaluation.map(|found| format!("{found:?} {}", found.loss.to_bits())),
            is_stopped: error.as_ref().is_some_and(anyhow::Error::is::<Stopped>),
            error: error.map(|error| one_line(&error)),
        }
    });
    observed.unwrap()
}

/// Nobody stops.
const NEVER: [usize; 2] = [usize::MAX, 0];

/// Returns six images as files, of which the third and the last are none.
fn files(folder: &std::path::Path) -> Split {
    let paths: Vec<PathBuf> = (0..6)
        .map(|number| folder.join(format!("{number}.png")))
        .collect();
    for (number, path) in paths.iter().enumerate() {
        if number == 2 {
            std::fs::write(path, "text").unwrap();
        } else if number < 5 {
            let color = |x: u32, y: u32| image::Rgb([(x * y * number as u32) as u8, x as u8, 90]);
            image::RgbImage::from_fn(20, 17, color).save(path).unwrap();
        }
    }
    Split::new(ImageStore::Files(paths), vec![0, 1, 2, 2, 1, 0])
}

#[test]
fn all_processes_see_the_events_and_the_evaluation_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    for split in [memory(), files(folder.path())] {
        for batch in [1, 2, 3, 7] {
            let alone = evaluations(&split, 1, batch, false, NEVER).remove(0);
            assert!(alone.evaluation.is_some(), "{alone:?}");
            for size in 2..=4 {
                let all = evaluations(&split, size, batch, false, NEVER);
                assert_eq!(all, vec![alone.clone(); size], "{size}, {batch}");
            }
        }
    }
}

#[test]
fn the_first_unreadable_image_of_a_strict_evaluation_ends_all_processes() {
    let folder = tempfile::tempdir().unwrap();
    let split = files(folder.path());
    for batch in [1, 2, 4] {
        let alone = evaluations(&split, 1, batch, true, NEVER).remove(0);
        let error = alone.error.clone().unwrap();
        assert!(error.contains("2.png"), "{error}");
        for size in 2..=4 {
            let all = evaluations(&split, size, batch, true, NEVER);
            assert_eq!(all, vec![alone.clone(); size], "{size}, {batch}");
        }
    }
}

#[test]
fn a_stop_in_any_process_stops_all() {
    for stop in [1, 5, 7] {
        for stopper in 0..3 {
            for seen in evaluations(&memory(), 3, 2, false, [stopper, stop]) {
                assert!(seen.is_stopped && seen.evaluation.is_none(), "{seen:?}");
            }
        }
    }
}

#[test]
fn images_that_cannot_be_read_at_all_are_an_error_of_all_processes() {
    let paths = (0..3).map(|number| PathBuf::from(format!("no/{number}.png")));
    let split = Split::new(ImageStore::Files(paths.collect()), vec![0; 3]);
    for seen in evaluations(&split, 2, 1, false, NEVER) {
        assert_eq!(
            seen.error.as_deref(),
            Some("no image can be read (3 tried)")
        );
        assert_eq!(seen.events.len(), 6);
    }
}
