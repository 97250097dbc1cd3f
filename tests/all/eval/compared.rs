//! Tests of `resnet eval --compare`, and of its statistics against those of statsmodels.

use super::{numbers, report, run, save, save_images};
use candle_core::Device;
use resnet::eval::interval::wilson;
use resnet::eval::mcnemar::{exact, holm};
use resnet::weights::provenance::{Selection, canonical};
use resnet::weights::{TrainingProvenance, write_safetensors};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn is_close(ours: f64, theirs: f64) -> bool {
    (ours - theirs).abs() <= 1e-9 * theirs.abs().max(1e-300)
}

#[test]
fn intervals_and_tests_are_those_of_statsmodels() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/eval/comparison.json");
    let fixture: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let cases = |name: &str| fixture[name].as_array().unwrap().clone();
    for case in cases("wilson") {
        let case = numbers(&case);
        let [low, high] = wilson(case[0] as usize, case[1] as usize);
        assert!(
            is_close(low, case[2]) && is_close(high, case[3]),
            "{case:?}"
        );
    }
    for case in cases("mcnemar") {
        let case = numbers(&case);
        let p = exact(case[0] as usize, case[1] as usize);
        assert!(is_close(p, case[2]), "{case:?}: {p}");
    }
    for case in cases("holm") {
        let ours = holm(&numbers(&case[0]));
        let theirs = numbers(&case[1]);
        assert!(
            ours.iter().zip(&theirs).all(|(a, b)| is_close(*a, *b)),
            "{case}"
        );
    }
}

/// Creates three models of the same network with different class names, and images of these classes.
pub fn prepared() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let orders = [["a", "b", "c"], ["c", "a", "b"], ["b", "c", "a"]];
    for (name, labels) in ["one", "two", "three"].iter().zip(orders) {
        save(&folder.path().join(name), &labels, None);
    }
    let data = folder.path().join("data");
    save_images(&data.join("test"), &[("a", 5), ("b", 4), ("c", 6)], 0);
    folder
}

/// Returns for each image whether it was classified correctly, as written by `eval`.
fn correct_images(folder: &Path, model: &str) -> Vec<bool> {
    let line = format!("eval -q -m {model} -d data --output {model}-out");
    assert_eq!(run(folder, &line).status, 0);
    let path = folder.join(format!("{model}-out/predictions.csv"));
    let text = fs::read_to_string(path).unwrap();
    let correct = |line: &str| line.contains(",true,");
    text.lines().skip(1).map(correct).collect()
}

