//! Refusals and notes of a new run.

use super::{dry, notes, start};
use crate::error::{hint_of, is_usage_error, one_line};
use crate::train::trainer::target::Target;
use std::fs;

/// Keys, whether they are wrong usage, and the start of the error.
const WRONG: [(&str, bool, &str); 31] = [
    (
        "freeze = 'layer4'",
        true,
        "cannot train with freeze = layer4: the network has 3 stages",
    ),
    (
        "freeze = 'backbone'\nmixup = 0.2",
        true,
        "cannot train with mixup = 0.2",
    ),
    (
        "freeze = 'backbone'\ncutmix = 1",
        true,
        "cannot train with cutmix = 1",
    ),
    (
        "freeze = 'backbone'\nrandom-erase = 0.5",
        true,
        "cannot train with random-erase = 0.5",
    ),
    (
        "\n\nepochs = \"three\"",
        false,
        "line 3: `epochs`: invalid type: string \"three\", expected a whole number",
    ),
    (
        "epochs = -1",
        false,
        "line 1: `epochs`: invalid value: integer `-1`",
    ),
    (
        "mean = [0.5,\n  true]",
        false,
        "line 2: `mean`: invalid type: boolean `true`, expected a number",
    ),
    (
        "freeze = \"tail\"",
        false,
        "line 1: `freeze`: `tail` is not a part of a model",
    ),
    (
        "optimizer = \"lion\"",
        false,
        "line 1: `optimizer`: unknown variant `lion`",
    ),
    ("lr = 0.1\nlr = 0.2", false, "line 2: duplicate key"),
    ("lr = ", false, "line 1: "),
    (
        "image-size = \"24 x 32\"",
        false,
        "line 1: `image-size`: must be 1 to 4096 pixels: 224, or 192x256 for",
    ),
    (
        "image-size = [24]",
        false,
        "line 1: `image-size`: must be 1 to 4096 pixels: 224, or [192, 256] for",
    ),
    ("width = 0", true, "cannot train with width = 0"),
    ("width = 100000", true, "cannot train with width = 100000"),
    ("groups = 0", true, "cannot train with groups = 0"),
    ("crop-pct = nan", true, "cannot train with crop-pct = NaN"),
    ("mean = []", true, "cannot train with mean = []"),
    (
        "mean = [123.7, 116.3, 103.5]",
        true,
        "cannot train with mean = 123.7: pixel values are scaled",
    ),
    (
        "std = [58.4, 57.1, 57.4]",
        true,
        "cannot train with std = 58.4: pixel values are scaled",
    ),
    ("std = [1.0, 0.0, 1.0]", true, "cannot train with std = 0"),
    ("std = [0.0]", true, "cannot train with std = [0.0]"),
    ("image-size = 0", true, "cannot train with image-size = 0x0"),
    (
        "milestones = [9223372036854775807]",
        true,
        "cannot train with milestones = ",
    ),
    (
        "warmup-epochs = 1e300",
        true,
        "cannot train with warmup-epochs = ",
    ),
    (
        "label-smoothing = 1.0",
        true,
        "cannot train with label-smoothing = 1",
    ),
    (
        "grad-accumulation = 0",
        true,
        "cannot train with grad-accumulation = 0",
    ),
    (
        "depth = 19",
        true,
        "cannot build this network: there is no residual network of depth 19",
    ),
    ("dtype = \"f16\"", true, "cannot train with dtype = f16"),
    ("batch-size = 0", true, "cannot train with batch-size = 0"),
    (
        "batch-size = 10\ndrop-last = true",
        true,
        "`drop-last` leaves no batch",
    ),
];

#[test]
fn wrong_keys_are_refused_by_their_names_with_the_way_out() {
    for (keys, is_usage, expected) in WRONG {
        let (trainer, _) = start(keys, &Target::Dry(None));
        let Err(error) = trainer else {
            panic!("{keys} can be trained");
        };
        let text = one_line(&error);
        assert!(text.starts_with(expected), "{keys}: {text}");
        assert_eq!(is_usage_error(&error), is_usage, "{keys}: {text}");
        assert!(hint_of(&error).is_some(), "{keys}: {text}");
    }
}

#[test]
fn settings_without_effect_are_noted() {
    for (keys, note) in [
        (
            "augment = 'flip'",
            "random inputs: `augment` and `random-erase` have no effect",
        ),
        (
            "random-erase = 0.5",
            "random inputs: `augment` and `random-erase` have no effect",
        ),
        (
            "scheduler = 'step'\nmilestones = [5]",
            "the run ends before the first of `milestones`",
        ),
        ("freeze = 'stem'", "`freeze` keeps random weights"),
        ("patience = 3", "`patience` has no effect"),
        ("best-by = 'loss'", "`best-by` has no effect"),
    ] {
        let events = dry(&format!("epochs = 2\n{keys}"));
        let notes = notes(&events);
        assert!(
            notes.iter().any(|text| text.starts_with(note)),
            "{keys}: {notes:?}"
        );
    }
    let events = dry("epochs = 2\naugment = 'none'\nmixup = 0.2\nscheduler = 'step'");
    assert!(notes(&events).is_empty(), "{events:?}");
}

