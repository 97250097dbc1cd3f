//! States of version 2, which do not say whether the run ended inside an epoch.

use crate::eval::history::{COLUMNS, Epoch};
use crate::run_dir::{BEST, LAST, METRICS, WEIGHTS};
use crate::train::checkpoint::best::Best;
use crate::train::checkpoint::progress::{Provisional, TrainProgress};
use crate::train::config::recipe::Recipe;
use crate::train::config::settings::Settings;
use crate::train::data::validation::ValidationMetrics;
use std::fs;
use std::path::Path;

/// Returns the end of the run in the folder `run` inside an epoch, from the files that it wrote there: its last step is done, both
/// models are present, and `metrics.csv`, which was written last, has the line of that epoch. `best` is the best epoch of such an
/// end, which the states of earlier programs lack.
pub(in crate::train) fn provisional(
    run: &Path,
    recipe: &str,
    progress: &TrainProgress,
    best: Option<Best>,
) -> Option<Provisional> {
    let settings = Settings::new(&Recipe::parse(recipe).ok()?).ok()?;
    let is_whole = [BEST, LAST]
        .iter()
        .all(|model| run.join(model).join(WEIGHTS).is_file());
    if !progress.is_last_step(&settings) || progress.batch == 0 || !is_whole {
        return None;
    }
    let text = fs::read_to_string(run.join(METRICS)).ok()?;
    let rows: Vec<&str> = text.lines().skip(1).collect();
    let (row, earlier) = rows.split_last()?;
    let last = Epoch::from_csv(COLUMNS, row)?;
    if last.epoch != progress.epoch + 1 || earlier != progress.rows {
        return None;
    }
    // The figures that selected the epoch where the state does not name the best one.
    let scores = ValidationMetrics {
        loss: last.val_loss,
        top1: last.val_top1,
        ..ValidationMetrics::default()
    };
    let selected = || {
        Best::select(
            settings.best_by,
            progress.best.as_ref(),
            last.epoch,
            &scores,
        )
    };
    Some(Provisional {
        best: best.or_else(selected).or(progress.best),
        row: (*row).to_owned(),
    })
}
