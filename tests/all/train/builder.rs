//! The builder of a run.

use resnet::distributed::Processes;
use resnet::hub::Silent;
use resnet::train::NoObserver;
use resnet::train::{ExecutionContext, OptimizerKind, Recipe, Target, Trainer};
use resnet::{Error, train::StopReason};

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
    let context = ExecutionContext {
        device: candle_core::Device::Cpu,
        workers: 2,
        progress: &Silent,
        processes: Processes::alone(),
    };
    let target = Target::Folder(by_recipe.clone());
    let recipe = Recipe::parse(recipe).unwrap();
    let run = Trainer::start(recipe, &target, "", &context, &mut NoObserver).unwrap();
    run.run(&mut NoObserver).unwrap();
    let weights =
        |run: &std::path::Path| std::fs::read(run.join("last/model.safetensors")).unwrap();
    assert!(weights(&built) == weights(&by_recipe));
    let config = std::fs::read_to_string(built.join("config.toml")).unwrap();
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
