//! The builders of a new and of a resumed run.

use super::write_images;
use resnet::Error;
use resnet::train::{OptimizerKind, Recipe, ResumeBuilder, Scheduler, StopReason, Trainer};
use std::fs;
use std::path::Path;

/// Returns the weights that a run has saved.
fn weights(run: &Path) -> Vec<u8> {
    fs::read(run.join("last/model.safetensors")).unwrap()
}

#[test]
fn a_built_run_trains_to_the_weights_of_its_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let [built, by_recipe] = ["built", "by-recipe"].map(|name| folder.path().join(name));
    let run = Trainer::builder("fake:24:3")
        .depth(20)
        .width(4)
        .image_size(16)
        .mean([0.5, 0.5, 0.5])
        .epochs(2)
        .batch_size(8)
        .lr(0.05)
        .optimizer(OptimizerKind::Adamw)
        .no_shuffle(true)
        .recipe(Recipe::parse("epochs = 1\nseed = 3").unwrap());
    let outcome = run
        .output(&built)
        .workers(1)
        .start()
        .unwrap()
        .run()
        .unwrap();
    assert_eq!(outcome.reason, StopReason::Done);
    assert_eq!(outcome.folder.as_deref(), Some(built.as_path()));

    let recipe = "data = 'fake:24:3'\ndepth = 20\nwidth = 4\nimage-size = 16\nmean = [0.5, 0.5, 0.5]\nepochs = 2\nbatch-size = 8\nlr = 0.05\noptimizer = 'adamw'\nno-shuffle = true\nseed = 3";
    let run = Trainer::from_recipe(Recipe::parse(recipe).unwrap());
    let run = run.workers(2).output(&by_recipe).start().unwrap();
    run.run().unwrap();
    assert!(weights(&built) == weights(&by_recipe));
    let config = fs::read_to_string(built.join("config.toml")).unwrap();
    assert!(config.starts_with("# resnet "), "{config}");
}

#[test]
fn a_wrong_value_is_refused_by_its_setting_and_not_by_a_flag() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    for (builder, message, hint) in [
        (
            Trainer::builder("sample").lr(-1.0),
            "cannot train with lr = -1",
            "`lr` must be above 0, such as 0.1",
        ),
        (
            Trainer::builder("sample").model("sample").depth(20),
            "cannot train with `depth`: `model = sample` sets the architecture",
            "leave one of them out",
        ),
        (
            Trainer::builder("sample").epochs(1).warmup_epochs(2.0),
            "cannot train with warmup-epochs = 2: the run ends after epochs = 1, before the warm-up does",
            "pass more `epochs`, or `warmup-epochs` below 1, such as 0",
        ),
    ] {
        let error = builder.output(&run).start().err().unwrap();
        assert!(matches!(error, Error::InvalidConfiguration(_)), "{error:?}");
        assert_eq!(error.to_string(), message);
        assert_eq!(error.hint().unwrap().to_string(), hint);
        assert!(!run.exists());
    }
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one_and_can_be_made_longer() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
    let builder = || {
        let builder = Trainer::builder("fake:24:3").depth(20).width(4);
        let builder = builder.image_size(16).batch_size(8).lr(0.05);
        builder.scheduler(Scheduler::Constant).workers(1)
    };
    let run = builder().epochs(3).output(&whole).start().unwrap();
    run.run().unwrap();
    let run = builder().epochs(2).max_steps(2).output(&parts).start();
    run.unwrap().run().unwrap();
    let finished = Trainer::resume(&parts).workers(1).start().unwrap();
    assert_eq!(finished.run().unwrap().reason, StopReason::Done);
    assert!(weights(&parts) != weights(&whole));
    let longer = Trainer::resume(&parts).workers(2).max_steps(5).start();
    longer.unwrap().run().unwrap();
    assert!(weights(&parts) != weights(&whole));
    let longer = Trainer::resume(&parts).epochs(3).start().unwrap();
    let outcome = longer.run().unwrap();
    assert_eq!(outcome.best.map(|(epoch, _)| epoch), Some(3));
    assert!(weights(&parts) == weights(&whole));
}

#[test]
fn a_run_that_cannot_be_resumed_is_an_error_of_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let data = folder.path().join("data");
    write_images(&data.join("train"), &[("a", 4), ("b", 4)]);
    write_images(&data.join("val"), &[("a", 2), ("b", 2)]);
    let builder = Trainer::builder(data.display().to_string())
        .depth(20)
        .width(4);
    let builder = builder.batch_size(4).epochs(2).workers(1).output(&run);
    builder.start().unwrap().run().unwrap();
    let error = |builder: ResumeBuilder| builder.start().err().unwrap();
    let resumed = || Trainer::resume(&run).workers(1);

    let absent = error(Trainer::resume(folder.path().join("absent")));
    assert!(matches!(absent, Error::ModelNotFound(_)), "{absent:?}");
    assert!(absent.to_string().ends_with("there is no such folder"));
    let empty = error(Trainer::resume(folder.path()));
    assert!(matches!(empty, Error::ModelNotFound(_)), "{empty:?}");

    let shorter = error(resumed().epochs(1));
    assert!(
        matches!(shorter, Error::InvalidConfiguration(_)),
        "{shorter:?}"
    );
    assert_eq!(
        shorter.hint().unwrap().to_string(),
        "pass more `epochs`, or none"
    );

    let prepared = resumed().start().unwrap();
    let used = error(resumed());
    assert!(matches!(used, Error::Io(_)), "{used:?}");
    drop(prepared);

    let moved = folder.path().join("moved");
    fs::rename(&data, &moved).unwrap();
    let missing = error(resumed());
    assert!(matches!(missing, Error::Dataset(_)), "{missing:?}");
    fs::rename(&moved, &data).unwrap();
    fs::remove_file(data.join("train/a/0.png")).unwrap();
    let changed = error(resumed());
    assert!(matches!(changed, Error::Dataset(_)), "{changed:?}");
    assert!(changed.hint().is_some());

    let state = run.join("state.safetensors");
    let bytes = fs::read(&state).unwrap();
    fs::write(&state, &bytes[..bytes.len() / 2]).unwrap();
    let damaged = error(resumed());
    assert!(matches!(damaged, Error::DamagedWeights(_)), "{damaged:?}");
}
