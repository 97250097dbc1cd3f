//! `resnet predict`: what it prints for images, folders and paths on stdin, and which flags change it.

use crate::support::command::{Resnet, root};
use serde_json::Value;
use std::path::Path;

const CAT: &str = "assets/images/cat.png";
const ROCKET: &str = "assets/images/rocket.jpg";
/// A narrow model with random weights.
const MODEL: &str = "tests/fixtures/weights/bottleneck.safetensors";

#[test]
fn predict_prints_a_line_of_json_per_image_in_order() {
    let done = Resnet::line(&format!("predict {ROCKET} {CAT} -m {MODEL} -k 2 -f json")).run();
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    let lines: Vec<Value> = done
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines
            .iter()
            .map(|line| line["image"].as_str().unwrap())
            .collect::<Vec<_>>(),
        [ROCKET, CAT]
    );
    let predictions = lines[1]["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), 2);
    let keys: Vec<&str> = predictions[0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(keys, ["class", "label", "probability", "logit"]);
    assert!(predictions[0]["logit"].as_f64() >= predictions[1]["logit"].as_f64());
}

#[test]
fn fewer_classes_than_k_gives_them_all_and_their_probabilities_sum_to_one() {
    let done = Resnet::line(&format!("predict {CAT} -m {MODEL} -k 5000 -f json")).run();
    let value: Value = serde_json::from_str(&done.stdout).unwrap();
    let probabilities = value["predictions"].as_array().unwrap().iter();
    let sum: f64 = probabilities
        .map(|prediction| prediction["probability"].as_f64().unwrap())
        .sum();
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
}

#[test]
fn an_unreadable_image_has_its_line_the_others_still_run_and_the_status_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.png");
    std::fs::write(&bad, "no image").unwrap();
    let bad = bad.to_str().unwrap();
    for batch in [1, 2, 16] {
        let line = format!("predict {CAT} {bad} missing.png {CAT} -m {MODEL} -f json -b {batch}");
        let done = Resnet::line(&line).run();
        assert_eq!(done.status, 1);
        let lines: Vec<Value> = done
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 4);
        assert!(
            lines[1]["error"].as_str().unwrap().contains("bad.png"),
            "{}",
            lines[1]
        );
        assert!(
            lines[2]["error"].as_str().unwrap().contains("missing.png"),
            "{}",
            lines[2]
        );
        assert_eq!(lines[0]["predictions"], lines[3]["predictions"]);
        assert_eq!(done.stderr.matches("error: ").count(), 2, "{}", done.stderr);
    }
}

#[test]
fn a_batch_gives_each_image_what_it_gets_alone() {
    let run = |batch: &str| {
        let line = format!("predict {CAT} {ROCKET} {CAT} -m {MODEL} -f json -b {batch}");
        let done = Resnet::line(&line).run();
        let lines = done
            .stdout
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .map(|line| line["predictions"][0]["logit"].as_f64().unwrap())
            .collect::<Vec<_>>()
    };
    let alone = run("1");
    for (together, alone) in run("3").iter().zip(&alone) {
        assert!(
            (together - alone).abs() <= 1e-4 * alone.abs(),
            "{together} {alone}"
        );
    }
}

#[test]
fn paths_come_from_stdin_and_folders_in_order() {
    // Windows ends its lines with two characters.
    let stdin = format!("{ROCKET}\r\n\r\n\n{CAT}\n");
    let done = Resnet::line(&format!("predict - -m {MODEL} -f csv -k 1"))
        .stdin(stdin.as_bytes())
        .run();
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(lines[0], "image,rank,class,label,probability,logit,error");
    assert!(
        lines[1].starts_with(&format!("{ROCKET},1,")),
        "{}",
        lines[1]
    );
    assert!(lines[2].starts_with(&format!("{CAT},1,")), "{}", lines[2]);
    let done = Resnet::line(&format!("predict assets/images -m {MODEL} -f csv -k 1")).run();
    let images = done
        .stdout
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap());
    let images: Vec<_> = images
        .map(|image| Path::new(image).file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(images, ["boot.png", "cat.png", "rocket.jpg"]);
}

#[test]
fn no_path_on_stdin_is_noted_and_is_no_failure() {
    let line = format!("predict - -m {MODEL} -f");
    for (format, stdin, stdout) in [
        ("json", &b""[..], ""),
        ("text", b"\n\n", ""),
        (
            "csv",
            b"",
            "image,rank,class,label,probability,logit,error\n",
        ),
    ] {
        let done = Resnet::line(&format!("{line} {format}")).stdin(stdin).run();
        assert_eq!((done.status, done.stdout.as_str()), (0, stdout));
        assert_eq!(
            done.stderr,
            "note: no path on standard input: `-` reads one per line\n"
        );
    }
}

#[test]
fn text_without_a_terminal_has_no_bars_and_no_colors() {
    let done = Resnet::line(&format!("predict {CAT} -m {MODEL} -k 3")).run();
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(lines[0], CAT);
    assert_eq!(lines.len(), 4);
    assert!(lines[1].contains(" %  "), "{}", lines[1]);
    assert!(!done.stdout.contains(['█', '\u{1b}']));
}

