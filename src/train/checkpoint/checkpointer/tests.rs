use super::*;
use crate::train::checkpoint::best::Best;
use crate::train::checkpoint::state::{RunState, under};
use crate::train::config::values::BestBy;
use crate::train::example::{identity, model_info, scores, tensor, value};
use candle_core::Device;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Returns the files below `folder` by their paths in it; the lock is none of the run's files.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in fs::read_dir(folder).unwrap().map(|one| one.unwrap().path()) {
        if path.is_dir() {
            let name = path.file_name().unwrap();
            let inside = files(&path).into_iter();
            found.extend(inside.map(|(file, bytes)| (Path::new(name).join(file), bytes)));
        } else if path.file_name().unwrap() != ".lock" {
            found.insert(path.file_name().unwrap().into(), fs::read(&path).unwrap());
        }
    }
    found
}

/// Returns a state whose only weight has this value.
fn state(weight: f32) -> Vec<(String, Tensor)> {
    vec![tensor("model.w", weight)]
}

fn weights(weight: f32) -> Vec<(String, Tensor)> {
    vec![tensor("w", weight)]
}

/// Returns the first files of a run whose weight is 0.
fn first() -> FirstFiles<'static> {
    FirstFiles {
        config: "# resnet: a test\nlr = 0.1\n".into(),
        survey: None,
        state: state(0.0),
        weights: weights(0.0),
    }
}

/// Starts a run in `folder`.
fn begun(folder: &Path) -> Checkpointer {
    let mut checkpoints = Checkpointer::new(identity(), model_info());
    let folder = RunFolder::create(folder).unwrap();
    let progress = TrainProgress::default();
    checkpoints.begin(folder, &progress, &first()).unwrap();
    checkpoints
}

/// Opens the run in `folder` as another process would.
fn resumed(folder: &Path) -> (Checkpointer, RunState) {
    let (folder, state) = RunFolder::resume(folder, &Device::Cpu).unwrap();
    let mut checkpoints = Checkpointer::new(state.identity.clone(), model_info());
    checkpoints.resume(folder, under(BEST, &state.tensors));
    (checkpoints, state)
}

/// Returns the weight of a saved model, `None` if there is none.
fn saved(folder: &Path, which: SavedModel) -> Option<f32> {
    let path = folder.join(which.folder()).join("model.safetensors");
    let tensors = candle_core::safetensors::load(path, &Device::Cpu).ok()?;
    value(&tensors["w"])
}

/// Returns the selection that the model information of a saved model names.
fn selection(folder: &Path, which: SavedModel) -> Option<Selection> {
    let config = fs::read(folder.join(which.folder()).join("config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    serde_json::from_value(config["resnet_run"]["chosen"].clone()).ok()
}

fn selected(epoch: u64) -> Selection {
    Selection {
        split: "val".into(),
        images: 8,
        epoch: epoch as usize,
        val_top1: 50.0,
    }
}

/// Trains an epoch of ten steps, whose number its weight is, and records it; inside it, if it is not `whole`.
fn train(progress: &mut TrainProgress, top1: f64, loss: f64, by: BestBy, whole: bool) {
    progress.step += 10;
    progress.totals.add(1.0, 1, 2);
    let scores = scores(top1, loss);
    let epoch = progress.current_epoch(&scores);
    let best = Best::select(by, progress.best.as_ref(), epoch.epoch, &scores).or(progress.best);
    if whole {
        progress.finish_epoch(&epoch, best);
    } else {
        progress.finish_batch(4);
        progress.end_inside(&epoch, best);
    }
}

/// Saves the state and the models of the epoch whose number is `weight`.
fn save(checkpoints: &Checkpointer, progress: &TrainProgress, weight: f32) {
    let selection = Some(selected(progress.best_so_far().unwrap().epoch));
    checkpoints.save(progress, || Ok(state(weight))).unwrap();
    checkpoints
        .write_models(progress, || Ok(weights(weight)), selection)
        .unwrap();
}

#[test]
fn a_run_can_be_resumed_before_its_first_step() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    drop(begun(&run));
    let names: Vec<_> = files(&run).into_keys().collect();
    assert_eq!(
        names,
        [Path::new("config.toml"), Path::new("state.safetensors")]
    );
    let (checkpoints, state) = resumed(&run);
    assert_eq!(state.identity, identity());
    assert_eq!(state.progress, TrainProgress::default());
    assert_eq!(value(&state.tensors["model.w"]), Some(0.0));
    let command = checkpoints.folder().unwrap().command();
    assert_eq!(command.as_deref(), Some("resnet: a test"));
}

#[test]
fn nothing_is_left_of_a_run_that_cannot_start() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let mut checkpoints = Checkpointer::new(identity(), model_info());
    let damaged = FirstFiles {
        state: state(f32::NAN),
        ..first()
    };
    let folder = RunFolder::create(&run).unwrap();
    let begun = checkpoints.begin(folder, &TrainProgress::default(), &damaged);
    assert!(begun.unwrap_err().to_string().contains("`model.w`"));
    assert!(!run.exists() && checkpoints.folder().is_none());
}

