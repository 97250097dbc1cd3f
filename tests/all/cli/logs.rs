//! Tests of `--log-format json`: every line on stderr is an object, whatever the command reports.

use crate::support::command::{Finished, Resnet};
use serde_json::Value;

const MODEL: &str = "tests/fixtures/weights/bottleneck.safetensors";
const CAT: &str = "assets/images/cat.png";

/// Returns the lines on stderr, each of which must be an object with a time, a level and a message.
#[track_caller]
fn logged(done: &Finished) -> Vec<Value> {
    let lines = done.stderr.lines().map(|line| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        let time = value["time"].as_str().unwrap();
        assert!(
            time.len() == 24 && time.starts_with("20") && time.ends_with('Z'),
            "{line}"
        );
        assert!(
            value["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{line}"
        );
        assert!(!line.contains("\\u001b"), "{line}");
        value
    });
    lines.collect()
}

fn run(line: &str) -> Finished {
    Resnet::line(&format!("{line} --log-format json")).run()
}

#[test]
fn errors_and_their_hints_are_one_object() {
    for (line, status, message, hint) in [
        (
            "predict assets/images/cat.png -m missing.pth",
            1,
            "cannot load weights `missing.pth`",
            true,
        ),
        (
            "train -d fake:8 --dry-run --histograms",
            2,
            "--histograms cannot be used with --dry-run, which writes nothing",
            true,
        ),
        ("nonsense", 2, "unknown command `nonsense`", true),
        (
            "summary --depth 51",
            2,
            "invalid value `51` for `--depth <N>`: must be one of 18, ",
            false,
        ),
        ("predict", 2, "missing `<IMAGE|DIR|->...`", true),
        ("", 2, "a command is missing", true),
        (
            "--completions tcsh",
            2,
            "invalid value `tcsh` for `--completions <SHELL>`",
            true,
        ),
    ] {
        for color in ["", "--color always "] {
            let done = run(&format!("{color}{line}"));
            assert_eq!(
                (done.status, done.stdout.as_str()),
                (status, ""),
                "{line}: {}",
                done.stderr
            );
            let [error] = logged(&done).try_into().unwrap();
            assert_eq!(error["level"], "error", "{line}");
            let text = error["message"].as_str().unwrap();
            assert!(text.starts_with(message), "{line}: {text}");
            assert_eq!(error["hint"].is_string(), hint, "{line}: {error}");
        }
    }
    let done = Resnet::line("--log-format=json summary")
        .env("RESNET_ISA", "sse9")
        .run();
    assert_eq!(logged(&done)[0]["level"], "error");
    // Help is no message, and an unknown format is said in words.
    assert!(
        run("summary --help")
            .stdout
            .contains("Usage: resnet summary")
    );
    let done = Resnet::line("summary --log-format xml").run();
    assert!(
        done.stderr.starts_with("error: invalid value `xml`"),
        "{}",
        done.stderr
    );
}

#[test]
fn notes_and_images_that_cannot_be_read_are_objects_and_data_stays_as_it_is() {
    let line = format!("predict {CAT} README.md -m {MODEL} -f json -v");
    let done = run(&line);
    assert_eq!(done.status, 1);
    let levels: Vec<Value> = logged(&done)
        .iter()
        .map(|line| line["level"].clone())
        .collect();
    assert!(
        levels.contains(&"note".into()) && levels.contains(&"error".into()),
        "{levels:?}"
    );
    assert_eq!(done.stdout, Resnet::line(&line).run().stdout);
    let done = run(&format!("{line} --quiet").replace(" -v", ""));
    assert!(logged(&done).iter().all(|line| line["level"] == "error"));
    let done = run(&format!("eval -m {MODEL} -d sample"));
    assert_eq!(logged(&done)[0]["level"], "error");
    assert_eq!(logged(&run("summary --depth 20")), [Value::Null; 0]);
}

#[test]
fn a_runs_epochs_are_events_and_its_steps_at_most_one_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let line = "train -d fake:40:4 --depth 20 --width 4 --image-size 16 -b 4 --val-split 0.2 --epochs 3 -o run --log-format json";
    let started = std::time::Instant::now();
    let done = Resnet::line(line).folder(folder.path()).run();
    let seconds = started.elapsed().as_secs() as usize;
    assert_eq!(
        (done.status, done.stdout.as_str()),
        (0, ""),
        "{}",
        done.stderr
    );
    let logged_lines = logged(&done);
    let of = |name: &str| -> Vec<&Value> {
        let named = logged_lines.iter().filter(|line| line["event"] == name);
        named.collect()
    };
    let steps = of("step");
    assert_eq!(
        (&steps[0]["step"], &steps[0]["epoch"]),
        (&1.into(), &1.into())
    );
    assert!(steps.len() <= seconds + 1, "{}", steps.len());
    for key in ["loss", "lr", "step_ms", "images_per_second"] {
        assert!(steps[0][key].is_number(), "{key}");
    }
    let epochs = of("epoch");
    let numbers: Vec<u64> = epochs
        .iter()
        .map(|line| line["epoch"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
    for key in [
        "train_loss",
        "train_top1",
        "val_loss",
        "val_top1",
        "lr",
        "seconds",
    ] {
        assert!(epochs[0][key].is_number(), "{key}");
    }
    let message = epochs[0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("epoch 1/3: loss ") && message.contains(" (best); lr "),
        "{message}"
    );
    assert_eq!(
        logged_lines.last().unwrap()["message"],
        "saved to run; open its report.html"
    );
    // Where stdout has the steps and epochs, stderr does not say them again.
    let again = line.replace("-o run", "-o other --format json");
    let done = Resnet::line(&again).folder(folder.path()).run();
    let is_start = |line: &Value| line.get("event").is_none_or(|event| event == "start");
    assert!(logged(&done).iter().all(is_start));
    assert_eq!(done.stdout.lines().count(), 3 * 9 + 3);
}
