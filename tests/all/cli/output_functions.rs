//! The function from logits to probabilities: by transformers' `problem_type` and the number of outputs.

use crate::support::command::{Finished, Resnet, root};
use candle_core::{Device, safetensors};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const CAT: &str = "assets/images/cat.png";

/// Writes a model of `outputs` of a fixture's three outputs, with this `problem_type` in its `config.json`.
fn model(outputs: usize, problem: Option<&str>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = root().join("tests/fixtures/weights/transformers_basic");
    let text = fs::read_to_string(from.join("config.json")).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["problem_type"] = json!(problem);
    let labels = (0..outputs).map(|class| (class.to_string(), json!(format!("name {class}"))));
    config["id2label"] = Value::Object(labels.collect());
    config.as_object_mut().unwrap().remove("label2id");
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let mut tensors = safetensors::load(from.join("model.safetensors"), &Device::Cpu).unwrap();
    for (name, tensor) in &mut tensors {
        if name.starts_with("classifier.") {
            *tensor = tensor.narrow(0, 0, outputs).unwrap().contiguous().unwrap();
        }
    }
    safetensors::save(&tensors, folder.path().join("model.safetensors")).unwrap();
    folder
}

fn predict(model: &Path, flags: &str) -> Finished {
    let model = model.display();
    Resnet::line(&format!("predict {CAT} -m {model} {flags}")).run()
}

/// Returns the printed line, and class, probability and logit of each prediction.
fn read(done: &Finished) -> (Value, Vec<(u64, Option<f64>, f64)>) {
    assert_eq!(done.status, 0, "{}", done.stderr);
    let line: Value = serde_json::from_str(&done.stdout).unwrap();
    let predictions = line["predictions"].as_array().unwrap().iter();
    let read = predictions.map(|each| {
        let number = |key: &str| each[key].as_f64();
        (
            each["class"].as_u64().unwrap(),
            number("probability"),
            number("logit").unwrap(),
        )
    });
    let read = read.collect();
    (line, read)
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

#[test]
fn several_labels_and_a_single_output_have_a_probability_each_by_sigmoid() {
    for (outputs, problem) in [
        (3, Some("multi_label_classification")),
        (2, Some("multi_label_classification")),
        (1, Some("multi_label_classification")),
        (1, Some("single_label_classification")),
        (1, None),
    ] {
        let model = model(outputs, problem);
        let done = predict(model.path(), "-f json");
        let (line, predictions) = read(&done);
        assert_eq!(line["function"], "sigmoid", "{outputs} {problem:?}");
        assert!(done.stderr.contains("by sigmoid"), "{}", done.stderr);
        assert_eq!(predictions.len(), outputs);
        for (class, probability, logit) in predictions {
            let difference = probability.unwrap() - sigmoid(logit);
            assert!(difference.abs() < 1e-12, "{class}: {probability:?} {logit}");
        }
    }
}

#[test]
fn one_class_per_image_has_softmax_and_no_key_for_it() {
    for problem in [None, Some("single_label_classification")] {
        let model = model(3, problem);
        let done = predict(model.path(), "-f json");
        let (line, predictions) = read(&done);
        assert_eq!(line.as_object().unwrap().len(), 2, "{line}");
        let sum: f64 = predictions.iter().map(|each| each.1.unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-12, "{sum}");
    }
}

#[test]
fn a_regression_has_its_numbers_and_no_probability() {
    for outputs in [1, 3] {
        let model = model(outputs, Some("regression"));
        let done = predict(model.path(), "-f json");
        assert!(
            done.stderr.contains("trained for regression"),
            "{}",
            done.stderr
        );
        let (line, predictions) = read(&done);
        assert_eq!(line["function"], "none");
        assert!(predictions.iter().all(|each| each.1.is_none()), "{line}");
        let (class, _, logit) = predictions[0];
        let text = predict(model.path(), "").stdout;
        let expected = format!("{CAT}\n  {logit:>9.4}  name {class}\n");
        assert!(text.starts_with(&expected), "{text}");
        let csv = predict(model.path(), "-f csv").stdout;
        let expected = format!("{CAT},1,{class},name {class},,{logit},\n");
        assert!(csv.contains(&expected), "{csv}");
        let filtered = predict(model.path(), "--min-probability 0.5");
        assert_eq!(filtered.status, 2, "{}", filtered.stderr);
    }
}

#[test]
fn an_unknown_problem_type_is_refused_by_name() {
    let done = predict(model(3, Some("ranking")).path(), "");
    assert_eq!(done.status, 1);
    assert!(
        done.stderr.contains("`problem_type` is `ranking`"),
        "{}",
        done.stderr
    );
}

#[test]
fn eval_refuses_models_that_do_not_give_an_image_one_class() {
    for (outputs, problem, reason) in [
        (
            3,
            Some("multi_label_classification"),
            "any number of classes",
        ),
        (3, Some("regression"), "regression"),
        (1, None, "one output"),
    ] {
        let model = model(outputs, problem);
        let path = model.path().display();
        let done = Resnet::line(&format!("eval -m {path} -d sample")).run();
        assert_eq!((done.status, done.stdout.as_str()), (1, ""));
        assert!(
            done.stderr.starts_with("error: cannot evaluate model") && done.stderr.contains(reason),
            "{}",
            done.stderr
        );
    }
}

#[test]
fn a_fine_tuned_model_has_softmax_again_and_a_note_says_so() {
    let model = model(3, Some("multi_label_classification"));
    let folder = tempfile::tempdir().unwrap();
    let (path, run) = (model.path().display(), folder.path().join("run"));
    let run = run.display();
    let line = format!("train -d sample -m {path} --image-size 32 --max-steps 1 -o {run}");
    let done = Resnet::line(&line).run();
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(
        done.stderr
            .contains("it is trained here with one class per image, by softmax"),
        "{}",
        done.stderr
    );
    let config = fs::read_to_string(folder.path().join("run/best/config.json")).unwrap();
    assert!(!config.contains("problem_type"), "{config}");
}

#[test]
fn the_function_is_written_with_a_converted_model() {
    use resnet::hub::Silent;
    use resnet::model::OutputFunction;
    use resnet::weights::{Checkpoint, Remote};
    for (outputs, problem, function) in [
        (
            3,
            Some("multi_label_classification"),
            OutputFunction::Sigmoid,
        ),
        (3, Some("regression"), OutputFunction::None),
        (1, Some("regression"), OutputFunction::None),
        (1, None, OutputFunction::Sigmoid),
        (3, None, OutputFunction::Softmax),
    ] {
        let model = model(outputs, problem);
        let open =
            |path: &Path| Checkpoint::open(&path.to_string_lossy(), &Remote::new(&Silent)).unwrap();
        let checkpoint = open(model.path());
        assert_eq!(checkpoint.info.function, function);
        let new = model.path().join("new.safetensors");
        checkpoint.save_safetensors(&new).unwrap();
        assert_eq!(open(&new).info.function, function, "{problem:?}");
    }
}
