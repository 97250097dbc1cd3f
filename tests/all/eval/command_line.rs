//! Tests of `resnet eval` as a user runs it.

use super::{report, run, save, save_images};
use crate::support::command::Resnet;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The keys of the contract, in its order.
const KEYS: [&str; 12] = [
    "model",
    "data",
    "split",
    "images",
    "skipped",
    "loss",
    "top1",
    "top5",
    "seconds",
    "images_per_second",
    "classes",
    "confusion",
];

/// Creates a folder with `model` of classes a, b and c, and `data` with images of them under test/ and val/.
fn prepared() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    save(&folder.path().join("model"), &["a", "b", "c"], None);
    let data = folder.path().join("data");
    save_images(&data.join("test"), &[("a", 5), ("b", 4), ("c", 6)], 0);
    save_images(&data.join("val"), &[("a", 1), ("b", 1), ("c", 1)], 50);
    folder
}

/// Returns the predicted class of each image of a folder, in order, by `predict`.
fn predicted(folder: &Path, images: &str) -> Vec<usize> {
    let line = format!("predict {images} -m model -f json -k 1");
    let done = run(folder, &line);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let lines = done.stdout.lines();
    lines
        .map(|line| {
            let value: Value = serde_json::from_str(line).unwrap();
            value["predictions"][0]["class"].as_u64().unwrap() as usize
        })
        .collect()
}

#[test]
fn json_has_the_contracts_keys_and_the_confusion_is_predicts() {
    let folder = prepared();
    let report = report(folder.path(), "eval -m model -d data -f json");
    let keys: Vec<&String> = report.as_object().unwrap().keys().collect();
    assert_eq!(keys, KEYS);
    assert_eq!(report["model"], "model");
    assert_eq!(
        (&report["data"], &report["split"]),
        (&"data".into(), &"test".into())
    );
    assert_eq!(
        (&report["images"], &report["skipped"]),
        (&15.into(), &0.into())
    );
    assert_eq!(report["top5"], Value::Null);
    assert!(report["seconds"].as_f64().unwrap() > 0.0);
    assert!(report["images_per_second"].as_f64().unwrap() > 0.0);
    let mut confusion = vec![vec![0; 3]; 3];
    for (class, name) in ["a", "b", "c"].iter().enumerate() {
        for predicted in predicted(folder.path(), &format!("data/test/{name}")) {
            confusion[class][predicted] += 1;
        }
    }
    assert_eq!(report["confusion"], serde_json::json!(confusion));
    // The images and the model are chosen so that exchanged rows and columns fail the test.
    assert!(
        confusion[0][1] != confusion[1][0] || confusion[0][2] != confusion[2][0],
        "{confusion:?}"
    );
    let right: usize = (0..3).map(|class| confusion[class][class]).sum();
    assert!((report["top1"].as_f64().unwrap() - 100.0 * right as f64 / 15.0).abs() < 1e-9);
    let class = report["classes"][2].as_object().unwrap();
    assert_eq!(
        class.keys().collect::<Vec<_>>(),
        ["label", "images", "precision", "recall", "f1"]
    );
    assert_eq!(
        (&class["label"], &class["images"]),
        (&"c".into(), &6.into())
    );
    let recall = confusion[2][2] as f64 / 6.0;
    assert!((class["recall"].as_f64().unwrap() - recall).abs() < 1e-12);
}

#[test]
fn threads_and_workers_do_not_change_a_bit_and_f64_gives_the_same_figures() {
    let folder = prepared();
    let line = |flags: &str| {
        let mut report = report(
            folder.path(),
            &format!("eval -m model -d data -f json {flags}"),
        );
        for measured in ["seconds", "images_per_second"] {
            report.as_object_mut().unwrap().remove(measured);
        }
        report
    };
    let one = line("--threads 1");
    assert_eq!(line("--threads 2 --workers 1"), one);
    assert_eq!(line("--threads 3 --workers 5"), one);
    let reference = line("--dtype f64 -b 4");
    assert_eq!(reference["confusion"], one["confusion"]);
    let loss = |report: &Value| report["loss"].as_f64().unwrap();
    assert!((loss(&reference) - loss(&one)).abs() < 1e-5);
}

