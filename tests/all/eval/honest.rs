//! A figure on pictures that also chose the model's epoch is marked.

use super::super::command::Resnet;
use super::{pictures, save};
use resnet::weights::RunNote;
use resnet::weights::run::{Chosen, canonical};
use serde_json::Value;
use std::path::Path;

const NOTE: &str = "note: these pictures also chose the epoch (7, of top-1 61.50 % on 2 of them): the figures flatter the model\n";

/// A model whose epoch was chosen on `split` of the data in `folder`, and what `eval` on `data` says.
fn evaluated(folder: &Path, split: &str, data: &str) -> (String, Value) {
    let run = RunNote {
        data: canonical(folder.join("data").to_str().unwrap()),
        carved: None,
        chosen: Some(Chosen {
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
fn pictures_that_chose_the_epoch_are_named_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for split in ["train", "val", "test"] {
        pictures(&folder.join("data").join(split), &[("a", 1), ("b", 1)], 0);
    }
    let (stderr, report) = evaluated(folder, "val", "data --split val");
    assert_eq!(stderr, NOTE);
    assert_eq!(report["chose_best"], true);
    let (stderr, report) = evaluated(folder, "val", "./data/../data/ --split val");
    assert_eq!(
        (stderr.as_str(), &report["chose_best"]),
        (NOTE, &Value::Bool(true))
    );
    // The split's folder by itself holds the same pictures.
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
    let (stderr, report) = evaluated(folder, "test", "data");
    assert_eq!(
        (stderr.as_str(), &report["chose_best"]),
        (NOTE, &Value::Bool(true))
    );
    let (stderr, report) = evaluated(folder, "val", "data --split train");
    assert!(stderr.contains("the model learnt from these pictures"));
    assert_eq!(report.get("chose_best"), None);
    assert_eq!(report["learnt"], true);
}

#[test]
fn the_text_marks_the_figure_itself() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for split in ["train", "val"] {
        pictures(&folder.join("data").join(split), &[("a", 1), ("b", 1)], 0);
    }
    // What chose the epoch, with how many pictures, the split that is evaluated, and the mark.
    for (chosen_by, images, split, mark) in [
        ("val", 2, "val", "  (these pictures also chose the epoch)"),
        (
            "val",
            1,
            "val",
            "  (some of these pictures also chose the epoch)",
        ),
        (
            "val",
            2,
            "train",
            "  (the model learnt from these pictures)",
        ),
        (
            "train",
            1,
            "train",
            "  (the model learnt from these pictures; some chose the epoch)",
        ),
        ("train", 1, "val", ""),
    ] {
        let run = RunNote {
            data: canonical(folder.join("data").to_str().unwrap()),
            carved: None,
            chosen: Some(Chosen {
                split: chosen_by.into(),
                images,
                epoch: 1,
                val_top1: 50.0,
            }),
            from: None,
        };
        save(&folder.join("model"), &["a", "b"], Some(run));
        let line = format!("eval -q -m model -d data --split {split}");
        let done = Resnet::line(&line).folder(folder).run();
        assert_eq!((done.status, done.stderr.as_str()), (0, ""));
        let top1 = done.stdout.lines().find(|line| line.starts_with("top-1"));
        assert!(
            top1.unwrap().ends_with(&format!(" %{mark}")),
            "{}",
            done.stdout
        );
    }
}
