//! The inspection at the start of a run: its table, warnings and hints.

use super::{check, clean, flawed, train, write_image};
use crate::support::command::Resnet;
use resnet::data::survey::{DatasetSurvey, Inspection};
use serde_json::Value;
use std::fs;

#[test]
fn a_run_shows_the_table_and_warns_of_what_makes_its_figures_wrong() {
    let folder = tempfile::tempdir().unwrap();
    flawed(folder.path());
    let done = train(folder.path(), "-o run");
    assert_eq!(done.status, 0, "{}", done.stderr);
    for expected in [
        "class              train  val\ncat                    7    3\ndog                    6    3\ntotal (2 classes)     13    6\n",
        "warning: 2 of 19 images cannot be read and will be left out\nwarning: train and val share 1 image, such as ",
        "warning: 1 image has two labels, such as `photos/train/cat/1.png` and `photos/train/dog/wrong.png`\nhint: `resnet train -d photos --check` decodes",
    ] {
        assert!(
            done.stderr.contains(expected),
            "{expected}\n{}",
            done.stderr
        );
    }
    // The report reads it from here.
    let survey = fs::read(folder.path().join("run/data.json")).unwrap();
    let survey: DatasetSurvey = serde_json::from_slice(&survey).unwrap();
    assert_eq!(survey.inspection, Inspection::Headers);
    assert_eq!((survey.unreadable.len(), survey.duplicates.len()), (2, 3));
    // Not with --quiet, and stdout stays what programs read.
    let quiet = train(folder.path(), "--dry-run -q --format json");
    assert_eq!((quiet.status, quiet.stderr.as_str()), (0, ""));
    let lines = quiet.stdout.lines();
    assert!(
        lines
            .map(serde_json::from_str::<Value>)
            .all(|line| line.is_ok())
    );
    // A strict run ends before its first step.
    let strict = train(folder.path(), "-o strict --strict");
    assert_eq!(strict.status, 1);
    assert!(
        strict.stderr.ends_with(
            "error: cannot read image `photos/train/cat/page.jpg`: it is an HTML page, not an image\n"
        ),
        "{}",
        strict.stderr
    );
    assert!(!folder.path().join("strict").exists());
}

#[test]
fn the_command_in_a_hint_has_only_flags_that_the_user_has_set() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..20 {
        let class = ["cat", "dog"][number as usize % 2];
        let path = folder.path().join(format!("photos/{class}/{number}.png"));
        write_image(&path, number);
    }
    fs::write(
        folder.path().join("photos/cat/page.jpg"),
        "<html>404</html>",
    )
    .unwrap();
    for (flags, shown) in [
        ("", ""),
        ("--val-split 0.2", " --val-split 0.2"),
        ("--seed 3 --val-split 0.2", " --val-split 0.2 --seed 3"),
    ] {
        let done = train(folder.path(), &format!("--dry-run {flags}"));
        let expected = format!(
            "warning: cannot read image `photos/cat/page.jpg`: it is an HTML page, not an image\nwarning: 1 of 21 images cannot be read and will be left out\nhint: `resnet train -d photos --check{shown}` decodes"
        );
        assert!(
            done.stderr.contains(&expected),
            "{expected}\n{}",
            done.stderr
        );
        assert_eq!(
            done.stderr.matches("page.jpg").count(),
            1,
            "{}",
            done.stderr
        );
        assert!(!done.stderr.contains("skipped"), "{}", done.stderr);
    }
}

#[test]
fn settings_that_cannot_be_trained_are_refused_before_the_inspection() {
    let folder = tempfile::tempdir().unwrap();
    flawed(folder.path());
    for (flags, expected) in [
        (
            "--freeze layer5",
            "cannot train with --freeze layer5: the network has 3 stages\nhint: ",
        ),
        (
            "--image-size 1x1 --batch-size 1",
            "cannot train on batches of one image of 1x1: ",
        ),
    ] {
        let line = format!("train -d photos --depth 20 --width 8 --dry-run {flags}");
        let done = Resnet::line(&line).folder(folder.path()).run();
        assert_eq!(done.status, 2, "{flags}: {}", done.stderr);
        assert!(done.stderr.contains(expected), "{}", done.stderr);
        assert!(!done.stderr.contains("warning: "), "{}", done.stderr);
    }
}

#[test]
fn the_time_of_the_inspection_is_a_detail() {
    let folder = tempfile::tempdir().unwrap();
    clean(folder.path());
    let done = train(folder.path(), "--dry-run --verbose");
    assert!(
        done.stderr.contains("note: inspected 14 images in "),
        "{}",
        done.stderr
    );
}

#[test]
fn a_run_on_a_clean_folder_shows_the_table_alone() {
    let folder = tempfile::tempdir().unwrap();
    clean(folder.path());
    let done = train(folder.path(), "--dry-run");
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(
        done.stderr.contains("\ntotal (2 classes)     10    4\n"),
        "{}",
        done.stderr
    );
    for flaw in ["cannot be read", "share", "labels", "imbalanced", "--check"] {
        assert!(!done.stderr.contains(flaw), "{}", done.stderr);
    }
}

#[test]
fn imbalanced_classes_are_noted_unless_they_are_weighted() {
    let folder = tempfile::tempdir().unwrap();
    clean(folder.path());
    for number in 0..8 {
        let path = folder
            .path()
            .join(format!("photos/train/cat/more_{number}.png"));
        write_image(&path, 70 + number);
    }
    let note = "note: imbalanced classes: 14 images of `cat`, 4 of `dog`; --class-weights auto";
    for done in [check(folder.path(), ""), train(folder.path(), "--dry-run")] {
        assert_eq!(done.status, 0);
        assert!(done.stderr.contains(note), "{}", done.stderr);
    }
    let weighted = train(folder.path(), "--dry-run --class-weights auto");
    assert!(
        !weighted.stderr.contains("imbalanced"),
        "{}",
        weighted.stderr
    );
}
