//! `resnet predict`: its file, its filter and its order, and images that are not there.

use crate::support::command::{Finished, Resnet};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A folder with three images, a copy each of the repository's boot, cat and rocket.
fn prepared() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["boot.png", "cat.png", "rocket.jpg"] {
        let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/images");
        fs::copy(image.join(name), folder.path().join(name)).unwrap();
    }
    folder
}

fn run(folder: &Path, line: &str) -> Finished {
    Resnet::line(line).folder(folder).run()
}

const ALL: &str = "predict boot.png cat.png rocket.jpg -m sample -k 3";

#[test]
fn a_file_holds_what_its_format_prints_and_appears_whole_or_not_at_all() {
    let folder = prepared();
    let folder = folder.path();
    for (format, file) in [
        ("csv", "out.csv"),
        ("json", "out.json"),
        ("json", "out.JSONL"),
    ] {
        fs::write(folder.join(file), "old").unwrap();
        let printed = run(folder, &format!("{ALL} -f {format}"));
        let written = run(folder, &format!("{ALL} -o {file}"));
        assert_eq!((written.status, written.stdout.as_str()), (0, ""));
        assert_eq!(
            written.stderr,
            format!("note: predictions of 3 images saved to {file}\n")
        );
        assert_eq!(
            fs::read_to_string(folder.join(file)).unwrap(),
            printed.stdout
        );
        // The format may be named, too.
        let named = run(folder, &format!("{ALL} -q -f {format} -o {file}"));
        assert_eq!((named.status, named.stderr.as_str()), (0, ""));
    }
    // An image that cannot be read has its line.
    let done = run(folder, "predict cat.png gone.png -m sample -o partly.csv");
    assert_eq!(done.status, 1);
    assert!(
        done.stderr
            .ends_with("note: predictions of 1 image and 1 error saved to partly.csv\n"),
        "{}",
        done.stderr
    );
    let text = fs::read_to_string(folder.join("partly.csv")).unwrap();
    assert!(
        text.lines().last().unwrap().starts_with("gone.png,,,,,,"),
        "{text}"
    );
    // What fails as a whole leaves the older file, and no part of a new one.
    let before = fs::read_dir(folder).unwrap().count();
    let done = run(folder, "predict cat.png -m gone.pth -o out.csv");
    assert_eq!(done.status, 1);
    assert!(
        fs::read_to_string(folder.join("out.csv"))
            .unwrap()
            .starts_with("image,")
    );
    assert_eq!(fs::read_dir(folder).unwrap().count(), before);
}

#[test]
fn a_file_that_cannot_be_written_is_refused_before_the_model_is_opened() {
    let folder = prepared();
    let folder = folder.path();
    fs::create_dir(folder.join("folder.csv")).unwrap();
    fs::write(folder.join("labels.csv"), "a\n").unwrap();
    for (flags, status, message) in [
        (
            "-o out.txt",
            2,
            "cannot determine the format of `out.txt` from its extension\nhint: predictions are written as .csv or .json\n",
        ),
        (
            "-o out.csv -f json",
            2,
            "--format and the extension of `out.csv` contradict each other\nhint: omit --format: the extension determines the format\n",
        ),
        (
            "-o out.csv -f text",
            2,
            "--format and the extension of `out.csv` contradict each other\nhint: omit --format: the extension determines the format\n",
        ),
        (
            "-o labels.csv --labels labels.csv",
            2,
            "predictions would overwrite `labels.csv`, which is an input\nhint: pass another file\n",
        ),
        (
            "-o folder.csv",
            1,
            "cannot write `folder.csv`: it is a folder\nhint: pass a file's name\n",
        ),
        (
            "-o no/such/out.csv",
            1,
            "cannot write `no/such/out.csv`: there is no such folder\nhint: create it first\n",
        ),
    ] {
        let done = run(folder, &format!("predict cat.png -m no/such/model {flags}"));
        assert_eq!((done.status, done.stdout.as_str()), (status, ""), "{flags}");
        assert_eq!(done.stderr, format!("error: {message}"));
    }
    let both = run(folder, "predict cat.png -m sample -o x.csv --embed x.csv");
    assert_eq!(both.status, 2, "{}", both.stderr);
}

