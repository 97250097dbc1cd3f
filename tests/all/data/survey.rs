//! The inspection of a dataset: `resnet train --check`, and what a run says of its data at its start.

use crate::support::command::{Finished, Resnet};
use image::{Rgb, RgbImage};
use resnet::data::DecodeOptions;
use resnet::data::dataset::{DatasetName, open};
use resnet::data::survey::{DatasetSurvey, DuplicateKind, Inspection};
use resnet::hub::Silent;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Writes an image that depends on `seed` alone.
fn write_image(path: &Path, seed: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let noise = |x: u32, y: u32| (x * 31 + y * 17 + seed * 101 + x * y * (seed + 1)) as u8;
    let image = RgbImage::from_fn(24, 24, |x, y| Rgb([noise(x, y), noise(y, x), seed as u8]));
    image.save(path).unwrap();
}

/// Two classes in `train/` (6 and 4 images) and `val/` (2 and 2), all of them different.
fn clean(folder: &Path) {
    for (number, (class, file)) in [("cat", 6), ("dog", 4)]
        .iter()
        .flat_map(|&(class, count)| (0..count).map(move |file| (class, file)))
        .enumerate()
    {
        let path = folder.join(format!("photos/train/{class}/{file}.png"));
        write_image(&path, number as u32);
    }
    for (number, (class, file)) in [("cat", 0), ("cat", 1), ("dog", 0), ("dog", 1)]
        .into_iter()
        .enumerate()
    {
        let path = folder.join(format!("photos/val/{class}/{file}.png"));
        write_image(&path, 50 + number as u32);
    }
}

/// The clean folder with an image in both splits, one in two classes, one twice in a class, and two unreadable ones.
fn flawed(folder: &Path) {
    clean(folder);
    let photos = folder.join("photos");
    let copy = |from: &str, to: &str| {
        fs::copy(photos.join(from), photos.join(to)).unwrap();
    };
    copy("train/cat/0.png", "val/cat/leak.png");
    copy("train/cat/1.png", "train/dog/wrong.png");
    copy("train/dog/2.png", "train/dog/again.png");
    fs::write(photos.join("train/cat/page.jpg"), "<html>404</html>").unwrap();
    let whole = fs::read(photos.join("train/dog/0.png")).unwrap();
    fs::write(photos.join("val/dog/cut.png"), &whole[..whole.len() / 2]).unwrap();
}

fn check(folder: &Path, arguments: &str) -> Finished {
    let line = format!("train -d photos --check {arguments}");
    Resnet::line(&line).folder(folder).run()
}

const SMALL: &str = "--depth 20 --width 8 --image-size 24 --epochs 1 --batch-size 8";

fn train(folder: &Path, arguments: &str) -> Finished {
    let line = format!("train -d photos {SMALL} {arguments}");
    Resnet::line(&line).folder(folder).run()
}

#[test]
fn a_clean_folder_is_a_table_and_exit_status_0() {
    let folder = tempfile::tempdir().unwrap();
    clean(folder.path());
    let done = check(folder.path(), "");
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(
        done.stdout,
        "\
class              train  val
cat                    6    2
dog                    4    2
total (2 classes)     10    4

All images can be read.
No image occurs twice.
"
    );
    assert_eq!(done.stderr, "");
    // Nothing is written, and a command of a run is taken as it is.
    assert!(!folder.path().join("runs").exists());
    let done = check(folder.path(), &format!("{SMALL} --seed 3"));
    assert_eq!(done.status, 0, "{}", done.stderr);
}

#[test]
fn each_flaw_is_listed_and_unreadable_images_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    flawed(folder.path());
    let done = check(folder.path(), "");
    assert_eq!(done.status, 1, "{}", done.stderr);
    for expected in [
        "total (2 classes)     13    6\n",
        "\n2 of 19 images cannot be read:\n  photos/train/cat/page.jpg: it is an HTML page, not an image\n  photos/val/dog/cut.png: the file is truncated\n",
        "\nIn two splits (1 image):\n  photos/train/cat/0.png (train, cat)\n    = photos/val/cat/leak.png (val, cat)\n",
        "\nIn two classes (1 image):\n  photos/train/cat/1.png (train, cat)\n    = photos/train/dog/wrong.png (train, dog)\n",
        "\nTwice in one class (1 image):\n  photos/train/dog/2.png (train, dog)\n    = photos/train/dog/again.png (train, dog)\n",
    ] {
        assert!(
            done.stdout.contains(expected),
            "{expected}\n{}",
            done.stdout
        );
    }
    for expected in [
        "warning: train and val share 1 image, such as `photos/train/cat/0.png` and `photos/val/cat/leak.png`: figures on val are optimistic\nhint: ",
        "warning: 1 image has two labels, such as `photos/train/cat/1.png` and `photos/train/dog/wrong.png`\nhint: ",
        "error: 2 of 19 images cannot be read\n",
    ] {
        assert!(
            done.stderr.contains(expected),
            "{expected}\n{}",
            done.stderr
        );
    }
    let quiet = check(folder.path(), "-q");
    assert_eq!((quiet.status, &quiet.stdout), (1, &done.stdout));
    assert_eq!(quiet.stderr, "error: 2 of 19 images cannot be read\n");
}