#[test]
fn a_dry_run_writes_nothing_and_asks_for_no_tensors() {
    let mut checkpoints = Checkpointer::new(identity(), model_info());
    let mut progress = TrainProgress::default();
    train(&mut progress, 50.0, 0.5, BestBy::Top1, true);
    checkpoints.save(&progress, || panic!("a state")).unwrap();
    let weights = || panic!("weights");
    checkpoints.write_models(&progress, weights, None).unwrap();
    checkpoints.restore(&progress, weights, None).unwrap();
    checkpoints.keep_best().unwrap();
    checkpoints.restore_best(None).unwrap();
}

#[test]
fn numbers_that_are_not_finite_leave_the_earlier_state() {
    let root = tempfile::tempdir().unwrap();
    let checkpoints = begun(root.path());
    let mut progress = TrainProgress::default();
    progress.finish_step(0.1);
    checkpoints.save(&progress, || Ok(state(1.0))).unwrap();
    let before = files(root.path());
    progress.finish_step(0.1);
    let error = checkpoints.save(&progress, || Ok(state(f32::INFINITY)));
    let error = error.unwrap_err().to_string();
    let expected = "training diverged: tensor `model.w` has infinite or NaN values after step 2";
    assert_eq!(error, expected);
    assert!(files(root.path()) == before);
}

#[test]
fn each_epoch_replaces_last_and_only_a_better_or_tied_one_best() {
    for (by, epochs, expected) in [
        // Top-1 ties go to the lower loss, and then to the later epoch.
        (
            BestBy::Top1,
            [
                (50.0, 0.5),
                (50.0, 0.6),
                (50.0, 0.4),
                (50.0, 0.4),
                (49.0, 0.1),
                (51.0, 0.9),
            ],
            [1, 1, 3, 4, 4, 6],
        ),
        (
            BestBy::Loss,
            [
                (50.0, 0.5),
                (50.0, 0.6),
                (40.0, 0.4),
                (30.0, 0.4),
                (40.0, 0.4),
                (90.0, 0.9),
            ],
            [1, 1, 3, 3, 5, 5],
        ),
    ] {
        let root = tempfile::tempdir().unwrap();
        let checkpoints = begun(root.path());
        let mut progress = TrainProgress::default();
        for (epoch, ((top1, loss), best)) in (1_u8..).zip(epochs.into_iter().zip(expected)) {
            train(&mut progress, top1, loss, by, true);
            save(&checkpoints, &progress, f32::from(epoch));
            let models = [SavedModel::Last, SavedModel::Best];
            let found = models.map(|which| saved(root.path(), which));
            assert_eq!(found, [Some(f32::from(epoch)), Some(best as f32)], "{by:?}");
            assert_eq!(
                selection(root.path(), SavedModel::Best),
                Some(selected(best))
            );
            assert_eq!(selection(root.path(), SavedModel::Last), None);
        }
        let metrics = fs::read_to_string(root.path().join("metrics.csv")).unwrap();
        let rows: Vec<&str> = metrics.lines().skip(1).collect();
        assert_eq!(rows, progress.rows);
    }
}

