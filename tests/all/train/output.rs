//! The output of a run: JSON lines for programs on stdout, text for people on stderr; a dry run writes no files.

use super::{SMALL, command, data, files, lines, trained};
use std::fs;
use std::io::{BufRead, BufReader};

#[test]
fn json_has_a_line_a_step_and_a_line_an_epoch_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let done = trained(
        folder,
        &format!("-d data {SMALL} -b 16 --epochs 2 -o run --format json"),
    );
    let lines = lines(&done.stdout);
    let keys = |line: &serde_json::Value| -> Vec<String> {
        line.as_object().unwrap().keys().cloned().collect()
    };
    let is_step = |line: &serde_json::Value| line.get("step").is_some();
    let shape: Vec<bool> = lines.iter().map(is_step).collect();
    assert_eq!(shape, [true, true, true, false, true, true, true, false]);
    for (index, step) in lines.iter().filter(|line| is_step(line)).enumerate() {
        let expected = [
            "epoch",
            "step",
            "loss",
            "lr",
            "step_ms",
            "images_per_second",
            "data_ms",
        ];
        assert_eq!(keys(step), expected);
        assert_eq!(step["epoch"], index / 3 + 1);
        assert_eq!(step["step"], index + 1);
        let milliseconds = step["step_ms"].as_f64().unwrap();
        let rate = step["images_per_second"].as_f64().unwrap();
        // The last batch of an epoch holds the 8 that are left.
        let images = if index % 3 == 2 { 8.0 } else { 16.0 };
        assert!(milliseconds > 0.0);
        // The wait is a part of the step; the first one waits for threads to start and images to be decoded.
        let waited = step["data_ms"].as_f64().unwrap();
        assert!((0.0..=milliseconds).contains(&waited), "{step}");
        assert!(index > 0 || waited > 0.0, "{step}");
        assert!((rate * milliseconds / 1e3 - images).abs() < 1e-6, "{step}");
        assert!(step["loss"].as_f64().unwrap() > 0.0);
        assert!(step["lr"].as_f64().unwrap() > 0.0);
    }
    for (index, epoch) in lines.iter().filter(|line| !is_step(line)).enumerate() {
        let expected = [
            "epoch",
            "train_loss",
            "train_top1",
            "val_loss",
            "val_top1",
            "val_top5",
            "lr",
            "seconds",
        ];
        assert_eq!(keys(epoch), expected);
        assert_eq!(epoch["epoch"], index + 1);
        assert!(epoch["val_top5"].is_null(), "four classes: {epoch}");
        let top1 = epoch["val_top1"].as_f64().unwrap();
        // Twelve images.
        assert!(
            (top1 * 0.12 - (top1 * 0.12).round()).abs() < 1e-9,
            "{epoch}"
        );
        let of_epoch = lines
            .iter()
            .filter(|line| is_step(line) && line["epoch"] == epoch["epoch"]);
        let losses: Vec<f64> = of_epoch
            .map(|step| step["loss"].as_f64().unwrap())
            .collect();
        let mean = (16.0 * losses[0] + 16.0 * losses[1] + 8.0 * losses[2]) / 40.0;
        assert!((epoch["train_loss"].as_f64().unwrap() - mean).abs() < 1e-9);
    }
    // metrics.csv has the epoch lines' columns and numbers.
    let csv = fs::read_to_string(folder.join("run/metrics.csv")).unwrap();
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0], keys(&lines[3]));
    for (row, line) in rows[1..].iter().zip([&lines[3], &lines[7]]) {
        for (key, cell) in rows[0]
            .iter()
            .zip(row)
            .filter(|(key, _)| **key != "seconds")
        {
            // Reading a decimal may be off by a bit.
            match (line[*key].as_f64(), cell.parse::<f64>()) {
                (Some(number), Ok(cell)) => assert!((number - cell).abs() < 1e-12, "{key}"),
                (number, _) => assert!(number.is_none() && cell.is_empty(), "{key}"),
            }
        }
    }
}

