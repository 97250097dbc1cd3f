//! Tests of the event files of a run, read by a reader of their own and, if available, by TensorBoard's.

mod reader;

use super::{SMALL, command, data, lines, outcome, train, trained};
use reader::{Field, event_files, events, fields, scalars, step, values};
use serde_json::Value;
use std::collections::BTreeMap;

#[test]
fn every_step_and_epoch_is_in_the_run_folders_event_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let line = format!("-d data {SMALL} -b 16 --epochs 2 -o run --format json");
    let printed = lines(&trained(folder, &line).stdout);
    let run = folder.join("run");
    let [file] = event_files(&run).try_into().unwrap();
    let events = events(&file);
    assert_eq!(events[0][&3][0].text(), "brain.Event:2");
    // START, before the first step.
    assert_eq!(fields(events[1][&7][0].bytes())[&1], [Field::Varint(1)]);
    assert_eq!(step(&events[1]), 1);
    for event in &events {
        let [Field::Eight(seconds)] = event[&1][..] else {
            panic!("no time: {event:?}");
        };
        assert!(seconds > 1.7e9);
    }
    let expected = |key: &str, of_steps: bool| -> Vec<(u64, f32)> {
        let mut last = 0;
        let mut numbers = Vec::new();
        for line in &printed {
            last = line["step"].as_u64().unwrap_or(last);
            if line.get("step").is_some() == of_steps {
                numbers.push((last, line[key].as_f64().unwrap() as f32));
            }
        }
        numbers
    };
    for key in ["loss", "lr", "images_per_second"] {
        let numbers = expected(key, true);
        assert_eq!(numbers.len(), 6);
        assert_eq!(scalars(&events, &format!("train/{key}")), numbers, "{key}");
    }
    for key in ["train_loss", "train_top1", "val_loss", "val_top1"] {
        let numbers = expected(key, false);
        assert_eq!(
            numbers.iter().map(|(step, _)| *step).collect::<Vec<_>>(),
            [3, 6]
        );
        assert_eq!(scalars(&events, &format!("epoch/{key}")), numbers, "{key}");
    }
    // Four classes have no first five.
    assert_eq!(scalars(&events, "epoch/val_top5"), []);
    let values = values(&events);
    let of = |tag: &str| values.iter().find(|(_, of, _)| of == tag).unwrap();
    // Sixteen images of 16 px, two apart.
    let (step, _, value) = of("train/pictures");
    let shown = fields(value[&4][0].bytes());
    assert_eq!(*step, 1);
    assert_eq!(
        [&shown[&1][0], &shown[&2][0], &shown[&3][0]],
        [&Field::Varint(70), &Field::Varint(70), &Field::Varint(3)]
    );
    let png = image::load_from_memory(shown[&4][0].bytes())
        .unwrap()
        .to_rgb8();
    assert_eq!(png.dimensions(), (70, 70));
    assert_eq!(png.get_pixel(16, 16).0, [128; 3]);
    // Each image is noise within 60 levels above a color of 40 or 110.
    for (x, y) in [(5, 5), (23, 5), (41, 59)] {
        assert!(
            png.get_pixel(x, y)
                .0
                .iter()
                .all(|&level| (30..180).contains(&level))
        );
    }
    let (step, _, value) = of("recipe");
    assert_eq!(*step, 0);
    let text = fields(value[&8][0].bytes())[&8][0].text();
    let config = std::fs::read_to_string(run.join("config.toml")).unwrap();
    let shown: String = text.lines().flat_map(|line| [&line[4..], "\n"]).collect();
    assert_eq!(shown, config);
    assert!(!values.iter().any(|(_, tag, _)| tag.starts_with("weights/")));
}