#[test]
fn labels_come_from_a_file_when_one_is_given() {
    let classes = {
        let done = Resnet::line(&format!("predict {CAT} -m {MODEL} -k 5000 -f json")).run();
        let value: Value = serde_json::from_str(&done.stdout).unwrap();
        value["predictions"].as_array().unwrap().len()
    };
    let folder = tempfile::tempdir().unwrap();
    let labels = folder.path().join("labels.txt");
    let names: Vec<String> = (0..classes)
        .map(|class| format!("name {class}, \"quoted\""))
        .collect();
    // Blank lines at the end are none of classes.
    for end in ["", "\n", "\r\n \r\n\n"] {
        std::fs::write(&labels, names.join("\n") + end).unwrap();
        let labels = labels.display();
        let line = format!("predict {CAT} -m {MODEL} -k 1 -f csv --labels {labels}");
        let done = Resnet::line(&line).run();
        assert!(
            done.stdout.contains("\"name "),
            "{end:?}: {}{}",
            done.stdout,
            done.stderr
        );
    }
    let labels = labels.to_str().unwrap();
    std::fs::write(labels, "one\ntwo").unwrap();
    let done = Resnet::line(&format!("predict {CAT} -m {MODEL} --labels {labels}")).run();
    assert_eq!(done.status, 1);
    assert!(
        done.stderr
            .contains(&format!("2 lines for {classes} classes")),
        "{}",
        done.stderr
    );
}

#[test]
fn f64_and_the_portable_instruction_set_give_the_same_classes() {
    let top = |done: crate::support::command::Finished| {
        let value: Value = serde_json::from_str(&done.stdout).unwrap();
        let prediction = &value["predictions"][0];
        (
            prediction["class"].as_u64().unwrap(),
            prediction["logit"].as_f64().unwrap(),
        )
    };
    let line = format!("predict {CAT} -m {MODEL} -k 1 -f json");
    let (class, logit) = top(Resnet::line(&line).run());
    let reference = top(Resnet::line(&format!("{line} --dtype f64")).run());
    let portable = top(Resnet::line(&line).env("RESNET_ISA", "portable").run());
    for (other, other_logit) in [reference, portable] {
        assert_eq!(other, class);
        assert!(
            (other_logit - logit).abs() < 1e-4 * logit.abs(),
            "{other_logit} {logit}"
        );
    }
}

#[test]
fn preprocessing_flags_change_what_the_model_sees() {
    let logit = |flags: &str| {
        let done = Resnet::line(&format!("predict {CAT} -m {MODEL} -k 1 -f json {flags}")).run();
        assert_eq!(done.status, 0, "{flags}: {}", done.stderr);
        let value: Value = serde_json::from_str(&done.stdout).unwrap();
        value["predictions"][0]["logit"].as_f64().unwrap().to_bits()
    };
    let plain = logit("");
    for flags in [
        "--image-size 160",
        "--crop-pct 1",
        "--crop-mode squash",
        "--interpolation bicubic",
        "--mean 0.5,0.5,0.5",
        "--std 0.5,0.5,0.5",
    ] {
        assert_ne!(logit(flags), plain, "{flags}");
    }
    assert_eq!(
        logit("--image-size 224 --crop-pct 0.875 --crop-mode center --no-exif"),
        plain
    );
}

#[test]
fn the_automatic_device_gives_the_cpus_answer() {
    let logits = |device: &str| {
        let done = Resnet::line(&format!(
            "predict {CAT} -m {MODEL} -f json --device {device}"
        ))
        .run();
        assert_eq!(done.status, 0, "{}", done.stderr);
        let value: Value = serde_json::from_str(&done.stdout).unwrap();
        let predictions = value["predictions"].as_array().unwrap().iter();
        predictions
            .map(|prediction| prediction["logit"].as_f64().unwrap())
            .collect::<Vec<_>>()
    };
    for (automatic, cpu) in logits("auto").iter().zip(logits("cpu")) {
        assert!((automatic - cpu).abs() < 1e-4, "{automatic} {cpu}");
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let run = |threads: &str| {
        Resnet::line(&format!(
            "predict {CAT} -m {MODEL} -f json --threads {threads}"
        ))
        .run()
        .stdout
    };
    let one = run("1");
    assert!(one.contains("logit"));
    assert_eq!(one, run("2"));
    assert_eq!(one, run("3"));
}

#[test]
fn the_library_gives_what_the_command_line_prints() {
    let done = Resnet::line(&format!("predict {ROCKET} -m {MODEL} -f json")).run();
    let value: Value = serde_json::from_str(&done.stdout).unwrap();
    let model = resnet::Model::builder(root().join(MODEL).to_str().unwrap()).load();
    let model = model.unwrap();
    let by_path = model.classify(&root().join(ROCKET), 5).unwrap();
    assert_eq!(
        serde_json::to_value(&by_path).unwrap(),
        value["predictions"]
    );
    let bytes = std::fs::read(root().join(ROCKET)).unwrap();
    assert_eq!(model.classify(&bytes, 5).unwrap(), by_path);
    let image = model.decode(&bytes).unwrap();
    assert_eq!(model.classify(&image, 5).unwrap(), by_path);
    assert!(model.labels().is_empty());
}