#[test]
fn text_goes_to_stderr_alone() {
    let folder = tempfile::tempdir().unwrap();
    let done = trained(
        folder.path(),
        &format!("-d fake:8:5 {SMALL} --val-split 0.5"),
    );
    assert_eq!(done.stdout, "");
    let stderr = done.stderr;
    assert!(stderr.contains("\nepoch 1/1: loss "), "{stderr}");
    assert!(
        !stderr.contains('\r') && !stderr.contains('\u{1b}'),
        "{stderr:?}"
    );
    assert!(stderr.contains(" 3 images held out of train ("), "{stderr}");
    assert!(
        stderr.contains("saved to runs/fake-resnet20_custom-1; open its report.html"),
        "{stderr}"
    );
    // The next one has the next number, and quiet means quiet.
    let done = trained(folder.path(), &format!("-d fake:8:5 {SMALL} -q"));
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
    assert!(
        folder
            .path()
            .join("runs/fake-resnet20_custom-2/best/config.json")
            .is_file()
    );
}

#[test]
fn a_reader_that_has_had_enough_ends_the_run_saved_and_failed() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("-d fake:400 {SMALL} --epochs 3 -o run --format json");
    let mut running = command(folder.path(), &line).start();
    let mut stdout = BufReader::new(running.child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    drop(stdout);
    let done = running.finish();
    assert_eq!(done.status, 1, "{}", done.stderr);
    let last = done.stderr.lines().rev().take(2).collect::<Vec<_>>();
    assert!(
        last[1].starts_with("error: standard output was closed after step ")
            && last[1].ends_with("; the run is saved")
            && last[0] == "hint: `resnet train --resume run` resumes it",
        "{}",
        done.stderr
    );
    let again = trained(folder.path(), "--resume run --format json");
    assert!(again.stderr.contains("resuming "), "{}", again.stderr);
}

#[test]
fn verbose_output_names_the_device_and_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("-d fake:9 {SMALL} --epochs 2 --max-steps 4 --dry-run -v --threads 2");
    let done = trained(folder.path(), &line);
    let mut lines = done.stderr.lines();
    let first = lines.next().unwrap();
    assert!(
        first.starts_with("note: computing on cpu (")
            && first.ends_with(") with 2 threads and 1 data-loading thread"),
        "{first}"
    );
    assert!(
        done.stderr
            .contains("\nnote: 4 steps in all; a step needs about "),
        "{}",
        done.stderr
    );
    let chosen = "note: defaults for these images and training from scratch: ";
    let chosen = lines.find_map(|line| line.strip_prefix(chosen)).unwrap();
    let chosen: Vec<&str> = chosen.split(", ").collect();
    assert!(chosen.contains(&"momentum 0.9") && chosen.contains(&"seed 0"));
    let overrides = [
        "data",
        "depth",
        "width",
        "image-size",
        "batch-size",
        "epochs",
        "max-steps",
    ];
    for key in overrides {
        let is_key = |text: &&str| text.split(' ').next() == Some(key);
        assert!(!chosen.iter().any(is_key), "{key}: {chosen:?}");
    }
    let quiet = trained(folder.path(), &line.replace(" -v", ""));
    assert!(!quiet.stderr.contains("threads"), "{}", quiet.stderr);
}

#[test]
fn a_setting_without_effect_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("-d fake:8 {SMALL} --epochs 3 --dry-run --patience 1");
    let stderr = trained(folder.path(), &line).stderr;
    let note = "\nnote: --patience has no effect: there is no validation set\n";
    assert!(stderr.contains(note), "{stderr}");
}

#[test]
fn a_dry_run_does_all_of_it_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = format!("-d fake:16:4 {SMALL} --val-split 0.5 --epochs 2 --dry-run --format json");
    let done = trained(folder, &line);
    assert_eq!(lines(&done.stdout).len(), 6);
    let done = trained(
        folder,
        &format!("{line} --max-steps 1 --checkpoint-every 1 -o run"),
    );
    assert_eq!(lines(&done.stdout).len(), 2);
    assert!(files(folder).is_empty(), "{:?}", files(folder).keys());
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
}

