//! `resnet eval --compare` of runs: what they know of their data, and the pictures that they put aside.

use super::compared::{prepared, saved_run};
use super::{pictures, report, run, save};
use resnet::weights::RunNote;
use resnet::weights::run::canonical;
use serde_json::Value;
use std::fs;

#[test]
fn runs_know_their_data_what_it_had_to_do_with_them_and_their_epochs() {
    let folder = prepared();
    let data = folder.path().join("data");
    let metrics = "epoch,train_loss,train_top1,val_loss,val_top1,val_top5,lr,seconds\n\
                   1,1.5,30,1.25,20,,0.1,2.000\n2,1,60,,,,0.05,2.000\n";
    saved_run(&folder.path().join("runs/x"), &data, Some(metrics));
    saved_run(&folder.path().join("runs/y"), &data, None);
    let line = "eval --compare runs/x runs/y/best -f json";
    let done = run(folder.path(), line);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let mark = "these pictures also chose the epoch (2, of top-1 40.00 % on 15 of them): the figures flatter the model";
    assert_eq!(
        done.stderr,
        format!("note: `runs/x`: {mark}\nnote: `runs/y/best`: {mark}\n")
    );
    let compared: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(compared["data"], canonical(data.to_str().unwrap()));
    let [x, y] = [&compared["models"][0], &compared["models"][1]];
    assert_eq!(
        (&x["chose_best"], x.get("learnt")),
        (&Value::Bool(true), None)
    );
    assert_eq!(y["curves"], Value::Array(Vec::new()));
    let epoch = &x["curves"][0];
    let numbers =
        ["epoch", "train_loss", "train_top1", "val_loss", "val_top1"].map(|key| &epoch[key]);
    assert_eq!(
        numbers.map(Value::as_f64),
        [1.0, 1.5, 30.0, 1.25, 20.0].map(Some)
    );
    assert_eq!(x["curves"][1]["val_top1"], Value::Null);
    // The same weights do not differ.
    let pair = &compared["pairs"][0];
    assert_eq!((&pair["only_first"], &pair["p"]), (&0.into(), &1.0.into()));
    let text = run(folder.path(), "eval -q --compare runs/x runs/y/best");
    assert!(
        text.stdout
            .contains("\nx: these pictures also chose the epoch\n"),
        "{}",
        text.stdout
    );
    assert!(
        text.stdout
            .contains("\nno: no difference that these pictures show")
    );
    // A recipe beside the epochs has the data as they were written.
    fs::write(
        folder.path().join("runs/x/config.toml"),
        "data = \"data\"\n",
    )
    .unwrap();
    assert_eq!(report(folder.path(), line)["data"], "data");
    fs::remove_dir_all(&data).unwrap();
    let gone = run(folder.path(), line);
    assert_eq!(gone.status, 1);
    assert!(
        gone.stderr.contains("the runs' data: cannot read data set")
            && gone.stderr.contains("\nhint: "),
        "{}",
        gone.stderr
    );
}

#[test]
fn the_part_that_validated_is_carved_again_where_all_runs_put_the_same_aside() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pictures(&folder.join("data"), &[("a", 6), ("b", 6)], 0);
    for (run_folder, seed) in [("x", 1), ("y", 1), ("z", 2)] {
        let line = format!(
            "train -q -d data --depth 20 --width 4 --val-split 0.5 --max-steps 1 --seed {seed} -o {run_folder}"
        );
        let done = run(folder, &line);
        assert_eq!(done.status, 0, "{}", done.stderr);
    }
    let done = run(folder, "eval --compare x y --split val -f json");
    assert_eq!(done.status, 0, "{}", done.stderr);
    let compared: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (&compared["data"], &compared["images"]),
        (&"data".into(), &6.into())
    );
    for model in compared["models"].as_array().unwrap() {
        assert_eq!(
            (&model["chose_best"], model.get("learnt")),
            (&true.into(), None)
        );
        assert_eq!(model["curves"].as_array().unwrap().len(), 1);
    }
    let done = run(folder, "eval --compare x z --split val");
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert!(
        done.stderr
            .contains("the models' runs put different pictures of `data` aside"),
        "{}",
        done.stderr
    );
    // What was carved out for one taught the model that saw all.
    save(
        &folder.join("whole"),
        &["a", "b"],
        Some(RunNote {
            data: canonical(folder.join("data").to_str().unwrap()),
            carved: None,
            chosen: None,
            from: None,
        }),
    );
    let compared = report(folder, "eval -q --compare x whole --split val -f json");
    assert_eq!(compared["models"][1]["learnt"], true);
}