#[test]
fn the_split_is_test_where_there_is_one_and_else_val() {
    let folder = prepared();
    let images = |line: &str| {
        let report = report(folder.path(), line);
        (report["split"].clone(), report["images"].as_u64().unwrap())
    };
    assert_eq!(images("eval -m model -d data -f json"), ("test".into(), 15));
    assert_eq!(
        images("eval -m model -d data -f json --split val"),
        ("val".into(), 3)
    );
    let missing = run(folder.path(), "eval -m model -d data --split train");
    assert_eq!(missing.status, 1);
    assert_eq!(
        missing.stderr,
        "error: dataset `data` has no train split\nhint: pass --split test or --split val\n"
    );
    let alone = run(folder.path(), "eval -m model -d data/test -f json");
    assert_eq!(
        alone.stderr,
        "note: `data/test` has no splits: all of its images are evaluated\n"
    );
    assert!(alone.stdout.contains("\"split\":\"all\",\"images\":15,"));
    let asked = run(
        folder.path(),
        "eval -m model -d data/test -f json --split all",
    );
    assert_eq!((asked.status, asked.stderr.as_str()), (0, ""));
    assert!(asked.stdout.contains("\"split\":\"all\",\"images\":15,"));
    let in_splits = run(folder.path(), "eval -m model -d data --split all");
    assert_eq!(
        (in_splits.status, in_splits.stderr.as_str()),
        (
            2,
            "error: `data` has splits: --split all is for images without them\nhint: pass --split test or --split val\n"
        )
    );
    fs::remove_dir_all(folder.path().join("data/test")).unwrap();
    assert_eq!(images("eval -m model -d data -f json"), ("val".into(), 3));
    fs::rename(
        folder.path().join("data/val"),
        folder.path().join("data/train"),
    )
    .unwrap();
    let only_train = run(folder.path(), "eval -m model -d data");
    assert_eq!(
        (only_train.status, only_train.stderr.as_str()),
        (
            1,
            "error: dataset `data` has no test or val split\nhint: pass --split train\n"
        )
    );
    assert_eq!(
        images("eval -m model -d data -f json --split train"),
        ("train".into(), 3)
    );
}

#[test]
fn an_unreadable_image_is_named_counted_and_skipped_or_ends_the_evaluation() {
    let folder = prepared();
    let bad = folder.path().join("data/test/b/1.png");
    fs::write(&bad, "no image").unwrap();
    let done = run(folder.path(), "eval -m model -d data -f json --output out");
    assert_eq!(done.status, 1);
    assert!(
        done.stderr
            .starts_with("error: cannot read image `data/test/b/1.png`: "),
        "{}",
        done.stderr
    );
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (&report["images"], &report["skipped"]),
        (&14.into(), &1.into())
    );
    assert_eq!(report["classes"][1]["images"], 3);
    let lines = fs::read_to_string(folder.path().join("out/predictions.csv")).unwrap();
    let line = lines
        .lines()
        .skip(7)
        .find(|line| line.starts_with("data/test/b/1.png,"));
    assert!(
        line.unwrap().starts_with("data/test/b/1.png,b,,,,,,,,"),
        "{line:?}"
    );
    let strict = run(
        folder.path(),
        "eval -m model -d data --strict --output strict",
    );
    assert_eq!((strict.status, strict.stdout.as_str()), (1, ""));
    assert_eq!(strict.stderr.matches("data/test/b/1.png").count(), 1);
    assert_eq!(
        fs::read_dir(folder.path().join("strict")).unwrap().count(),
        0
    );
}

