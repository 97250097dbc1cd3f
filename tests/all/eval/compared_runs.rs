//! Tests of `resnet eval --compare` of runs: their knowledge of their data, and the images that they hold out.

use super::compared::{prepared, saved_run};
use super::{report, run, save, save_images};
use resnet::weights::TrainingProvenance;
use resnet::weights::provenance::canonical;
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
    assert_eq!(
        done.stderr,
        "note: optimistic for `runs/x`, `runs/y/best`: the same images selected the best epoch\n"
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
    let words = text.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.ends_with("optimistic: the same images selected the best epoch"),
        "{words}"
    );
    assert_eq!(words.matches("optimistic").count(), 1);
    assert!(
        words.contains("; no: these images show no difference"),
        "{words}"
    );
    // A recipe beside the epochs has the data as they were written.
    fs::write(
        folder.path().join("runs/x/config.toml"),
        "data = \"data\"\n",
    )
    .unwrap();
    assert_eq!(report(folder.path(), line)["data"], "data");
    // What differs between the runs' recipes.
    fs::create_dir_all(folder.path().join("runs/y")).unwrap();
    fs::write(
        folder.path().join("runs/x/config.toml"),
        "data = \"data\"\nlr = 0.1\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("runs/y/config.toml"),
        "data = \"data\"\nlr = 0.2\nmixup = 0.5\n",
    )
    .unwrap();
    let settings = &report(folder.path(), line)["settings"];
    assert_eq!(
        *settings,
        serde_json::json!([
            {"key": "lr", "values": ["0.1", "0.2"]},
            {"key": "mixup", "values": [null, "0.5"]},
        ])
    );
    fs::remove_dir_all(&data).unwrap();
    let gone = run(folder.path(), line);
    assert_eq!(gone.status, 1);
    assert!(
        gone.stderr.starts_with("error: the data of training, `")
            && gone.stderr.contains("\nhint: "),
        "{}",
        gone.stderr
    );
}

#[test]
fn the_validation_images_are_held_out_again_if_all_runs_held_out_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    save_images(&folder.join("data"), &[("a", 6), ("b", 6)], 0);
    for (run_folder, seed) in [("x", 1), ("y", 1), ("z", 2)] {
        let line = format!(
            "train -q -d data --depth 20 --width 4 --val-split 0.5 --max-steps 1 --seed {seed} -o {run_folder}"
        );
        let done = run(folder, &line);
        assert_eq!(done.status, 0, "{}", done.stderr);
    }
    // Without --split, too, nothing is measured on what was trained on.
    let [asked, compared] = ["--split val", ""].map(|split| {
        let mut compared = report(folder, &format!("eval -q --compare x y {split} -f json"));
        for model in compared["models"].as_array_mut().unwrap() {
            let model = model.as_object_mut().unwrap();
            model.remove("seconds");
            model.remove("images_per_second");
        }
        compared
    });
    assert_eq!(asked, compared);
    assert_eq!(
        compared["caption"],
        "data, val: 6 images held out in training; optimistic: the same images selected the best epoch"
    );
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
    // Images that were trained on are no way out where others are left.
    let missing = run(folder, "eval -m x --split test");
    assert_eq!(
        (missing.status, missing.stderr.as_str()),
        (
            1,
            "error: dataset `data` has no test split\nhint: pass --split val\n"
        )
    );
    for split in ["", "--split val", "--split train"] {
        let done = run(folder, &format!("eval --compare x z {split}"));
        assert_eq!((done.status, done.stdout.as_str()), (1, ""));
        assert!(
            done.stderr
                .contains("error: the runs held out different images of `data`\nhint: pass other images with -d, or --split all"),
            "{}",
            done.stderr
        );
    }
    let all = report(folder, "eval -q --compare x z --split all -f json");
    assert_eq!((&all["split"], &all["images"]), (&"all".into(), &12.into()));
    let train = report(folder, "eval -q --compare x y --split train -f json");
    assert_eq!(
        (&train["split"], &train["images"]),
        (&"train".into(), &6.into())
    );
    // Images that one model held out trained the model that saw all.
    save(
        &folder.join("whole"),
        &["a", "b"],
        Some(TrainingProvenance {
            data: canonical(folder.join("data").to_str().unwrap()),
            held_out: None,
            selection: None,
            from: None,
        }),
    );
    let compared = report(folder, "eval -q --compare x whole --split val -f json");
    assert_eq!(compared["models"][1]["learnt"], true);
}
