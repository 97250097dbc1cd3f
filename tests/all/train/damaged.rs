//! Folders with every kind of bad file, and datasets of unusual sizes.

use super::{SMALL, lines, losses, train, trained, write_images};
use std::fs;
use std::path::Path;

/// Puts every kind of bad file into a class folder: ten in all, seven of them unreadable files with the name of an image. All
/// of these but `x_changed.png` can be told by their first and last bytes.
fn spoil(class: &Path) {
    let good = fs::read(class.join("0.png")).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(class.join(name), bytes).unwrap();
    write("x_truncated.png", &good[..good.len() / 2]);
    let mut changed = good.clone();
    changed[good.len() / 2] ^= 0xff;
    write("x_changed.png", &changed);
    write("x_empty.png", b"");
    write("x_text.png", b"this is not an image\n");
    write("x_header.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF");
    write(
        "x_huge.png",
        &crate::support::hostile::png_header(60_000, 60_000),
    );
    write("x_none.png", &crate::support::hostile::png_header(0, 0));
    write("notes.txt", b"text");
    write(".hidden.png", b"");
    fs::create_dir(class.join("x_folder.png")).unwrap();
}

#[test]
fn unreadable_images_are_named_counted_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_images(&folder.join("data/train"), &[("a", 9), ("b", 9)]);
    write_images(&folder.join("data/val"), &[("a", 3), ("b", 3)]);
    spoil(&folder.join("data/train/a"));
    spoil(&folder.join("data/val/b"));
    let done = trained(folder, &format!("-d data {SMALL} --epochs 2 -o run"));
    for part in ["train/a", "val/b"] {
        for name in [
            "changed.png",
            "truncated.png",
            "empty.png",
            "text.png",
            "header.jpg",
            "huge.png",
            "none.png",
        ] {
            let warning = format!("warning: cannot read image `data/{part}/x_{name}`");
            assert_eq!(
                done.stderr.matches(&warning).count(),
                1,
                "{warning}: {}",
                done.stderr
            );
        }
    }
    // Those that decoding alone finds are news.
    let start = done.stderr.find("  training  ").unwrap();
    let announced = &done.stderr[..start];
    assert_eq!(announced.matches("warning: cannot read image").count(), 12);
    assert!(
        announced.contains("warning: 12 of 38 images cannot be read and will be left out\n"),
        "{announced}"
    );
    assert!(
        done.stderr
            .contains("note: 2 more unreadable images skipped\n"),
        "{}",
        done.stderr
    );
    assert!(
        done.stderr
            .contains("`data/train` has files that are not images, ignored: "),
        "{}",
        done.stderr
    );
    // The run trains on the same images as without the bad files: their number shows in the accuracy.
    let done = trained(
        folder,
        &format!("-d data {SMALL} --epochs 1 --dry-run --format json -q"),
    );
    let lines = lines(&done.stdout);
    let top1 = lines.last().unwrap()["train_top1"].as_f64().unwrap();
    assert!((top1 * 0.18 - (top1 * 0.18).round()).abs() < 1e-9, "{top1}");
    let strict = train(folder, &format!("-d data {SMALL} --strict -o strict"));
    assert_eq!(strict.status, 1);
    assert!(
        strict.stderr.contains("error: cannot read image `data/"),
        "{}",
        strict.stderr
    );
    assert!(!strict.stderr.contains("epoch 1/"), "{}", strict.stderr);
    // A probe looks at them once.
    let probe = trained(
        folder,
        &format!("-d data {SMALL} --freeze backbone --epochs 2 --dry-run"),
    );
    assert!(
        probe
            .stderr
            .contains("note: 2 more unreadable images skipped\n"),
        "{}",
        probe.stderr
    );
    let strict = train(
        folder,
        &format!("-d data {SMALL} --freeze backbone --strict --dry-run"),
    );
    assert_eq!(strict.status, 1, "{}", strict.stderr);
}

