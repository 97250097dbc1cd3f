//! Tests of `summary` and `predict` on the command line: their output, its stream, and their exit status.

use crate::support::command::{Resnet, root};
use serde_json::Value;
use std::path::Path;

const CAT: &str = "assets/images/cat.png";
const ROCKET: &str = "assets/images/rocket.jpg";
/// A narrow model with random weights.
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
        "images/s",
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
fn no_path_on_stdin_is_said_and_is_no_failure() {
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
fn a_models_net_is_described_by_either_way_to_name_it() {
    let by_place = Resnet::line(&format!("summary {MODEL}")).run();
    let by_flag = Resnet::line(&format!("summary -m {MODEL}")).run();
    assert_eq!((by_flag.status, by_flag.stdout), (0, by_place.stdout));
    let both = Resnet::line(&format!("summary {MODEL} -m {MODEL}")).run();
    assert_eq!(both.status, 2, "{}", both.stderr);
}

#[test]
fn train_does_not_offer_the_size_for_testing() {
    let offers = |command: &str| {
        let done = Resnet::line(&format!("{command} --help")).run();
        done.stdout.contains("--test-size")
    };
    assert!(offers("eval") && offers("predict") && !offers("train"));
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

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_stdout_is_an_error() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    for line in [
        "summary --depth 18",
        &format!("predict {CAT} -m {MODEL} -f json"),
        "train -d fake:4 --depth 20 --width 4 --image-size 16 --dry-run --format json -q",
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_resnet"))
            .args(line.split_whitespace())
            .args(["--device", "cpu"])
            .current_dir(root())
            .stdout(full.try_clone().unwrap())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            stderr.starts_with("error: cannot write to standard output: "),
            "{stderr}"
        );
    }
}

#[cfg(unix)]
#[test]
fn names_that_are_no_utf8_are_taken_as_they_are() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let name = OsStr::from_bytes(b"cat \xff.png");
    std::fs::copy(root().join(CAT), folder.path().join(name)).unwrap();
    let path = folder.path().join(name);
    let by_argument = [
        OsStr::new("predict"),
        path.as_os_str(),
        OsStr::new("-m"),
        OsStr::new(MODEL),
    ];
    assert_eq!(Resnet::new(by_argument).run().status, 0);
    let mut stdin = path.as_os_str().as_bytes().to_vec();
    stdin.extend(b"\nmissing\xff.png\n");
    let done = Resnet::line(&format!("predict - -m {MODEL} -f csv -k 1"))
        .stdin(&stdin)
        .run();
    assert_eq!(
        (done.status, done.stdout.lines().count()),
        (1, 3),
        "{}",
        done.stdout
    );
    assert_eq!(Resnet::new([OsStr::from_bytes(b"\xff")]).run().status, 2);
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
fn help_names_every_command_and_keeps_to_a_hundred_columns() {
    let help = Resnet::line("-h").run().stdout;
    for command in [
        "  train    Train a model from scratch, or fine-tune one\n",
        "  eval     Evaluate a model on a dataset\n",
        "  predict  Classify images\n",
        "  summary  Describe a model layer by layer\n",
    ] {
        assert!(help.contains(command), "{help}");
    }
    for command in ["", "train", "eval", "predict", "summary"] {
        for flag in ["-h", "--help"] {
            let line = format!("{command} {flag}");
            let help = Resnet::line(&line).run().stdout;
            assert!(help.contains("Usage: resnet"), "{line}: {help}");
            assert!(help.contains("\nExamples:\n  "), "{line}: {help}");
            let longest = help.lines().map(|line| line.chars().count()).max();
            assert!(longest <= Some(100), "{line}: {longest:?}");
            let lines = help.lines().count();
            let most = match (command, flag) {
                ("", "-h") => 24,
                (_, "-h") => 40,
                _ => usize::MAX,
            };
            assert!(lines <= most, "{line}: {lines} lines\n{help}");
        }
    }
}

