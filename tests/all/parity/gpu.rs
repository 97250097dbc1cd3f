//! Tests of a CUDA build as its user runs it, on the first GPU; the expectation is the output on the CPU.

use crate::support::command::Resnet;
use serde_json::Value;
use std::path::Path;

const CAT: &str = "assets/images/cat.png";

/// Returns the lines of JSON that a successful run prints.
fn lines(line: &str) -> Vec<Value> {
    let done = Resnet::line(line).run();
    assert_eq!(done.status, 0, "{line}: {}", done.stderr);
    let lines = done.stdout.lines();
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Collects the numbers under `key`, at any depth.
fn numbers(value: &Value, key: &str, found: &mut Vec<f64>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value.as_f64() {
                    Some(number) if name == key => found.push(number),
                    _ => numbers(value, key, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| numbers(value, key, found)),
        _ => {}
    }
}

fn all(lines: &[Value], key: &str) -> Vec<f64> {
    let mut found = Vec::new();
    for line in lines {
        numbers(line, key, &mut found);
    }
    assert!(!found.is_empty(), "no `{key}`");
    found
}

/// Returns the probabilities of one prediction, in class order.
fn prediction(line: &str) -> Vec<f64> {
    let lines = lines(line);
    let [classes, probabilities] = ["class", "probability"].map(|key| all(&lines, key));
    let mut pairs: Vec<_> = classes.into_iter().zip(probabilities).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs
        .into_iter()
        .map(|(_, probability)| probability)
        .collect()
}

/// Asserts that the numbers differ by at most `limit` of the largest one.
#[track_caller]
fn assert_close(ours: &[f64], expected: &[f64], limit: f64) {
    assert_eq!(ours.len(), expected.len());
    let largest = expected.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    for (ours, expected) in ours.iter().zip(expected) {
        // Written so that NaN fails.
        assert!(
            (ours - expected).abs() <= limit * largest,
            "{ours} is not {expected}, of {largest}"
        );
    }
}

#[test]
fn every_format_of_weights_gives_the_cpus_probabilities() {
    let folder = Path::new("tests/fixtures/weights");
    for model in [
        "bottleneck.safetensors",
        "resnext.safetensors",
        "wide.safetensors",
        "basic.pth",
        "transformers_v1",
        "float16.safetensors",
    ] {
        let model = folder.join(model);
        let line = format!("predict {CAT} -m {} -f json", model.display());
        let on = |device: &str| prediction(&format!("{line} --device {device}"));
        let expected = on("cpu");
        assert_close(&on("cuda"), &expected, 1e-4);
        assert_close(&on("cuda --dtype f64"), &expected, 1e-4);
        assert_close(&on("cuda --dtype f16"), &expected, 2e-2);
        assert_close(&on("cuda --dtype bf16"), &expected, 1e-1);
    }
}

#[test]
fn an_evaluation_counts_as_many_as_the_cpus() {
    let on = |place: &str| lines(&format!("eval -m sample -d sample -f json {place}"));
    let expected = on("--device cpu");
    for place in ["--device cuda", "--device cuda --dtype bf16"] {
        let ours = on(place);
        assert_close(&all(&ours, "top1"), &all(&expected, "top1"), 0.005);
        assert_close(&all(&ours, "loss"), &all(&expected, "loss"), 0.02);
    }
}

/// Compares the losses of the first steps; later ones diverge, as two f32 computations do.
#[test]
fn the_first_steps_of_a_training_lose_what_the_cpus_lose() {
    for line in [
        "-d sample --depth 20",
        "-d fake:64:4 --depth 50 --width 8 --image-size 64 --batch-size 16 --optimizer adamw --lr 1e-3",
        "-d fake:64:4 --depth 18 --width 8 --image-size 48 --batch-size 8 --grad-accumulation 2 --ema 0.9",
    ] {
        let on = |device: &str| {
            let line = format!(
                "train {line} --max-steps 3 --dry-run -q --seed 3 --format json --device {device}"
            );
            all(&lines(&line), "loss")
        };
        assert_close(&on("cuda"), &on("cpu"), 1e-3);
    }
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one_and_serves_the_cpu() {
    let folder = tempfile::tempdir().unwrap();
    let [run, whole] = ["run", "whole"].map(|name| folder.path().join(name));
    let line = "-d fake:96:4 --depth 18 --width 8 --image-size 32 -b 16 --scheduler constant --warmup-epochs 0 -q --device cuda";
    lines(&format!("train {line} --epochs 3 -o {}", whole.display()));
    lines(&format!("train {line} --epochs 1 -o {}", run.display()));
    let resumed = format!("train --resume {} --epochs 3", run.display());
    lines(&format!("{resumed} -q --device cuda"));
    let losses = |run: &Path| -> Vec<f64> {
        let text = std::fs::read_to_string(run.join("metrics.csv")).unwrap();
        let epochs = text.lines().skip(1);
        epochs
            .map(|epoch| epoch.split(',').nth(1).unwrap().parse().unwrap())
            .collect()
    };
    assert_eq!(losses(&whole).len(), 3);
    assert_close(&losses(&run), &losses(&whole), 1e-2);
    let run = run.display();
    let on =
        |device: &str| prediction(&format!("predict {CAT} -m {run} -f json --device {device}"));
    assert_close(&on("cuda"), &on("cpu"), 1e-4);
    let tuned = folder.path().join("tuned");
    lines(&format!(
        "train -m {run} -d fake:32:3 --freeze backbone --epochs 1 -b 16 -q --device cuda -o {}",
        tuned.display()
    ));
}

#[test]
fn a_gpu_that_is_not_there_is_one_clear_error() {
    let done = Resnet::line(&format!("predict {CAT} -m sample --device cuda:99")).run();
    assert_eq!(done.status, 1);
    assert!(
        done.stderr
            .starts_with("error: cannot open device `cuda:99`"),
        "{}",
        done.stderr
    );
}
