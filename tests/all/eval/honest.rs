//! Tests that metrics on images that also selected the model's epoch are marked, and that a run is measured on images that it
//! was not trained on.

use super::{report, run, save, save_images};
use crate::support::command::Resnet;
use resnet::weights::TrainingProvenance;
use resnet::weights::provenance::{Selection, canonical};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const NOTE: &str = "note: optimistic: the same images selected the best epoch (epoch 7: 61.50 % top-1 on 2 images)\n";

/// Creates a model whose epoch was selected on `split` of the data in `folder`; returns the output of `eval` on `data`.
fn evaluated(folder: &Path, split: &str, data: &str) -> (String, Value) {
    let run = TrainingProvenance {
        data: canonical(folder.join("data").to_str().unwrap()),
        held_out: None,
        selection: Some(Selection {
            split: split.to_owned(),
            images: 2,
            epoch: 7,
            val_top1: 61.5,
        }),
        from: None,
    };
    save(&folder.join("model"), &["a", "b"], Some(run));
    let line = format!("eval -m model -f json -d {data}");
    let done = Resnet::line(&line).folder(folder).run();
    assert_eq!(done.status, 0, "{}", done.stderr);
    (done.stderr, serde_json::from_str(&done.stdout).unwrap())
}

#[test]
fn images_that_selected_the_epoch_are_named_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for split in ["train", "val", "test"] {
        save_images(&folder.join("data").join(split), &[("a", 1), ("b", 1)], 0);
    }
    let (stderr, report) = evaluated(folder, "val", "data --split val");
    assert_eq!(stderr, NOTE);
    assert_eq!(report["chose_best"], true);
    let (stderr, report) = evaluated(folder, "val", "./data/../data/ --split val");
    assert_eq!(
        (stderr.as_str(), &report["chose_best"]),
        (NOTE, &Value::Bool(true))
    );
    // The split's folder alone holds the same images.
    let (stderr, report) = evaluated(folder, "val", "data/val");
    assert!(stderr.ends_with(NOTE), "{stderr}");
    assert_eq!(
        (&report["split"], &report["chose_best"]),
        (&"all".into(), &Value::Bool(true))
    );
    let (stderr, report) = evaluated(folder, "val", "data");
    assert_eq!((stderr.as_str(), &report["split"]), ("", &"test".into()));
    assert_eq!(
        (report.get("chose_best"), report.get("learnt")),
        (None, None)
    );
    assert_eq!(report.get("remark"), None);
    let (stderr, report) = evaluated(folder, "test", "data");
    assert_eq!(
        (stderr.as_str(), &report["chose_best"]),
        (NOTE, &Value::Bool(true))
    );
    let (stderr, report) = evaluated(folder, "val", "data --split train");
    assert_eq!(
        stderr,
        "note: optimistic: the model was trained on these images\n"
    );
    assert_eq!(report["remark"], "the model was trained on these images");
    assert_eq!(report.get("chose_best"), None);
    assert_eq!(report["learnt"], true);
}

#[test]
fn the_text_ends_with_what_makes_the_figures_optimistic_and_says_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for split in ["train", "val"] {
        save_images(&folder.join("data").join(split), &[("a", 1), ("b", 1)], 0);
    }
    // What chose the epoch, with how many images, the split that is evaluated, and the remark.
    for (chosen_by, images, split, remark) in [
        (
            "val",
            2,
            "val",
            "the same images selected the best epoch (epoch 7: 61.50 % top-1 on 2 images)",
        ),
        (
            "val",
            1,
            "val",
            "some of these images selected the best epoch (epoch 7: 61.50 % top-1 on 1 image)",
        ),
        ("val", 2, "train", "the model was trained on these images"),
        (
            "train",
            1,
            "train",
            "the model was trained on most of these images, and the others selected the best epoch (epoch 7: 61.50 % top-1 on 1 image)",
        ),
        ("train", 1, "val", ""),
    ] {
        let run = TrainingProvenance {
            data: canonical(folder.join("data").to_str().unwrap()),
            held_out: None,
            selection: Some(Selection {
                split: chosen_by.into(),
                images,
                epoch: 7,
                val_top1: 61.5,
            }),
            from: None,
        };
        save(&folder.join("model"), &["a", "b"], Some(run));
        let line = format!("eval -m model -d data --split {split}");
        let done = Resnet::line(&line).folder(folder).run();
        assert_eq!((done.status, done.stderr.as_str()), (0, ""));
        let end = done.stdout.rsplit("\n\n").next().unwrap();
        let last = end.split_whitespace().collect::<Vec<_>>().join(" ");
        if remark.is_empty() {
            assert!(last.starts_with("speed "), "{}", done.stdout);
        } else {
            assert_eq!(last, format!("optimistic: {remark}"));
        }
        for words in ["epoch", "trained on", "optimistic"] {
            let most = usize::from(!remark.is_empty()) * 2;
            assert!(
                done.stdout.matches(words).count() <= most,
                "{}",
                done.stdout
            );
        }
    }
}

