//! Tests of the program: streams, exit status, help, colors and `summary`.

use crate::support::command::{Resnet, root};
use serde_json::Value;

const CAT: &str = "assets/images/cat.png";
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
fn the_cifar_networks_have_their_stem_size_and_classes() {
    let done = Resnet::line("summary --depth 20 --style json").run();
    let value: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(value["total_params"], 269_722);
    assert_eq!(value["input"], serde_json::json!([1, 3, 32, 32]));
}

#[test]
fn a_model_is_described_whether_it_is_named_by_position_or_by_flag() {
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
        "--optimizer <NAME> One of sgd, adam, adamw, lars, lamb. lars and lamb, for large batches,",
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
fn colors_come_when_asked_for_and_not_otherwise() {
    let colored = |flag: &str| {
        let line = format!("predict missing.png -m missing.pth {flag}");
        Resnet::line(&line).run().stderr.contains('\u{1b}')
    };
    assert!(!colored(""));
    assert!(colored("--color always"));
    assert!(!colored("--color never"));
    let line = "predict missing.png -m missing.pth --color auto";
    let forced = Resnet::line(line).env("CLICOLOR_FORCE", "1");
    assert!(forced.run().stderr.contains('\u{1b}'));
    let forced = Resnet::line(line)
        .env("CLICOLOR_FORCE", "1")
        .env("NO_COLOR", "1");
    assert!(!forced.run().stderr.contains('\u{1b}'));
}

#[test]
fn help_and_usage_errors_obey_the_color_flag() {
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