#[test]
fn classes_below_the_least_probability_are_left_out_and_no_image_is() {
    let folder = prepared();
    let folder = folder.path();
    let lines = |flags: &str| -> Vec<Value> {
        let done = run(folder, &format!("{ALL} -f json {flags}"));
        assert_eq!(done.status, 0, "{}", done.stderr);
        let lines = done.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let probability = |prediction: &Value| prediction["probability"].as_f64().unwrap();
    let all = lines("");
    let tops: Vec<f64> = all
        .iter()
        .map(|line| probability(&line["predictions"][0]))
        .collect();
    // Between the most and the least certain image.
    let [low, high] = [f64::min, f64::max].map(|of| tops.iter().copied().reduce(of).unwrap());
    assert!(low < high);
    let least = f64::midpoint(low, high);
    let some = lines(&format!("--min-probability {least}"));
    assert_eq!(
        some,
        lines(&format!("--min-probability {}%", 100.0 * least))
    );
    for (filtered, line) in some.iter().zip(&all) {
        assert_eq!(filtered["image"], line["image"]);
        let kept: Vec<&Value> = line["predictions"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|prediction| probability(prediction) >= least)
            .collect();
        assert_eq!(filtered["predictions"], serde_json::json!(kept));
    }
    assert!(
        some.iter()
            .any(|line| line["predictions"].as_array().unwrap().is_empty())
    );
    let text = run(folder, &format!("{ALL} --min-probability 100%"));
    assert_eq!(
        text.stdout.matches("\n  no class reaches 100 %\n").count(),
        3,
        "{}",
        text.stdout
    );
    let csv = run(folder, &format!("{ALL} -f csv --min-probability 1"));
    let rows: Vec<&str> = csv.stdout.lines().skip(1).collect();
    assert_eq!(
        rows,
        ["boot.png,,,,,,", "cat.png,,,,,,", "rocket.jpg,,,,,,"]
    );
    for value in ["50", "-0.5", "half"] {
        let done = run(folder, &format!("{ALL} --min-probability {value}"));
        assert_eq!((done.status, done.stdout.as_str()), (2, ""), "{value}");
        assert!(
            done.stderr
                .contains("must be between 0 and 1, or a percentage such as 50%")
        );
    }
}

#[test]
fn sorted_images_come_with_the_most_probable_first_and_those_without_last() {
    let folder = prepared();
    let folder = folder.path();
    let line = "predict gone.png boot.png cat.png rocket.jpg -m sample -f json";
    let done = run(folder, &format!("{line} --sort"));
    assert_eq!(done.status, 1);
    let lines = done.stdout.lines();
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let top = |line: &Value| line["predictions"][0]["probability"].as_f64();
    let tops: Vec<f64> = lines.iter().filter_map(top).collect();
    assert!(
        tops.len() == 3 && tops.is_sorted_by(|a, b| a > b),
        "{tops:?}"
    );
    assert_eq!(lines[3]["image"], "gone.png");
    // The same lines as in the order given.
    let unsorted = run(folder, line);
    let set = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(set(&done.stdout), set(&unsorted.stdout));
    assert_ne!(done.stdout, unsorted.stdout);
}

#[test]
fn an_image_that_is_not_there_is_an_error_with_the_way_out_before_the_model_is_opened() {
    let folder = prepared();
    let folder = folder.path();
    for (path, hint) in [
        ("cat.jpg", "did you mean `cat.png`?"),
        ("rokcet.jpg", "did you mean `rocket.jpg`?"),
        ("photos/cat.png", "there is no folder `photos`"),
        (
            "*.jpeg",
            "it is a pattern that no file matches; in quotes, a pattern is not expanded: pass it without, or pass the folder",
        ),
        (
            "https://example.org/cat.png",
            "it is an address: download the image first, and pass its file",
        ),
        (
            "resnet50",
            "it is a model: pass it as `-m resnet50`, with an image",
        ),
        (
            "zebra.png",
            "pass image files, folders of images, or - to read paths from stdin",
        ),
    ] {
        let done = run(folder, &format!("predict {path} -m no/such/model -f json"));
        assert_eq!(done.status, 1);
        assert_eq!(
            done.stderr,
            format!("error: cannot read image `{path}`: no such file\nhint: {hint}\n")
        );
        let line: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(
            line["error"],
            format!("cannot read image `{path}`: no such file")
        );
    }
    // Beside an image that is there it has the same message, in its place.
    let done = run(folder, "predict cat.png cat.jpg -m sample");
    assert_eq!(done.status, 1);
    assert_eq!(
        done.stderr,
        "error: cannot read image `cat.jpg`: no such file\nhint: did you mean `cat.png`?\n"
    );
    assert!(done.stdout.starts_with("cat.png\n"));
}

#[test]
fn images_of_16_bit_gray_have_one_note_a_run() {
    let folder = prepared();
    let folder = folder.path();
    for (name, level) in [("a.png", 20_000), ("b.tiff", 50_000)] {
        let gray =
            image::ImageBuffer::<image::Luma<u16>, _>::from_pixel(8, 8, image::Luma([level]));
        gray.save(folder.join(name)).unwrap();
    }
    let done = run(folder, "predict cat.png b.tiff a.png -m sample -f json");
    assert_eq!(done.status, 0);
    assert_eq!(
        done.stderr,
        "note: 16-bit gray is clipped at level 255, as in Pillow, and becomes nearly white: \
         convert images such as `b.tiff` to 8 bits\n"
    );
    let done = run(folder, "predict cat.png -m sample -f json");
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
}