#[test]
fn batches_of_every_size_make_their_steps() {
    for (keys, steps) in [
        ("batch-size = 1", 9),
        ("batch-size = 4", 3),
        ("batch-size = 4\ndrop-last = true", 2),
        ("batch-size = 9\ndrop-last = true", 1),
        ("batch-size = 1000", 1),
        ("batch-size = 2\ngrad-accumulation = 3", 2),
    ] {
        let events = dry(&format!("data = 'fake:9'\n{keys}"));
        let started = format!("started: {steps} steps per epoch");
        assert!(events.contains(&started), "{keys}: {events:?}");
    }
    // The last stage of an ImageNet stem sees one pixel of 32.
    let tall = "depth = 18\nstem = 'imagenet'\nimage-size = 32\nbatch-size = 1";
    let error = start(tall, &Target::Dry(None)).0.err().unwrap();
    assert!(is_usage_error(&error) && hint_of(&error).is_some());
    let text = one_line(&error);
    assert!(
        text.starts_with("cannot train on batches of one image"),
        "{text}"
    );
}

#[test]
fn the_stem_follows_size_and_depth_and_is_named_in_the_description_and_in_config_toml() {
    for (keys, stem, name) in [
        ("depth = 18\nimage-size = 40", "cifar", "CIFAR"),
        ("depth = 18\nimage-size = 41", "imagenet", "ImageNet"),
        ("depth = 20\nimage-size = 64", "cifar", "CIFAR"),
        (
            "depth = 18\nimage-size = 64\nstem = 'cifar'",
            "cifar",
            "CIFAR",
        ),
    ] {
        let root = tempfile::tempdir().unwrap();
        let run = root.path().join("run");
        let (trainer, events) = start(keys, &Target::Folder(run.clone()));
        trainer.map(drop).unwrap();
        let model = format!("model: from scratch, {name} stem");
        assert!(events.contains(&model), "{events:?}");
        let config = fs::read_to_string(run.join("config.toml")).unwrap();
        assert!(
            config.contains(&format!("\nstem = \"{stem}\"\n")),
            "{config}"
        );
    }
}

#[test]
fn folders_that_cannot_be_a_new_runs_are_refused_before_anything_is_done() {
    let root = tempfile::tempdir().unwrap();
    let place = |name: &str| root.path().join(name);
    fs::write(place("file"), "text").unwrap();
    fs::create_dir(place("mine")).unwrap();
    fs::write(place("mine/thesis.tex"), "text").unwrap();
    fs::create_dir(place("empty")).unwrap();
    start("", &Target::Folder(place("run")))
        .0
        .map(drop)
        .unwrap();
    for (name, expected, hint) in [
        (
            "file",
            "cannot create a run folder: `FILE` is a file",
            "move the file, or pass another folder with `output`",
        ),
        (
            "file/new/run",
            "cannot create a run folder: `FILE` is a file",
            "move the file, or pass another folder with `output`",
        ),
        (
            "mine",
            "run folder `MINE` is not empty",
            "pass another `name`, or a new folder with `output`",
        ),
        (
            "run",
            "run folder `RUN` is not empty",
            "resume = RUN` resumes that run",
        ),
    ] {
        let named = |text: &str| {
            let shown = |name: &str| place(name).display().to_string();
            let text = text
                .replace("FILE", &shown("file"))
                .replace("MINE", &shown("mine"));
            text.replace("RUN", &shown("run"))
        };
        for target in [Target::Folder(place(name)), Target::Dry(Some(place(name)))] {
            let (trainer, events) = start("", &target);
            let error = trainer.err().unwrap();
            assert_eq!(error.to_string(), named(expected));
            let found = hint_of(&error).unwrap().to_string();
            assert!(found.contains(&named(hint)), "{found}");
            assert!(events.is_empty(), "{events:?}");
        }
    }
    start("", &Target::Folder(place("empty")))
        .0
        .map(drop)
        .unwrap();
    assert!(place("empty/state.safetensors").is_file());
    for target in [
        Target::Dry(Some(place("new"))),
        Target::Trial(Some(place("new"))),
    ] {
        start("", &target).0.map(drop).unwrap();
    }
    assert!(!place("new").exists());
}

#[test]
fn another_measure_than_top1_is_named_with_the_validation_set() {
    for (by, caption) in [
        ("top1", ""),
        ("loss", "; best epoch by validation loss"),
        ("macro-f1", "; best epoch by macro-F1"),
        ("balanced", "; best epoch by balanced accuracy"),
    ] {
        let events = dry(&format!(
            "data = 'fake:40:4'\nval-split = 0.25\nbest-by = '{by}'"
        ));
        let validation = events
            .iter()
            .find(|event| event.starts_with("validation: "));
        let validation = validation.unwrap();
        let named = validation
            .split_once("; ")
            .map_or(0, |(text, _)| validation.len() - text.len());
        assert_eq!(
            &validation[validation.len() - named..],
            caption,
            "{events:?}"
        );
    }
}