#[test]
fn a_resumed_run_writes_from_which_step_its_events_count() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = format!("-d fake:40 {SMALL} --epochs 3 -o run");
    trained(folder, &format!("{line} --max-steps 10"));
    // The state is of step 10. Steps beyond it, as of a process that was killed.
    let run = folder.join("run");
    let saved = std::fs::read(run.join("state.safetensors")).unwrap();
    trained(folder, "--resume run --max-steps 14");
    std::fs::write(run.join("state.safetensors"), saved).unwrap();
    let done = trained(folder, "--resume run --epochs 3 --format json");
    let mut kept: BTreeMap<u64, f32> = BTreeMap::new();
    let files = event_files(&run);
    assert_eq!(files.len(), 3);
    for (file, first) in files.iter().zip([1, 11, 11]) {
        let events = events(file);
        assert_eq!(fields(events[1][&7][0].bytes())[&1], [Field::Varint(1)]);
        assert_eq!(step(&events[1]), first);
        let losses = scalars(&events, "train/loss");
        assert_eq!(losses[0].0, first);
        // As TensorBoard does.
        kept.retain(|step, _| *step < first);
        kept.extend(losses);
    }
    assert!(kept.keys().copied().eq(1..=30));
    let told: Vec<(u64, f32)> = lines(&done.stdout)
        .iter()
        .filter_map(|line| Some((line["step"].as_u64()?, line["loss"].as_f64()? as f32)))
        .collect();
    assert!(kept.into_iter().skip(10).eq(told));
    // A finished run writes no events.
    trained(folder, "--resume run");
    assert_eq!(event_files(&run).len(), 3);
}

/// Its line in `metrics.csv` is removed, too.
#[test]
fn the_figures_of_a_partial_epoch_are_taken_back_when_the_epoch_continues() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = format!("-d fake:40 {SMALL} --epochs 3 -o run");
    trained(folder, &format!("{line} --max-steps 1"));
    trained(folder, "--resume run --max-steps 14");
    trained(folder, "--resume run --epochs 3");
    let (mut steps, mut epochs, mut images) = (Vec::new(), Vec::new(), 0);
    for (file, first) in event_files(&folder.join("run")).iter().zip([1, 1, 14]) {
        let events = events(file);
        assert_eq!(step(&events[1]), first);
        // As TensorBoard does.
        for kept in [&mut steps, &mut epochs] {
            kept.retain(|step| *step < first);
        }
        let at = |tag: &str| scalars(&events, tag).into_iter().map(|(step, _)| step);
        steps.extend(at("train/loss"));
        epochs.extend(at("epoch/train_loss"));
        let shown = values(&events);
        let shown = shown.iter().filter(|(_, tag, _)| tag == "train/pictures");
        images = shown.count() + if first > 1 { images } else { 0 };
    }
    assert_eq!(epochs, [10, 20, 30]);
    // The last step of a half epoch goes with its figures.
    assert!(steps.into_iter().eq((2..=13).chain(15..=30)));
    assert_eq!(images, 1);
}

#[test]
fn events_change_no_bit_and_histograms_come_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let line = format!("-d data {SMALL} --epochs 2");
    trained(folder, &format!("{line} -o plain"));
    trained(
        folder,
        &format!("{line} --max-steps 12 --histograms -o run"),
    );
    trained(folder, "--resume run --epochs 2 --histograms");
    assert!(outcome(&folder.join("run")) == outcome(&folder.join("plain")));
    let weights = |which: &str| {
        let bytes = std::fs::read(folder.join("run").join(which).join("model.safetensors"));
        let bytes = bytes.unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let numbers = tensors.tensor("fc.weight").unwrap().data().to_vec();
        let numbers = numbers.chunks_exact(4);
        let numbers = numbers.map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
        (tensors.len(), numbers.collect::<Vec<f32>>())
    };
    let (tensors, numbers) = weights("last");
    let last = event_files(&folder.join("run")).pop().unwrap();
    let values = values(&events(&last));
    let histograms = values
        .iter()
        .filter(|(_, tag, _)| tag.starts_with("weights/"));
    assert_eq!(histograms.count(), tensors);
    let fc = values.iter().find(|(_, tag, _)| tag == "weights/fc.weight");
    let (step, _, value) = fc.unwrap();
    assert_eq!(*step, 20);
    let histogram = fields(value[&5][0].bytes());
    let most = numbers.iter().copied().fold(f32::MIN, f32::max);
    let least = numbers.iter().copied().fold(f32::MAX, f32::min);
    assert_eq!(histogram[&1], [Field::Eight(f64::from(least))]);
    assert_eq!(histogram[&2], [Field::Eight(f64::from(most))]);
    assert_eq!(histogram[&3], [Field::Eight(numbers.len() as f64)]);
    let doubles = |field: &Field| -> Vec<f64> {
        let numbers = field.bytes().chunks_exact(8);
        numbers
            .map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()))
            .collect()
    };
    let (limits, buckets) = (doubles(&histogram[&6][0]), doubles(&histogram[&7][0]));
    assert_eq!((limits.len(), buckets.len()), (30, 30));
    assert!((buckets.iter().sum::<f64>() - numbers.len() as f64).abs() < 1e-9);
    let below = numbers
        .iter()
        .filter(|&&number| f64::from(number) < limits[14]);
    let counted: f64 = buckets[..15].iter().sum();
    assert!((counted - below.count() as f64).abs() <= 1.0);
    let done = train(folder, &format!("{line} --histograms --dry-run"));
    assert_eq!(
        (done.status, done.stderr.as_str()),
        (
            2,
            "error: --histograms cannot be used with --dry-run, which writes nothing\nhint: leave one of them out\n"
        )
    );
}