#[test]
fn the_output_folder_gets_the_evaluation_and_one_line_per_image() {
    let folder = prepared();
    save(
        &folder.path().join("model"),
        &["a", "b", "c, \"sea\""],
        None,
    );
    let out = folder.path().join("deep/out");
    fs::create_dir_all(&out).unwrap();
    fs::write(out.join("evaluation.json"), "old").unwrap();
    let done = run(
        folder.path(),
        "eval -m model -d data -f json --output deep/out",
    );
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(
        fs::read_to_string(out.join("evaluation.json")).unwrap(),
        done.stdout
    );
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    let text = fs::read_to_string(out.join("predictions.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "image,label,predicted,probability,correct,top2,top3,top4,top5,error"
    );
    assert_eq!(lines.len(), 16);
    assert!(lines[1].starts_with("data/test/a/0.png,a,"), "{}", lines[1]);
    assert!(
        lines[15].starts_with("data/test/c/5.png,\"c, \"\"sea\"\"\","),
        "{}",
        lines[15]
    );
    let right = lines.iter().filter(|line| line.contains(",true,")).count();
    let top1 = report["top1"].as_f64().unwrap();
    assert!((100.0 * right as f64 / 15.0 - top1).abs() < 1e-9);
    // These two, the page and its plots.
    assert_eq!(fs::read_dir(&out).unwrap().count(), 4);
}

#[test]
fn an_output_folder_that_cannot_be_is_refused_before_the_model_is_opened() {
    let folder = prepared();
    fs::write(folder.path().join("file"), "").unwrap();
    let done = run(folder.path(), "eval -m no/such/model -d data --output file");
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert!(
        done.stderr
            .starts_with("error: cannot write into folder `file`: "),
        "{}",
        done.stderr
    );
    fs::create_dir_all(folder.path().join("out/evaluation.json")).unwrap();
    let done = run(folder.path(), "eval -m no/such/model -d data --output out");
    assert_eq!(
        done.stderr,
        "error: cannot write into folder `out`: `evaluation.json` in it is a folder\nhint: pass another folder\n"
    );
}

#[test]
fn classes_are_matched_by_name_and_refused_where_they_cannot_be() {
    let folder = prepared();
    let base = report(folder.path(), "eval -m model -d data -f json");
    // The model counts its classes in another order: the figures of each stay.
    save(&folder.path().join("turned"), &["c", "a", "b"], None);
    let done = run(folder.path(), "eval -m turned -d data -f json");
    assert_eq!(
        done.stderr,
        "note: the classes of the data are in another order than those of the model: they are matched by name\n"
    );
    let turned: Value = serde_json::from_str(&done.stdout).unwrap();
    // The true c, in row 0 now, is predicted as before: the network's numbers have not moved.
    assert_eq!(turned["confusion"][0], base["confusion"][2]);
    assert_eq!(turned["confusion"][1], base["confusion"][0]);
    save(
        &folder.path().join("more"),
        &["x", "c, sea", "y", "A, first", "b"],
        None,
    );
    let done = run(folder.path(), "eval -m more -d data -f json");
    assert_eq!(
        done.stderr,
        "note: the data has 3 of the model's 5 classes, matched by name\n"
    );
    let more: Value = serde_json::from_str(&done.stdout).unwrap();
    let classes = more["classes"].as_array().unwrap().iter();
    let images: Vec<_> = classes
        .map(|class| class["images"].as_u64().unwrap())
        .collect();
    assert_eq!(images, [0, 6, 0, 5, 4]);
    assert!(more["top5"].is_f64());
    save(&folder.path().join("other"), &["x", "y"], None);
    let done = run(folder.path(), "eval -m other -d data");
    assert_eq!(
        (done.status, done.stderr.as_str()),
        (
            1,
            "error: cannot evaluate `other` on `data`: the classes of the data are not those of the model: `a`, `b`, `c` are unknown to it (3 classes in the data, 2 in the model)\nhint: name the class folders like the classes of the model, or train on this data: `resnet train -m MODEL -d DATA`\n"
        )
    );
}

#[test]
fn text_fits_eighty_columns_and_lists_the_worst_classes_first() {
    let folder = prepared();
    let done = run(folder.path(), "eval -m model -d data");
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    let starts = [
        "model",
        "data",
        "images",
        "loss",
        "top-1",
        "",
        "class",
        "a",
        "b",
        "c",
        "macro average",
    ];
    let lines: Vec<&str> = done.stdout.lines().collect();
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{}", done.stdout);
    }
    let long = "a class whose name is much longer than the table has room for, 고양이";
    let names: Vec<String> = (0..13).map(|class| format!("{long} {class}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    save(&folder.path().join("many"), &names, None);
    let data = folder.path().join("many-data");
    save_images(
        &data,
        &names.iter().map(|&name| (name, 2)).collect::<Vec<_>>(),
        0,
    );
    let done = run(folder.path(), "eval -m many -d many-data");
    assert_eq!(done.status, 0, "{}", done.stderr);
    let widest = done.stdout.lines().map(console::measure_text_width).max();
    assert!(widest <= Some(80), "{widest:?}: {}", done.stdout);
    let lines: Vec<&str> = done.stdout.lines().collect();
    let title = lines
        .iter()
        .position(|line| line.starts_with("the 10 worst of 13 classes"))
        .unwrap();
    let f1 = |line: &&str| -> f64 {
        let cells = line.trim_end_matches("  worst").trim_end_matches(" %");
        cells.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let figures: Vec<f64> = lines[title + 1..=title + 10].iter().map(f1).collect();
    assert!(figures.is_sorted(), "{}", done.stdout);
    assert!(lines[title + 11].starts_with("macro average"));
    assert!(done.stdout.contains("top-5") && done.stdout.contains("\nmost confused\n"));
    let speed = lines.last().unwrap();
    assert!(
        speed.starts_with("speed ") && speed.contains(" images/s, "),
        "{speed}"
    );
}

#[test]
fn a_model_whose_logits_are_nan_is_an_error_that_names_the_image() {
    let folder = prepared();
    let path = folder.path().join("model/model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len() - 4;
    bytes[end..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let done = run(folder.path(), "eval -m model -d data");
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert!(
        done.stderr.contains(
            "error: cannot evaluate image `data/test/a/0.png`: the model's output for this image is not finite"
        ),
        "{}",
        done.stderr
    );
}

#[test]
#[cfg(target_os = "linux")]
fn open_shows_the_report_and_needs_a_folder() {
    use std::os::unix::fs::PermissionsExt;
    let folder = prepared();
    let folder = folder.path();
    let programs = folder.join("bin");
    let browser = programs.join("xdg-open");
    fs::create_dir(&programs).unwrap();
    fs::write(&browser, "#!/bin/sh\nprintf %s \"$1\" > opened\n").unwrap();
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).unwrap();
    let done = Resnet::line("eval -m model -d data --output out --open")
        .folder(folder)
        .env("PATH", &programs)
        .run();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let opened = fs::read_to_string(folder.join("opened")).unwrap();
    assert_eq!(
        Path::new(&opened).canonicalize().unwrap(),
        folder.join("out/report.html").canonicalize().unwrap()
    );
    let alone = run(folder, "eval -m model -d data --open");
    assert_eq!((alone.status, alone.stdout.as_str()), (2, ""));
}

#[test]
fn wrong_usage_of_eval_has_status_two() {
    let folder = prepared();
    let done = run(folder.path(), "eval -m model");
    assert_eq!((done.status, done.stdout.as_str()), (2, ""));
    assert_eq!(
        done.stderr,
        "error: no dataset is given, and `model` does not record the one it was trained on\nhint: pass the images with -d\n"
    );
    for line in [
        "eval",
        "eval -d data",
        "eval -m x -d y --split whole",
        "eval -m x -d y -b 0",
        "eval -m x -d y -f csv",
    ] {
        let done = Resnet::line(line).run();
        assert_eq!((done.status, done.stdout.as_str()), (2, ""), "{line}");
    }
}