#[test]
fn each_model_has_the_metrics_that_it_has_alone_and_pairs_count_its_images() {
    let folder = prepared();
    let folder = folder.path();
    let names = ["one", "two", "three"];
    let line = "eval --compare one two three -d data -f json --output out";
    let done = run(folder, line);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(
        done.stderr
            .matches("note: `two`: the classes of the data")
            .count(),
        1,
        "{}",
        done.stderr
    );
    let compared: Value = serde_json::from_str(&done.stdout).unwrap();
    let keys: Vec<&String> = compared.as_object().unwrap().keys().collect();
    let expected = [
        "data", "split", "images", "skipped", "models", "pairs", "caption", "settings",
    ];
    assert_eq!(keys, expected);
    assert_eq!(
        (&compared["data"], &compared["split"]),
        (&"data".into(), &"test".into())
    );
    assert_eq!(
        (&compared["images"], &compared["skipped"]),
        (&15.into(), &0.into())
    );
    for (model, name) in compared["models"].as_array().unwrap().iter().zip(names) {
        let alone = report(folder, &format!("eval -q -m {name} -d data -f json"));
        for key in ["model", "top1", "top5", "loss"] {
            assert_eq!(model[key], alone[key], "{key} of {name}");
        }
        let top1 = model["top1"].as_f64().unwrap();
        let [low, high] = wilson((top1 * 0.15).round() as usize, 15);
        assert_eq!(model["top1_low"].as_f64(), Some(100.0 * low));
        assert_eq!(model["top1_high"].as_f64(), Some(100.0 * high));
        assert!(model["seconds"].as_f64().unwrap() > 0.0);
        assert!(model["images_per_second"].as_f64().unwrap() > 0.0);
        assert_eq!(model["curves"], Value::Array(Vec::new()));
        let line = format!("summary {name} --style json --input 3x16x16");
        let summary = report(folder, &line);
        assert_eq!(model["parameters"], summary["total_params"]);
        assert_eq!(model["mult_adds"], summary["mult_adds"]);
    }
    let right = names.map(|name| correct_images(folder, name));
    let pairs = compared["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 3);
    let mut values = Vec::new();
    for (pair, [a, b]) in pairs.iter().zip([[0, 1], [0, 2], [1, 2]]) {
        assert_eq!(pair["models"], serde_json::json!([names[a], names[b]]));
        let both = || right[a].iter().zip(&right[b]);
        let first = both().filter(|&(a, b)| *a && !*b).count();
        let second = both().filter(|&(a, b)| !*a && *b).count();
        assert_eq!(
            (&pair["only_first"], &pair["only_second"]),
            (&first.into(), &second.into())
        );
        assert_eq!(pair["p"].as_f64(), Some(exact(first, second)));
        values.push(exact(first, second));
    }
    for (pair, adjusted) in pairs.iter().zip(holm(&values)) {
        assert_eq!(pair["p_holm"].as_f64(), Some(adjusted));
    }
    // The models and images are chosen so that exchanged sides fail the test.
    assert!(
        pairs
            .iter()
            .any(|pair| pair["only_first"] != pair["only_second"]),
        "{pairs:?}"
    );
    let written = fs::read_to_string(folder.join("out/comparison.json")).unwrap();
    assert_eq!(written, done.stdout);
    let table = fs::read_to_string(folder.join("out/comparison.csv")).unwrap();
    assert_eq!(table.lines().count(), 4);
    let drawn = fs::read_to_string(folder.join("out/comparison.svg")).unwrap();
    assert!(drawn.contains("95 % intervals"));
    assert_eq!(compared["caption"], "data, test: 15 images");
    assert!(drawn.contains("data, test: 15 images"));
    let first = table.lines().nth(1).unwrap();
    assert!(first.ends_with(",data,test,15,"), "{first}");
    // These, the drawing as PNG, and the page.
    assert_eq!(fs::read_dir(folder.join("out")).unwrap().count(), 5);
}

#[test]
fn text_fits_eighty_columns_and_marks_the_best() {
    let folder = prepared();
    let line = "eval -q --compare one two three -d data";
    let done = run(folder.path(), line);
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    let widest = done.stdout.lines().map(console::measure_text_width).max();
    assert!(widest <= Some(80), "{widest:?}: {}", done.stdout);
    let json = report(folder.path(), &format!("{line} -f json"));
    let models = json["models"].as_array().unwrap();
    let top1 = |model: &Value| model["top1"].as_f64().unwrap();
    let best = models.iter().map(top1).fold(0.0, f64::max);
    for model in models {
        let name = model["model"].as_str().unwrap();
        let line = done.stdout.lines().find(|line| line.starts_with(name));
        let shown = format!(
            " {:.2}{} ",
            top1(model),
            if top1(model) >= best { "*" } else { " " }
        );
        assert!(line.unwrap().contains(&shown), "{}", done.stdout);
    }
    let words = done.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("; Holm's: p adjusted for 3 pairs"),
        "{words}"
    );
    // Of two models there is nothing to adjust.
    let done = run(folder.path(), "eval -q --compare one two -d data");
    assert!(!done.stdout.contains("Holm"), "{}", done.stdout);
}

#[test]
fn an_unreadable_image_is_named_once_and_left_out_for_all_models() {
    let folder = prepared();
    fs::write(folder.path().join("data/test/b/1.png"), "no image").unwrap();
    let line = "eval --compare one two -d data -f json";
    let done = run(folder.path(), line);
    assert_eq!(done.status, 1);
    assert_eq!(
        done.stderr.matches("error: cannot read image").count(),
        1,
        "{}",
        done.stderr
    );
    let compared: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (&compared["images"], &compared["skipped"]),
        (&14.into(), &1.into())
    );
    let strict = run(folder.path(), &format!("{line} --strict"));
    assert_eq!((strict.status, strict.stdout.as_str()), (1, ""));
    assert!(
        strict
            .stderr
            .contains("error: cannot compare `one`: cannot read image `data/test/b/1.png`"),
        "{}",
        strict.stderr
    );
}

#[test]
fn a_model_that_fails_is_named_and_the_others_are_compared() {
    let folder = prepared();
    let folder = folder.path();
    let broken = folder.join("three/model.safetensors");
    let (tensors, metadata) = {
        let bytes = fs::read(&broken).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap();
        (
            candle_core::safetensors::load(&broken, &Device::Cpu).unwrap(),
            metadata["resnet.config"].clone(),
        )
    };
    let mut tensors: Vec<_> = tensors.into_iter().collect();
    for (name, tensor) in &mut tensors {
        if name == "fc.bias" {
            *tensor = (&*tensor * f64::NAN).unwrap();
        }
    }
    write_safetensors(&broken, &[("resnet.config", &metadata)], &tensors).unwrap();
    let rest = report(folder, "eval -q --compare one two -d data -f json");
    let done = run(folder, "eval -q --compare one three two -d data -f json");
    assert_eq!(done.status, 1);
    assert!(
        done.stderr
            .starts_with("error: cannot compare `three`: cannot evaluate image `"),
        "{}",
        done.stderr
    );
    assert_eq!(done.stderr.matches("error: ").count(), 1);
    let compared: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(compared["pairs"], rest["pairs"]);
    assert_eq!(compared["models"].as_array().unwrap().len(), 2);
    // One is left, or not even a model may fail.
    for line in ["one three -d data", "one three two -d data --strict"] {
        let done = run(folder, &format!("eval -q --compare {line}"));
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{line}");
        assert_eq!(done.stderr.matches("error: ").count(), 1, "{line}");
    }
}