/// Each case has its defaults named: an unset flag is never "by the data".
#[test]
fn help_of_train_names_the_defaults_of_each_case() {
    let help = Resnet::line("train --help").run().stdout;
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [
        "--epochs <N> Passes over the training images [default: 30 small images; 90 photographs; 10 fine-tuning;",
        "--batch-size <N> Images per batch [default: 128 small images; 32 photographs; 32 fine-tuning;",
        "--lr <RATE> Peak learning rate [default for sgd: 0.1 x batch/128 small images; 0.1 x batch/256 photographs; 0.005 fine-tuning",
        "--optimizer <NAME> Optimizer: sgd, adam or adamw [default: sgd]",
        "--workers <N> Data-loading threads (no effect on results) [default: --threads]",
    ] {
        assert!(words.contains(text), "`{text}` in {words}");
    }
}

#[test]
fn without_a_command_the_short_help_is_an_error() {
    let done = Resnet::line("").run();
    assert_eq!((done.status, done.stdout.as_str()), (2, ""));
    assert_eq!(done.stderr, Resnet::line("-h").run().stdout);
}

#[test]
fn colours_come_when_asked_for_and_not_otherwise() {
    let coloured = |flag: &str| {
        let line = format!("predict missing.png -m missing.pth {flag}");
        Resnet::line(&line).run().stderr.contains('\u{1b}')
    };
    assert!(!coloured(""));
    assert!(coloured("--color always"));
    assert!(!coloured("--color never"));
    let line = "predict missing.png -m missing.pth --color auto";
    let forced = Resnet::line(line).env("CLICOLOR_FORCE", "1");
    assert!(forced.run().stderr.contains('\u{1b}'));
    let forced = Resnet::line(line)
        .env("CLICOLOR_FORCE", "1")
        .env("NO_COLOR", "1");
    assert!(!forced.run().stderr.contains('\u{1b}'));
}

#[test]
fn help_and_usage_errors_obey_the_colour_flag() {
    for line in ["--color always --help", "--color=always nonsense"] {
        let done = Resnet::line(line).run();
        assert!((done.stdout + &done.stderr).contains('\u{1b}'), "{line}");
    }
    let done = Resnet::line("--color never nonsense")
        .env("CLICOLOR_FORCE", "1")
        .run();
    assert!(!done.stderr.contains('\u{1b}'));
}

#[test]
fn the_last_of_a_repeated_option_counts() {
    let done = Resnet::line(&format!("predict {CAT} -m {MODEL} -f json -k 1 -k 2")).run();
    let value: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(value["predictions"].as_array().unwrap().len(), 2);
}

#[test]
fn quiet_keeps_errors_and_verbose_adds_notes() {
    let model = "tests/fixtures/weights/five_channels.safetensors";
    let stderr = |flag: &str| {
        Resnet::line(&format!("predict {CAT} -m {model} {flag}"))
            .run()
            .stderr
    };
    assert!(stderr("").contains("note: ") && stderr("").contains("error: "));
    assert!(!stderr("-q").contains("note: ") && stderr("-q").contains("error: "));
    let done = Resnet::line(&format!("predict {CAT} -m {MODEL} -v")).run();
    assert!(
        done.stderr.starts_with("  model   tests/fixtures/")
            && done
                .stderr
                .contains(", 3 classes, in f32 on cpu\n  images  224x224, "),
        "{}",
        done.stderr
    );
}

#[test]
fn a_device_that_was_not_built_in_is_refused_with_the_way_out() {
    for (device, built) in [
        ("cuda", cfg!(feature = "cuda")),
        ("metal", cfg!(feature = "metal")),
    ] {
        if built {
            continue;
        }
        let done = Resnet::line(&format!("predict {CAT} -m {MODEL} --device {device}")).run();
        assert_eq!(done.status, 1);
        let expected = format!(
            "error: cannot open device `{device}`: this binary was built without it\nhint: build it with `cargo build --release --features {device}`, or pass --device cpu\n"
        );
        assert_eq!(done.stderr, expected);
    }
}

/// On a machine with a GPU that the binary was built for, the result on the GPU equals that on the CPU.
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
