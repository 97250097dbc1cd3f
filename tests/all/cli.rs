//! `summary` and `predict` by their command line: what they print, where, and how they end.

use super::command::{Resnet, root};
use serde_json::Value;
use std::path::Path;

const CAT: &str = "assets/images/cat.png";
const ROCKET: &str = "assets/images/rocket.jpg";
/// A narrow net with random weights.
const MODEL: &str = "tests/fixtures/weights/bottleneck.safetensors";

#[test]
fn summary_prints_torchsummarys_table_and_nothing_else() {
    let done = Resnet::line("summary --depth 34 --input 3x224x224").run();
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    assert!(done.stdout.starts_with(&"-".repeat(64)), "{}", done.stdout);
    assert!(done.stdout.contains("Total params: 21,797,672"));
}

#[test]
fn summary_of_a_model_takes_its_architecture() {
    let done = Resnet::line(&format!("summary {MODEL} --style json")).run();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let value: Value = serde_json::from_str(&done.stdout).unwrap();
    assert!(
        value["layers"]
            .as_array()
            .unwrap()
            .iter()
            .any(|layer| layer["type"] == "Bottleneck")
    );
    assert_eq!(value["model"], MODEL);
    assert!(value.get("timing").is_none());
}

#[test]
fn summary_times_as_many_runs_as_asked_for() {
    let done = Resnet::line("summary --depth 20 --batch-size 2 --time 4 --style json").run();
    let value: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(value["timing"]["forward_ms"].as_array().unwrap().len(), 4);
    assert!(value["timing"]["images_per_second"].as_f64().unwrap() > 0.0);
    let done = Resnet::line("summary --depth 20 --time 1 --style tree").run();
    for part in [
        "(fc): Linear",
        "layer3.2.conv2",
        "total",
        "GFLOP/s",
        "images a second",
    ] {
        assert!(done.stdout.contains(part), "`{part}` in {}", done.stdout);
    }
    let done = Resnet::line("summary --depth 20 --time 1 --dtype f64").run();
    assert!(
        done.stdout.contains("f64"),
        "{}{}",
        done.stdout,
        done.stderr
    );
}

#[test]
fn the_cifar_nets_have_their_stem_size_and_classes() {
    let done = Resnet::line("summary --depth 20 --style json").run();
    let value: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(value["total_params"], 269_722);
    assert_eq!(value["input"], serde_json::json!([1, 3, 32, 32]));
}

#[test]
fn predict_prints_a_line_of_json_a_picture_in_order() {
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
fn an_unreadable_picture_has_its_line_the_rest_still_run_and_the_status_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.png");
    std::fs::write(&bad, "no picture").unwrap();
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
fn a_batch_gives_each_picture_what_it_gets_alone() {
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
    let stdin = format!("{ROCKET}\n\n{CAT}\n");
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
    assert_eq!(images, ["cat.png", "rocket.jpg"]);
}

#[test]
fn text_without_a_terminal_has_no_bars_and_no_colours() {
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
    std::fs::write(&labels, names.join("\n")).unwrap();
    let labels = labels.to_str().unwrap();
    let done = Resnet::line(&format!(
        "predict {CAT} -m {MODEL} -k 1 -f csv --labels {labels}"
    ))
    .run();
    assert!(
        done.stdout.contains("\"name "),
        "{}{}",
        done.stdout,
        done.stderr
    );
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
fn f64_and_the_plain_instruction_set_give_the_same_classes() {
    let top = |done: super::command::Finished| {
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
fn a_closed_pipe_is_success() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_resnet"))
        .args(["summary", "--depth", "152"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), &b""[..])
    );
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let done = Resnet::line(&format!("--completions {shell}")).run();
        assert_eq!(done.status, 0);
        assert!(
            done.stdout.contains("summary") && done.stdout.contains("depth"),
            "{shell}"
        );
    }
    assert_eq!(Resnet::line("--completions tcsh").run().status, 2);
}

#[test]
fn version_names_features_and_instruction_set() {
    let done = Resnet::line("--version").run();
    assert!(
        done.stdout
            .starts_with(&format!("resnet {}\nfeatures: ", env!("CARGO_PKG_VERSION"))),
        "{}",
        done.stdout
    );
    let done = Resnet::line("--version")
        .env("RESNET_ISA", "portable")
        .run();
    assert!(
        done.stdout.contains("instruction set: portable"),
        "{}",
        done.stdout
    );
}

#[test]
fn help_fits_eighty_columns_and_names_what_is_not_built_yet() {
    let done = Resnet::line("--help").env("COLUMNS", "80").run();
    assert!(
        done.stdout.contains("train    Train a net (not built yet)"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout
            .contains("eval     Evaluate a model on a data set (not built yet)")
    );
    assert!(!done.stdout.contains("sample"));
    for line in ["--help", "summary --help", "predict --help", "predict -h"] {
        let done = Resnet::line(line).env("COLUMNS", "80").run();
        let longest = done.stdout.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(100), "{line}: {longest:?}");
    }
}

#[test]
fn colours_come_when_asked_for_and_not_otherwise() {
    let coloured = |line: &str, variable: Option<&str>| {
        let run = Resnet::line(line);
        let run = match variable {
            Some(name) => run.env(name, "1"),
            None => run,
        };
        run.run().stderr.contains('\u{1b}')
    };
    assert!(!coloured("predict missing.png -m missing.pth", None));
    assert!(coloured(
        "predict missing.png -m missing.pth --color always",
        None
    ));
    assert!(!coloured(
        "predict missing.png -m missing.pth --color never",
        None
    ));
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
fn the_working_folder_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let cat = root().join(CAT);
    let model = root().join(MODEL);
    let arguments = [
        "predict",
        cat.to_str().unwrap(),
        "-m",
        model.to_str().unwrap(),
        "-k",
        "1",
    ];
    let done = Resnet::new(arguments).folder(folder.path()).run();
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