/// The names of the images in a folder's predictions.csv.
fn evaluated_images(folder: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(folder.join("predictions.csv")).unwrap();
    let names = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').next());
    names.map(str::to_owned).collect()
}

#[test]
fn a_run_is_measured_on_the_part_that_it_held_out_and_train_leaves_that_out() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    save_images(&folder.join("data"), &[("a", 6), ("b", 4)], 0);
    let line = "train -q -d data --depth 20 --width 4 --val-split 0.3 --max-steps 1 -o run";
    let done = run(folder, line);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let images = |line: &str, split: &str| {
        let line = format!("eval -q -m run {line} -f json --output out");
        let report = report(folder, &line);
        assert_eq!(
            (&report["split"], &report["data"]),
            (&split.into(), &"data".into())
        );
        (evaluated_images(&folder.join("out")), report)
    };
    let (held_out, default) = images("", "val");
    assert_eq!((held_out.len(), default["images"].as_u64()), (3, Some(3)));
    assert_eq!(
        (&default["chose_best"], default.get("learnt")),
        (&true.into(), None)
    );
    for line in ["-d data", "--split val", "-d data --split val"] {
        assert_eq!(images(line, "val").0, held_out, "{line}");
    }
    let (trained, train) = images("--split train", "train");
    assert_eq!((trained.len(), train.get("chose_best")), (7, None));
    assert_eq!(train["remark"], "the model was trained on these images");
    assert!(trained.is_disjoint(&held_out));
    let (all, _) = images("--split all", "all");
    assert_eq!(all, trained.union(&held_out).cloned().collect());
    // A copy of the folder holds the same images, whether the first is still there or not.
    fs::create_dir(folder.join("elsewhere")).unwrap();
    let copied = folder.join("elsewhere/photos");
    for class in ["a", "b"] {
        fs::create_dir_all(copied.join(class)).unwrap();
        for entry in fs::read_dir(folder.join("data").join(class)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copied.join(class).join(entry.file_name())).unwrap();
        }
    }
    let of_copy = |line: &str| report(folder, &format!("eval -q -m run -d {line} -f json"));
    let copy = of_copy("elsewhere/photos");
    assert_eq!(
        (&copy["split"], &copy["images"]),
        (&"val".into(), &3.into())
    );
    assert_eq!(copy["top1"], default["top1"]);
    // Other images with the same names are not the run's.
    fs::write(
        copied.join("a/0.png"),
        fs::read(copied.join("b/0.png")).unwrap(),
    )
    .unwrap();
    save_images(&folder.join("fresh"), &[("a", 6), ("b", 4)], 100);
    fs::write(
        folder.join("fresh/a/0.png"),
        [fs::read(copied.join("a/0.png")).unwrap(), vec![0; 9]].concat(),
    )
    .unwrap();
    let fresh = of_copy("fresh");
    assert_eq!(
        (&fresh["split"], &fresh["images"]),
        (&"all".into(), &10.into())
    );
    assert_eq!(fresh.get("remark"), None);
    fs::rename(folder.join("data"), folder.join("moved")).unwrap();
    assert_eq!(of_copy("moved")["top1"], default["top1"]);
    let gone = run(folder, "eval -m run");
    assert_eq!((gone.status, gone.stdout.as_str()), (1, ""));
    assert!(
        gone.stderr.starts_with("error: the data of training, `")
            && gone
                .stderr
                .ends_with("hint: put it back, or pass the images with -d\n"),
        "{}",
        gone.stderr
    );
}

#[test]
fn a_model_that_was_trained_on_all_images_has_none_left_to_evaluate() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    save_images(&folder.join("data"), &[("a", 2), ("b", 2)], 0);
    let data = canonical(folder.join("data").to_str().unwrap());
    let note = TrainingProvenance {
        data,
        held_out: None,
        selection: None,
        from: None,
    };
    save(&folder.join("model"), &["a", "b"], Some(note));
    let refused = run(folder, "eval -m model");
    assert_eq!((refused.status, refused.stdout.as_str()), (1, ""));
    assert!(
        refused.stderr.contains("were trained on: none is left to evaluate\nhint: pass other images with -d, or --split train"),
        "{}",
        refused.stderr
    );
    let train = report(folder, "eval -q -m model --split train -f json");
    assert_eq!(
        (&train["images"], &train["learnt"]),
        (&4.into(), &true.into())
    );
}