#[test]
fn files_that_a_killed_process_did_not_write_are_restored_from_its_state() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path();
    let checkpoints = begun(run);
    let mut progress = TrainProgress::default();
    train(&mut progress, 50.0, 0.5, BestBy::Top1, true);
    save(&checkpoints, &progress, 1.0);
    train(&mut progress, 60.0, 0.4, BestBy::Top1, true);
    // Killed between the state and the models of epoch 2.
    checkpoints.save(&progress, || Ok(state(2.0))).unwrap();
    let killed = files(run);
    drop(checkpoints);
    let (checkpoints, RunState { progress, .. }) = resumed(run);
    let restore = |checkpoints: &Checkpointer, progress| {
        checkpoints.restore(progress, || Ok(weights(2.0)), Some(selected(2)))
    };
    restore(&checkpoints, &progress).unwrap();
    for which in [SavedModel::Best, SavedModel::Last] {
        assert_eq!(saved(run, which), Some(2.0));
    }
    let metrics = fs::read_to_string(run.join("metrics.csv")).unwrap();
    assert_eq!(metrics.lines().count(), 3);
    let whole = files(run);
    assert!(whole != killed);
    // Every single file, too.
    for name in whole
        .keys()
        .filter(|name| !name.ends_with("state.safetensors"))
    {
        if name.ends_with("config.toml") {
            continue;
        }
        fs::remove_file(run.join(name)).unwrap();
        restore(&checkpoints, &progress).unwrap();
        assert!(files(run) == whole, "{}", name.display());
    }
}

#[test]
fn lines_of_metrics_that_the_state_does_not_know_are_taken_back() {
    let root = tempfile::tempdir().unwrap();
    let checkpoints = begun(root.path());
    let metrics = root.path().join("metrics.csv");
    let restore = |progress: &TrainProgress| {
        let weights = || panic!("weights");
        checkpoints.restore(progress, weights, None).unwrap();
        fs::read_to_string(&metrics).ok()
    };
    let mut progress = TrainProgress::default();
    fs::write(&metrics, "epoch\n1\n").unwrap();
    assert_eq!(restore(&progress), None);
    train(&mut progress, 50.0, 0.5, BestBy::Top1, true);
    let first = progress.rows[0].clone();
    // In the first steps of the second epoch.
    progress.finish_batch(0);
    fs::write(&metrics, "epoch\n1\n2\n").unwrap();
    let restored = restore(&progress).unwrap();
    assert_eq!(restored.lines().skip(1).collect::<Vec<_>>(), [first]);
}

/// An end inside an epoch that is better than the best one writes it to `best/`; the state has the weights that were there, until
/// the epoch continues and `best/` gets them back.
#[test]
fn an_end_inside_an_epoch_keeps_the_best_weights_of_the_epochs_before() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path();
    let mut checkpoints = begun(run);
    let mut progress = TrainProgress::default();
    train(&mut progress, 50.0, 0.5, BestBy::Top1, true);
    save(&checkpoints, &progress, 1.0);
    let before = progress.clone();
    let model = fs::read(run.join("best/model.safetensors")).unwrap();
    checkpoints.keep_best().unwrap();
    train(&mut progress, 60.0, 0.4, BestBy::Top1, false);
    save(&checkpoints, &progress, 2.0);
    assert_eq!(saved(run, SavedModel::Best), Some(2.0));
    assert_eq!(selection(run, SavedModel::Best), Some(selected(2)));
    drop(checkpoints);

    // Resumed at its end, it still has them.
    let (checkpoints, state) = resumed(run);
    assert_eq!(state.progress, progress);
    save(&checkpoints, &state.progress, 2.0);
    drop(checkpoints);
    let (mut checkpoints, mut state) = resumed(run);
    assert_eq!(value(&state.tensors["best.w"]), Some(1.0));
    state.progress.provisional = None;
    checkpoints.restore_best(Some(selected(1))).unwrap();
    assert!(fs::read(run.join("best/model.safetensors")).unwrap() == model);
    assert_eq!(selection(run, SavedModel::Best), Some(selected(1)));
    assert_eq!(state.progress.best, before.best);
    // From then on, the state has no other weights.
    let tensors = || Ok(super::tests::state(2.0));
    checkpoints.save(&state.progress, tensors).unwrap();
    drop(checkpoints);
    let (_, state) = resumed(run);
    assert!(!state.tensors.contains_key("best.w"));
}

#[test]
fn a_first_epoch_that_a_run_ends_in_has_no_best_weights_before_it() {
    let root = tempfile::tempdir().unwrap();
    let mut checkpoints = begun(root.path());
    let mut progress = TrainProgress::default();
    train(&mut progress, 60.0, 0.4, BestBy::Top1, false);
    save(&checkpoints, &progress, 1.0);
    assert_eq!(saved(root.path(), SavedModel::Best), Some(1.0));
    let before = files(root.path());
    checkpoints.restore_best(None).unwrap();
    assert!(files(root.path()) == before);
}