/// Files are limited to a number of blocks of 512 bytes; one that grows beyond fails as on a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_too_full_for_events_ends_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let script = "ulimit -f 600; exec \"$0\" train \"$@\"";
    let line = format!("-d fake:8 {SMALL} --epochs 30 --histograms -o run");
    let output = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_resnet")])
        .args(line.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(
        stderr
            .matches("warning: cannot write `run/events.out")
            .count(),
        1,
        "{stderr}"
    );
    assert!(
        stderr.contains("hint: the run continues without TensorBoard"),
        "{stderr}"
    );
    assert!(stderr.contains("\nepoch 30/30: "), "{stderr}");
    assert!(folder.join("run/best/model.safetensors").is_file());
}

/// TensorBoard's own reader reads a run that was killed and resumed.
#[test]
fn tensorboard_reads_a_run() {
    let Ok(python) = std::env::var("RESNET_TENSORBOARD_PYTHON") else {
        eprintln!("skipped: RESNET_TENSORBOARD_PYTHON names no Python that has TensorBoard");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let line = format!("-d data {SMALL} --epochs 3 --histograms -o run --format json");
    let mut running = command(folder, &line).start();
    let printed = running.read_until("\"step\":13,");
    running.child.kill().unwrap();
    running.finish();
    let rest = trained(folder, "--resume run --histograms --format json").stdout;
    let output = std::process::Command::new(python)
        .arg(crate::support::command::root().join("tests/tensorboard/read.py"))
        .arg(folder.join("run"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Every step once, though the process that was killed had gone beyond its last state.
    let printed: Vec<Value> = lines(&printed)
        .into_iter()
        .take(10)
        .chain(lines(&rest))
        .collect();
    let expected = |key: &str, of_steps: bool| -> Vec<(u64, f32)> {
        let mut last = 0;
        let told = printed.iter().filter_map(|line| {
            last = line["step"].as_u64().unwrap_or(last);
            let is_wanted = line.get("step").is_some() == of_steps;
            is_wanted.then(|| Some((last, line[key].as_f64()? as f32)))?
        });
        told.collect()
    };
    let scalars = |tag: &str| -> Vec<(u64, f32)> {
        let all = found["scalars"][tag].as_array().unwrap().iter();
        all.map(|pair| (pair[0].as_u64().unwrap(), pair[1].as_f64().unwrap() as f32))
            .collect()
    };
    assert_eq!(scalars("train/loss"), expected("loss", true));
    assert_eq!(scalars("train/loss").len(), 30);
    // The first epoch's line was cut off with the rest of what was printed, or not.
    let told = expected("val_top1", false);
    assert!(scalars("epoch/val_top1").ends_with(&told[told.len() - 2..]));
    assert_eq!(scalars("epoch/val_top1").len(), 3);
    assert_eq!(
        found["images"]["train/pictures"][0]["size"],
        serde_json::json!([34, 34])
    );
    let recipe = found["texts"]["recipe"][0][1].as_str().unwrap();
    assert!(recipe.contains("\n    batch-size = 4\n"), "{recipe}");
    let fc = &found["histograms"]["weights/fc.weight"];
    assert_eq!(fc.as_array().unwrap().len(), 3);
    assert_eq!(fc[2]["count"], 4.0 * 16.0);
}
