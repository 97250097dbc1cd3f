//! The selection of the best epoch, as a run writes it down.

use super::{SMALL, data, metrics, trained, undated_files};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The epoch that `best/` names.
fn best_epoch(run: &Path) -> u64 {
    let config = fs::read_to_string(run.join("best/config.json")).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    config["resnet_run"]["chosen"]["epoch"].as_u64().unwrap()
}

/// Epoch, validation loss and validation top-1 of each epoch.
fn epochs(run: &Path) -> Vec<[f64; 3]> {
    let rows = metrics(run).into_iter().skip(1);
    rows.map(|row| {
        let cells: Vec<f64> = row
            .split(',')
            .map(|cell| cell.parse().unwrap_or(0.0))
            .collect();
        [cells[0], cells[3], cells[4]]
    })
    .collect()
}

/// The last of the epochs with the lowest rank.
fn last_of_best(epochs: &[[f64; 3]], rank: impl Fn(&[f64; 3]) -> [f64; 2]) -> u64 {
    let better = |a: &&[f64; 3], b: &&[f64; 3]| rank(b).partial_cmp(&rank(a)).unwrap();
    epochs.iter().max_by(better).unwrap()[0] as u64
}

#[test]
fn the_best_epoch_is_that_of_the_measure_and_ties_go_to_the_lower_loss() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    trained(folder, &format!("-d data {SMALL} --epochs 2 -o start"));
    // The last layer alone, in tiny steps: the loss changes from epoch to epoch and top-1 does not, so that there are ties.
    let line = "-d data -m start --freeze backbone -b 4 --workers 1 --epochs 6 --lr 1e-6 --seed 3";
    let mut ties = 0;
    for (by, rank) in [
        (
            "top1",
            (|&[_, loss, top1]| [-top1, loss]) as fn(&[f64; 3]) -> [f64; 2],
        ),
        ("loss", |&[_, loss, top1]| [loss, -top1]),
    ] {
        let done = trained(folder, &format!("{line} --best-by {by} -o {by}"));
        let run = folder.join(by);
        let epochs = epochs(&run);
        let best = last_of_best(&epochs, rank);
        assert_eq!(best_epoch(&run), best, "{by} {epochs:?}");
        assert!(
            done.stderr.contains(&format!("best epoch {best}")),
            "{}",
            done.stderr
        );
        let top1 = epochs.iter().map(|epoch| epoch[2]);
        let highest = top1.clone().fold(0.0, f64::max);
        ties += top1.filter(|top1| (top1 - highest).abs() < 1e-9).count() - 1;
        let config = fs::read_to_string(run.join("config.toml")).unwrap();
        assert!(
            config.contains(&format!("\nbest-by = \"{by}\"\n")),
            "{config}"
        );
    }
    assert!(ties > 0, "the highest top-1 is not tied");
}

#[test]
fn a_measure_that_metrics_csv_lacks_survives_an_end_inside_an_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let (by, caption) = ("balanced", "balanced accuracy");
    let line = format!("-d data {SMALL} --epochs 3 --best-by {by}");
    trained(folder, &format!("{line} -o whole-{by}"));
    let done = trained(folder, &format!("{line} --max-steps 13 -o {by}"));
    assert!(
        done.stderr
            .contains(&format!("; best epoch by {caption}\n")),
        "{}",
        done.stderr
    );
    let best = done
        .stderr
        .lines()
        .find(|line| line.contains("note: best epoch "));
    assert!(
        best.unwrap().contains(&format!(" ({caption} ")),
        "{}",
        done.stderr
    );
    let before = undated_files(&folder.join(by));
    let again = trained(folder, &format!("--resume {by}"));
    assert!(again.stderr.contains(best.unwrap()), "{}", again.stderr);
    assert!(before == undated_files(&folder.join(by)), "{by}");
    trained(folder, &format!("--resume {by} --epochs 3"));
    let [whole, resumed] =
        [format!("whole-{by}"), by.to_owned()].map(|run| super::outcome(&folder.join(run)));
    assert!(whole == resumed, "{by}");
}