#[test]
fn data_without_a_readable_image_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_images(&folder.join("data"), &[("a", 4), ("b", 4)]);
    for class in ["a", "b"] {
        for number in 0..4 {
            fs::write(folder.join(format!("data/{class}/{number}.png")), "text").unwrap();
        }
    }
    for flags in ["", "--freeze backbone", "--grad-accumulation 2"] {
        let done = train(folder, &format!("-d data {SMALL} --dry-run {flags}"));
        assert_eq!(done.status, 1, "{}", done.stderr);
        assert!(
            done.stderr.contains("none is readable")
                || done.stderr.contains("no image is readable"),
            "{flags}: {}",
            done.stderr
        );
    }
    fs::create_dir_all(folder.join("none/train/a")).unwrap();
    for (data, expected) in [("none", "contain no images"), ("missing", "no such folder")] {
        let done = train(folder, &format!("-d {data} {SMALL} --dry-run"));
        assert_eq!(done.status, 1, "{}", done.stderr);
        assert!(
            done.stderr.contains(expected) && done.stderr.contains("hint: "),
            "{}",
            done.stderr
        );
    }
}

#[test]
fn empty_classes_one_class_and_unknown_classes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_images(&folder.join("data/train"), &[("a", 4), ("c", 4)]);
    write_images(&folder.join("data/val"), &[("a", 2)]);
    fs::create_dir(folder.join("data/train/b")).unwrap();
    let line = format!("-d data {SMALL} --class-weights auto --epochs 1 -o run");
    let done = trained(folder, &line);
    assert!(
        done.stderr.contains("on 8 images in 2 classes"),
        "{}",
        done.stderr
    );
    assert!(
        done.stderr
            .contains("`data/train` has folders without images, which are ignored: `b`"),
        "{}",
        done.stderr
    );
    write_images(&folder.join("data/val"), &[("dog", 1)]);
    let done = train(folder, &format!("-d data {SMALL} --dry-run"));
    assert_eq!(done.status, 1);
    assert!(
        done.stderr
            .contains("classes that are not in the training set: `dog`"),
        "{}",
        done.stderr
    );
    write_images(&folder.join("one"), &[("only", 5)]);
    let done = trained(folder, &format!("-d one {SMALL} --epochs 1 -o one-run"));
    assert!(
        done.stderr.contains("there is only one class, `only`")
            && done.stderr.contains("a model of one class learns nothing"),
        "{}",
        done.stderr
    );
    // A probe without val/ holds a part of each class out.
    assert!(
        done.stderr.contains(" 1 image held out of train"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_last_batch_of_one_image_is_dropped_where_it_cannot_be_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    // The last stage of an ImageNet stem sees one pixel of 32; no step is missing.
    let tall = "--depth 18 --width 4 --stem imagenet --image-size 32";
    let line = format!("-d fake:9 {tall} -b 4 --max-steps 5 --dry-run --format json");
    let done = trained(folder.path(), &line);
    assert!(
        done.stderr
            .contains("each epoch drops its last batch, of 1"),
        "{}",
        done.stderr
    );
    let lines = lines(&done.stdout);
    let steps = lines.iter().filter(|line| line.get("step").is_some());
    let epochs: Vec<u64> = steps.map(|step| step["epoch"].as_u64().unwrap()).collect();
    assert_eq!(epochs, [1, 1, 2, 2, 3]);
}

#[test]
fn a_thousand_classes_and_one() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("-d fake:32:1000 {SMALL} --val-split 0.5 -o run --format json -q");
    let done = trained(folder.path(), &line);
    let first = losses(&done.stdout)[0];
    assert!((first - 1000_f64.ln()).abs() < 2.0, "{first}");
    let config = fs::read_to_string(folder.path().join("run/last/config.json")).unwrap();
    assert!(config.contains("\"num_classes\": 1000"), "{config}");
    let line = format!("-d fake:8:1 {SMALL} --dry-run --format json -q");
    let losses = losses(&trained(folder.path(), &line).stdout);
    assert!(losses.iter().all(|&loss| loss.abs() < 1e-9), "{losses:?}");
}
