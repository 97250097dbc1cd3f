//! Tests of `resnet predict --embed` as a user runs it.

use crate::support::command::Resnet;
use candle_core::{DType, Device, Tensor};
use serde_json::Value;
use std::fs;

const CAT: &str = "assets/images/cat.png";
const ROCKET: &str = "assets/images/rocket.jpg";
/// A narrow model with random weights and three classes without names.
const MODEL: &str = "tests/fixtures/weights/bottleneck.safetensors";

/// Returns the logits of the model's classifier for `features`.
fn logits(features: &Tensor) -> Vec<Vec<f64>> {
    let model = candle_core::safetensors::load(MODEL, &Device::Cpu).unwrap();
    let get = |name: &str| model[name].to_dtype(DType::F64).unwrap();
    let features = features.to_dtype(DType::F64).unwrap();
    let products = features.matmul(&get("fc.weight").t().unwrap()).unwrap();
    products
        .broadcast_add(&get("fc.bias"))
        .unwrap()
        .to_vec2()
        .unwrap()
}

#[test]
fn the_classifier_makes_of_the_features_what_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    for (dtype, limit) in [("f32", 1e-5), ("f64", 1e-12)] {
        let file = folder.path().join("features.safetensors");
        let shown = file.display();
        let line = format!(
            "predict {CAT} README.md {ROCKET} -m {MODEL} -f json -k 3 -b 1 --dtype {dtype} --embed {shown}"
        );
        let done = Resnet::line(&line).run();
        assert_eq!(done.status, 1);
        let note = format!("note: features of 2 images saved to {shown}; no row for 1 image\n");
        assert!(done.stderr.ends_with(&note), "{}", done.stderr);
        let bytes = fs::read(&file).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let names = &header.metadata().as_ref().unwrap()["images"];
        assert_eq!(*names, format!("[\"{CAT}\",\"{ROCKET}\"]"));
        let features = &candle_core::safetensors::load(&file, &Device::Cpu).unwrap()["features"];
        assert_eq!(features.dtype().as_str(), dtype);
        let lines = done
            .stdout
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lines: Vec<Value> = lines
            .filter(|line| line.get("predictions").is_some())
            .collect();
        assert_eq!(lines.len(), 2);
        for (line, logits) in lines.iter().zip(logits(features)) {
            for prediction in line["predictions"].as_array().unwrap() {
                let class = prediction["class"].as_u64().unwrap() as usize;
                let printed = prediction["logit"].as_f64().unwrap();
                assert!(
                    (printed - logits[class]).abs() <= limit,
                    "{printed} {}",
                    logits[class]
                );
            }
        }
    }
}

#[test]
fn every_format_has_the_same_numbers_and_the_printed_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("predict {CAT} {ROCKET} -m {MODEL}");
    let plain = Resnet::line(&line).run();
    for ending in ["safetensors", "npy", "csv"] {
        let file = folder.path().join(format!("features.{ending}"));
        let done = Resnet::line(&format!(
            "{line} --embed {} --explain {}",
            file.display(),
            folder.path().display()
        ))
        .run();
        assert_eq!(
            (done.status, &done.stdout),
            (0, &plain.stdout),
            "{}",
            done.stderr
        );
    }
    let file = |name: &str| folder.path().join(name);
    let features =
        candle_core::safetensors::load(file("features.safetensors"), &Device::Cpu).unwrap();
    let features: Vec<Vec<f32>> = features["features"].to_vec2().unwrap();
    let npy = Tensor::read_npy(file("features.npy"))
        .unwrap()
        .to_vec2::<f32>()
        .unwrap();
    assert_eq!(npy, features);
    assert_eq!(
        fs::read_to_string(file("features.names.txt")).unwrap(),
        format!("{CAT}\n{ROCKET}\n")
    );
    let csv = fs::read_to_string(file("features.csv")).unwrap();
    for (line, (name, row)) in csv.lines().skip(1).zip([CAT, ROCKET].iter().zip(&features)) {
        let mut fields = line.split(',');
        assert_eq!(fields.next(), Some(*name));
        let numbers: Vec<f32> = fields.map(|field| field.parse().unwrap()).collect();
        assert_eq!(numbers, *row);
    }
    assert_eq!(csv.lines().count(), 3);
}

/// The inputs of the command are never overwritten.
#[test]
fn features_take_the_place_of_no_file_that_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("m.safetensors");
    fs::copy(MODEL, &model).unwrap();
    for name in ["list.names.txt", "list.npy"] {
        fs::write(folder.path().join(name), "a\nb\nc\n").unwrap();
    }
    let shown = folder.path().display();
    for (flags, file) in [
        ("--embed DIR/m.safetensors", "m.safetensors"),
        (
            "--labels DIR/list.names.txt --embed DIR/list.npy",
            "list.names.txt",
        ),
    ] {
        let flags = flags.replace("DIR", &shown.to_string());
        let done = Resnet::line(&format!("predict {CAT} -m {} {flags}", model.display())).run();
        let message = format!(
            "error: features would take the place of `{shown}/{file}`\nhint: pass another file\n"
        );
        assert_eq!((done.status, done.stderr.replace('\\', "/")), (2, message));
    }
    assert_eq!(fs::read(&model).unwrap(), fs::read(MODEL).unwrap());
}

/// A list of images with the same name as the file of names.
#[test]
fn names_take_the_place_of_names_of_the_same_features_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    for name in ["photos.txt", "photos.names.txt"] {
        fs::write(file(name), "mine").unwrap();
    }
    let shown = folder.path().display();
    let line = format!("predict {CAT} -m {MODEL} --embed {shown}/photos.npy");
    let done = Resnet::line(&line).run();
    let message = format!(
        "error: cannot write `{shown}/photos.names.txt`: it exists already, without the features of `{shown}/photos.npy`\nhint: pass another file, or move this one away\n"
    );
    assert_eq!((done.status, done.stderr.replace('\\', "/")), (2, message));
    assert_eq!(
        fs::read_to_string(file("photos.names.txt")).unwrap(),
        "mine"
    );
    assert!(!file("photos.npy").exists());
    fs::remove_file(file("photos.names.txt")).unwrap();
    // The second time both are those of the first.
    for _ in 0..2 {
        let done = Resnet::line(&line).run();
        assert_eq!(done.status, 0, "{}", done.stderr);
    }
    let names = fs::read_to_string(file("photos.names.txt")).unwrap();
    assert_eq!(names, format!("{CAT}\n"));
    assert_eq!(fs::read_to_string(file("photos.txt")).unwrap(), "mine");
}