#[test]
fn every_file_is_tried_before_a_model_is_measured() {
    let folder = prepared();
    for name in [
        "comparison.json",
        "comparison.csv",
        "comparison.svg",
        "comparison.png",
    ] {
        let output = folder.path().join("out").join(name);
        fs::create_dir_all(&output).unwrap();
        let done = run(folder.path(), "eval --compare one two -d data --output out");
        let message = format!(
            "error: cannot write into folder `out`: `{name}` in it is a folder\nhint: pass another folder\n"
        );
        assert_eq!((done.status, done.stderr), (1, message));
        fs::remove_dir(output).unwrap();
    }
}

#[test]
fn wrong_usage_says_the_way_out() {
    let folder = prepared();
    let folder = folder.path();
    saved_run(&folder.join("x"), &folder.join("data"), None);
    saved_run(&folder.join("y"), &folder.join("one"), None);
    for (line, status, message) in [
        (
            "--compare one -d data",
            2,
            "there is nothing to compare `one` with\nhint: pass two or more",
        ),
        (
            "--compare -d data",
            2,
            "`--compare <MODEL>...` needs a value",
        ),
        (
            "--compare one two -m one -d data",
            2,
            "cannot be used with `--model",
        ),
        (
            "--compare one two one -d data",
            2,
            "model `one` is named twice\nhint: ",
        ),
        (
            "--compare one one/ -d data",
            2,
            "model `one/` is named twice\nhint: ",
        ),
        (
            "--compare x x/best -d data",
            2,
            "model `x/best` is named twice: as `x`, too\nhint: ",
        ),
        (
            "--compare one two ./one/model.safetensors -d data",
            2,
            "model `./one/model.safetensors` is named twice: as `one`, too\nhint: ",
        ),
        (
            "--compare one two",
            2,
            "no dataset is given, and `one` does not record the one it was trained on\nhint: pass the images with -d",
        ),
        (
            "--compare x y",
            2,
            "no dataset is given, and the models were trained on different ones\nhint: pass the images with -d",
        ),
        ("--compare one no/such/model -d data", 1, "no/such/model"),
        (
            "--compare one two -d no/such/data",
            1,
            "cannot read dataset `no/such/data`",
        ),
        (
            "--compare one two -d fake:8",
            2,
            "random inputs are for training only",
        ),
        (
            "--compare one two -d data --mean 0.5",
            2,
            "--mean has 1 number for 3 channels",
        ),
        ("-d data", 2, "--model <MODEL>"),
    ] {
        let done = run(folder, &format!("eval {line}"));
        assert_eq!(
            (done.status, done.stdout.as_str()),
            (status, ""),
            "{line}: {}",
            done.stderr
        );
        assert!(done.stderr.contains(message), "{line}: {}", done.stderr);
    }
    save(&folder.join("other"), &["x", "y"], None);
    let done = run(folder, "eval --compare one other -d data");
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert!(
        done.stderr.contains(
            "error: cannot evaluate `other` on `data`: the classes of the data are not those of the model"
        ),
        "{}",
        done.stderr
    );
    fs::write(folder.join("file"), "").unwrap();
    let done = run(
        folder,
        "eval --compare no/such/model one -d data --output file",
    );
    assert!(
        done.stderr
            .starts_with("error: cannot write into folder `file`: "),
        "{}",
        done.stderr
    );
}

/// Creates a run folder with a best model and, if given, its epochs.
pub fn saved_run(folder: &Path, data: &Path, metrics: Option<&str>) {
    let note = TrainingProvenance {
        data: canonical(data.to_str().unwrap()),
        held_out: None,
        selection: Some(Selection {
            split: "test".into(),
            images: 15,
            epoch: 2,
            val_top1: 40.0,
        }),
        from: None,
    };
    save(&folder.join("best"), &["a", "b", "c"], Some(note));
    if let Some(metrics) = metrics {
        fs::write(folder.join("metrics.csv"), metrics).unwrap();
    }
}