#[test]
fn a_dry_run_of_a_few_steps_validates_on_a_few_images() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    super::data(folder);
    let line = format!("-d data {SMALL} --dry-run");
    let done = trained(folder, &format!("{line} --max-steps 2"));
    assert!(
        done.stderr.contains(
            "note: a dry run with --max-steps validates on as many images as it trains on: 8 of 12 validation images\n"
        ),
        "{}",
        done.stderr
    );
    // What the number of steps decides beside.
    assert!(
        done.stderr.contains(
            "note: --max-steps 2 shortens the schedule to 1 epoch; add `--epochs 30` to keep the default one\n"
        ),
        "{}",
        done.stderr
    );
    // A program reads the run's own figures.
    for flags in ["--epochs 1", "--max-steps 2 --format json"] {
        let done = trained(folder, &format!("{line} {flags}"));
        assert!(
            done.stderr.contains(" 12 validation images\n"),
            "{flags}: {}",
            done.stderr
        );
    }
}

#[test]
fn a_model_that_was_trained_without_exif_orientation_ignores_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    super::data(folder);
    let line = format!("-d data {SMALL} --max-steps 1");
    trained(folder, &format!("{line} --no-exif -o run"));
    let predicted = |flags: &str| {
        let line = format!("predict data/val/a/0.png -v {flags}");
        let done = crate::support::command::Resnet::line(&line)
            .folder(folder)
            .run();
        assert_eq!(done.status, 0, "{}", done.stderr);
        done.stderr.contains("EXIF orientation ignored")
    };
    assert!(predicted("-m run") && predicted("-m run/last"));
    assert!(!predicted("-m run --no-exif=false"));
    // A network that starts from it does so, too.
    trained(
        folder,
        "-d data -m run -b 4 --workers 1 --max-steps 1 -o tuned",
    );
    assert!(predicted("-m tuned"));
    trained(folder, &format!("{line} -o other"));
    assert!(!predicted("-m other") && predicted("-m other --no-exif"));
}

#[test]
fn a_mistyped_run_is_no_name_of_the_hub() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    super::data(folder);
    trained(folder, &format!("-d data {SMALL} --max-steps 1"));
    for (model, error) in [
        (
            "runs/dota-resnet20_custom-1",
            "there is no `dota-resnet20_custom-1` in `runs`\nhint: there is `runs/data-resnet20_custom-1`; `runs/dota-resnet20_custom-1@main` is the hub repository\n",
        ),
        (
            "runs/data-resnet20_custom-1/bset",
            "there is no `bset` in `runs/data-resnet20_custom-1`\nhint: there are `runs/data-resnet20_custom-1/best` and `runs/data-resnet20_custom-1/last`\n",
        ),
    ] {
        let line = format!("predict data/val/a/0.png -m {model}");
        let done = crate::support::command::Resnet::line(&line)
            .folder(folder)
            .run();
        assert_eq!(
            (done.status, done.stderr),
            (1, format!("error: cannot load weights `{model}`: {error}"))
        );
    }
    // Nor is a state a model, wherever it is.
    fs::copy(
        folder.join("runs/data-resnet20_custom-1/state.safetensors"),
        folder.join("copy.safetensors"),
    )
    .unwrap();
    let done = crate::support::command::Resnet::line("summary copy.safetensors")
        .folder(folder)
        .run();
    assert_eq!(
        (done.status, done.stderr.as_str()),
        (
            1,
            "error: cannot load weights `copy.safetensors`: it is the state of a training run, not a model\nhint: pass the run's `best/` or `last/`\n"
        )
    );
    // A folder without models keeps nobody from the hub.
    fs::create_dir_all(folder.join("microsoft/clone")).unwrap();
    let done = crate::support::command::Resnet::line("summary microsoft/resnet-50")
        .folder(folder)
        .run();
    assert!(done.stderr.contains("HF_HUB_OFFLINE"), "{}", done.stderr);
}

