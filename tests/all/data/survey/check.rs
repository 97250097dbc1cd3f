//! `resnet train --check`: each flaw of a dataset, as text and as JSON.

use super::{SMALL, check, clean, flawed, write_image};
use crate::support::command::Resnet;
use resnet::data::DecodeOptions;
use resnet::data::dataset::{DatasetName, open};
use resnet::data::survey::{DatasetSurvey, DuplicateKind, Inspection};
use resnet::hub::Silent;
use serde_json::Value;

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
fn no_image_is_reported_as_inspected_twice_or_not_at_all() {
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