#[test]
fn json_is_one_object_that_is_read_back_as_the_survey() {
    let folder = tempfile::tempdir().unwrap();
    flawed(folder.path());
    let done = check(folder.path(), "--format json");
    assert_eq!(done.status, 1);
    assert_eq!(done.stdout.lines().count(), 1);
    let json: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(json["data"], "photos");
    assert_eq!(json["inspection"], "full");
    let splits = serde_json::json!([{"name": "train", "images": 13}, {"name": "val", "images": 6}]);
    assert_eq!(json["splits"], splits);
    let classes =
        serde_json::json!([{"label": "cat", "images": [7, 3]}, {"label": "dog", "images": [6, 3]}]);
    assert_eq!(json["classes"], classes);
    let unreadable = serde_json::json!({
        "split": "val", "label": "dog", "image": "photos/val/dog/cut.png", "reason": "the file is truncated"
    });
    assert_eq!(json["unreadable"][1], unreadable);
    let kinds: Vec<&str> = json["duplicates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["across-splits", "across-classes", "within-class"]);
    let survey: DatasetSurvey = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(serde_json::to_value(&survey).unwrap(), json);
    assert_eq!((survey.images(), survey.overlaps()[0].images), (19, 1));
}

#[test]
fn a_held_out_part_of_a_folder_is_compared_with_what_is_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("photos");
    // Every image twice: whatever is held out, its copy is most likely trained on.
    for class in ["cat", "dog"] {
        for file in 0..20 {
            let seed = file / 2 + if class == "cat" { 0 } else { 30 };
            write_image(&photos.join(format!("{class}/{file}.png")), seed);
        }
    }
    let done = check(folder.path(), "--val-split 0.2 --format json");
    assert_eq!(done.status, 0, "{}", done.stderr);
    let survey: DatasetSurvey = serde_json::from_str(&done.stdout).unwrap();
    let images: Vec<usize> = survey.splits.iter().map(|split| split.images).collect();
    assert_eq!((images, survey.duplicates.len()), (vec![32, 8], 20));
    let across = survey
        .duplicates
        .iter()
        .filter(|group| group.kind == DuplicateKind::AcrossSplits);
    let across = across.count();
    assert!(
        across > 0 && survey.overlaps()[0].images == across,
        "{across}"
    );
    assert!(
        done.stderr.contains("train and val share"),
        "{}",
        done.stderr
    );
}

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

#[test]
fn datasets_in_memory_are_compared_by_their_pixels() {
    let mut data = open(&DatasetName::Sample, "sample", &Silent).unwrap();
    // Two test images that are trained on, too: one of another class.
    let train = data.train.take().unwrap();
    let classes: Vec<u32> = (0..10).map(|class| (class + 1) % 10).collect();
    data.val = Some(train.select(&[7]));
    data.test = Some(train.select(&[13]).with_classes(&classes));
    data.train = Some(train);
    let survey = DatasetSurvey::new(
        &data,
        Inspection::Headers,
        DecodeOptions::default(),
        1,
        &mut |_| (),
    );
    let survey = survey.unwrap();
    let images: Vec<usize> = survey.splits.iter().map(|split| split.images).collect();
    assert_eq!(images, [6000, 1, 1]);
    let kind_of = |image: &str| {
        let group = survey.duplicates.iter().find(|group| {
            let mut images = group.images.iter();
            images.any(|member| member.image == image && member.split != "train")
        });
        group.map(|group| group.kind)
    };
    assert_eq!(kind_of("sample train 7"), Some(DuplicateKind::AcrossSplits));
    assert_eq!(
        kind_of("sample train 13"),
        Some(DuplicateKind::AcrossSplitsAndClasses)
    );
    let done = Resnet::line("train -d sample --check --format json").run();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let survey: DatasetSurvey = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(survey.classes[3].images, [600, 100]);
}

#[test]
fn no_image_is_said_to_be_inspected_twice_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    clean(folder.path());
    let path = folder.path().join("photos");
    let data = open(&DatasetName::Folder(path), "photos", &Silent).unwrap();
    let mut seen = Vec::new();
    let survey = DatasetSurvey::new(
        &data,
        Inspection::Full,
        DecodeOptions::default(),
        3,
        &mut |done| {
            seen.push(done);
        },
    );
    assert_eq!(survey.unwrap().images(), 14);
    assert!(seen.into_iter().eq(1..=14));
}

#[test]
fn what_cannot_be_checked_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    clean(folder.path());
    for (flags, expected) in [
        ("--resume run", "cannot be used with"),
        ("-o run", "cannot be used with"),
        ("--dry-run", "cannot be used with"),
    ] {
        let done = check(folder.path(), flags);
        assert_eq!(done.status, 2, "{flags}: {}", done.stderr);
        assert!(done.stderr.contains(expected), "{}", done.stderr);
    }
    for (line, status, expected) in [
        ("train -d fake:8 --check", 2, "made of random numbers"),
        (
            "train -d missing --check",
            1,
            "cannot read dataset `missing`",
        ),
        ("train -d sampel --check", 1, "did you mean `sample`?"),
    ] {
        let done = Resnet::line(line).folder(folder.path()).run();
        assert_eq!(done.status, status, "{line}: {}", done.stderr);
        assert!(
            done.stdout.is_empty() && done.stderr.contains(expected),
            "{}",
            done.stderr
        );
    }
}