#[test]
fn a_held_out_part_selects_the_epoch_and_the_test_images_stay_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    super::write_images(&folder.join("data/train"), &[("a", 10), ("b", 5)]);
    super::write_images(&folder.join("data/test"), &[("a", 3), ("b", 4)]);
    let done = trained(
        folder,
        &format!("-d data {SMALL} --epochs 2 --val-split 0.2 -o run"),
    );
    let stderr = &done.stderr;
    assert!(
        stderr.contains(" parameters) on 12 images in 2 classes"),
        "{stderr}"
    );
    assert!(stderr.contains(" 3 images held out of train ("), "{stderr}");
    assert!(
        stderr.contains(" % top-1 on 7 images (used neither for training nor for selection)"),
        "{stderr}"
    );
    assert!(!stderr.contains("optimistic"), "{stderr}");
    let config = fs::read_to_string(folder.join("run/best/config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let note = &config["resnet_run"];
    assert_eq!(
        (&note["chosen"]["split"], &note["chosen"]["images"]),
        (&"train".into(), &3.into())
    );
    let held_out = &note["carved"];
    assert_eq!(
        (&held_out["part"], &held_out["seed"], &held_out["images"]),
        (&0.2.into(), &0.into(), &3.into())
    );
    assert_eq!(config["label_names"], serde_json::json!(["a", "b"]));
    let last = fs::read_to_string(folder.join("run/last/config.json")).unwrap();
    let last: serde_json::Value = serde_json::from_str(&last).unwrap();
    assert_eq!(last["resnet_run"]["data"], note["data"]);
    assert_eq!(last["resnet_run"]["carved"], note["carved"]);
    assert_eq!(last["resnet_run"].get("chosen"), None);
    // The held-out part can be evaluated again, and gives the figure that selected the epoch.
    let eval = |model: &str| {
        let line = format!("eval -m {model} -d data --split val -f json");
        let done = crate::support::command::Resnet::line(&line)
            .folder(folder)
            .run();
        assert_eq!(done.status, 0, "{}", done.stderr);
        let report: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        (done.stderr, report)
    };
    let (stderr, report) = eval("run");
    assert!(
        stderr.contains("the same images selected the best epoch"),
        "{stderr}"
    );
    assert_eq!(
        (&report["images"], &report["split"], &report["top1"]),
        (&3.into(), &"val".into(), &note["chosen"]["val_top1"])
    );
    let (stderr, _) = eval("run/last");
    assert!(!stderr.contains("optimistic"), "{stderr}");
    // Without it the test images select the epoch, which is noted wherever their figure is.
    let done = trained(folder, &format!("-d data {SMALL} --epochs 1 -o other"));
    assert!(
        done.stderr.contains(
            " % top-1 on 7 test images (optimistic: the same images selected the epoch)\n"
        ),
        "{}",
        done.stderr
    );
    let marked = |run: &str| {
        let line = format!("eval -m {run} -d data");
        let done = super::Resnet::line(&line).folder(folder).run();
        assert_eq!(done.status, 0, "{}", done.stderr);
        done.stdout
            .contains("\noptimistic: the same images selected the best epoch")
    };
    assert!(!marked("run") && marked("other"));
    // Of other images another part would be held out: the model was trained on some of it.
    fs::copy(
        folder.join("data/train/a/0.png"),
        folder.join("data/train/a/00.png"),
    )
    .unwrap();
    let done = super::Resnet::line("eval -m run -d data --split val")
        .folder(folder)
        .run();
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert_eq!(
        done.stderr,
        "error: the 3 images of `data` held out for validation cannot be identified: its training images have changed since the run\nhint: restore the images as they were during training, pass other images with -d, or pass --split all to evaluate all of these\n"
    );
}

#[test]
fn a_folder_of_small_images_is_trained_at_their_size_unless_another_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let note =
        "note: images of about 18x18 px: trained at that size; `--image-size 224` for another\n";
    let line = "-d data --depth 20 --width 4 -b 4 --workers 1 --max-steps 1";
    let done = trained(folder, &format!("{line} -o run"));
    assert!(done.stderr.contains(note), "{}", done.stderr);
    let config = fs::read_to_string(folder.join("run/config.toml")).unwrap();
    for answer in [
        "image-size = 18\n",
        "augment = \"crop-flip\"\n",
        "label-smoothing = 0.0\n",
    ] {
        assert!(config.contains(answer), "{config}");
    }
    for line in [
        format!("{line} --image-size 16 --dry-run"),
        "-d data -m run -b 4 --max-steps 1 --dry-run".to_owned(),
    ] {
        let done = trained(folder, &line);
        assert!(!done.stderr.contains("images of about"), "{}", done.stderr);
    }
}
