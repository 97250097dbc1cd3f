//! `resnet eval` and `resnet predict` under each MPI: the output and the files of one process.

use super::support::{command, launcher};
use image::{Rgb, RgbImage};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};
use std::string::FromUtf8Error;

/// An MPI and a number of its processes.
const RUNS: [(&str, usize); 4] = [("mpich", 1), ("mpich", 2), ("mpich", 4), ("openmpi", 2)];

/// Folders of images, of which one cannot be read.
const DATA: &str = "images";

/// Writes 23 images in three classes of the bundled model, and a file that is none.
fn images(folder: &Path) {
    for number in 0..23_u32 {
        let class = folder
            .join(DATA)
            .join(["Bag", "Coat", "Dress"][number as usize % 3]);
        fs::create_dir_all(&class).unwrap();
        let color = |x: u32, y: u32| {
            let gray = if (x / 4 + number).is_multiple_of(3) {
                y * 8
            } else {
                x * number
            };
            Rgb([gray as u8; 3])
        };
        let image = RgbImage::from_fn(30 + number, 28, color);
        image.save(class.join(format!("{number:02}.png"))).unwrap();
    }
    fs::write(folder.join(DATA).join("Coat/07.png"), "text").unwrap();
}

/// Runs `resnet` in `folder` with these arguments and this input, in several processes of an MPI if it is given.
fn resnet(
    folder: &Path,
    arguments: &str,
    input: &str,
    mpi: Option<(&Path, &str, usize)>,
) -> Output {
    let mut child = command(folder, arguments, mpi)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read its input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Returns a JSON value without its times.
fn without_times(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for time in ["seconds", "images_per_second"] {
                fields.remove(time);
            }
            for field in fields.values_mut() {
                *field = without_times(field.take());
            }
        }
        Value::Array(values) => {
            for value in values {
                *value = without_times(value.take());
            }
        }
        _ => {}
    }
    value
}

/// Returns output without its times.
fn timeless(text: &str) -> String {
    if let Ok(value) = serde_json::from_str(text) {
        return without_times(value).to_string();
    }
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("speed "))
        .filter(|line| !line.contains("images/s") && !line.contains("<time>"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the files in `folder`, texts without their times.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let inside = files(&path).into_iter();
            found.extend(inside.map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else {
            let bytes = fs::read(&path).unwrap();
            let text = String::from_utf8(bytes);
            let bytes = text.map_or_else(FromUtf8Error::into_bytes, |text| {
                timeless(&text).into_bytes()
            });
            found.insert(name, bytes);
        }
    }
    found
}

/// Runs each of `commands`, with its input and exit status, in one process and under each MPI, and compares outputs and files.
fn compare(commands: &[(&str, &str, i32)]) {
    let Some(launcher) = launcher() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    images(folder);
    let prepared = resnet(
        folder,
        "train -d sample --depth 20 --width 4 --max-steps 1 -b 16 -o run -q",
        "",
        None,
    );
    assert!(prepared.status.success(), "{prepared:?}");
    for &(arguments, input, status) in commands {
        let done = |mpi| {
            let _ = fs::remove_dir_all(folder.join("out"));
            fs::create_dir(folder.join("out")).unwrap();
            let output = resnet(folder, arguments, input, mpi);
            let stdout = timeless(&String::from_utf8_lossy(&output.stdout));
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(status), "{arguments}: {stderr}");
            (stdout, stderr, files(&folder.join("out")))
        };
        let (stdout, stderr, written) = done(None);
        for (family, processes) in RUNS {
            // Its mpirun does not pass on the end of standard input.
            if family == "openmpi" && arguments.contains(" - ") {
                continue;
            }
            let what = format!("{arguments} on {processes} of {family}");
            let shared = done(Some((&launcher, family, processes)));
            assert_eq!(shared.0, stdout, "{what}");
            if status == 0 {
                assert_eq!(shared.1, stderr, "{what}");
            } else {
                // The launcher has a word to say about the exit status.
                assert_eq!(shared.1.matches(&stderr).count(), 1, "{what}: {}", shared.1);
            }
            let names = |files: &BTreeMap<String, Vec<u8>>| -> Vec<String> {
                files.keys().cloned().collect()
            };
            assert_eq!(names(&shared.2), names(&written), "{what}");
            for (name, bytes) in &written {
                assert!(shared.2[name] == *bytes, "{what}: {name}");
            }
        }
    }
}

#[test]
fn several_processes_evaluate_as_one_does() {
    compare(&[
        ("eval -m sample -d sample -b 100", "", 0),
        (
            "eval -m sample -d sample -f json -o out/report --threads 1",
            "",
            0,
        ),
        (
            "eval -m sample -d images -b 3 -o out/report --threads 1",
            "",
            1,
        ),
        ("eval -m sample -d images -b 2 --strict -f json", "", 1),
        ("eval --compare sample run -d sample -f json", "", 0),
        ("eval -m missing -d sample", "", 1),
    ]);
}

#[test]
fn a_command_that_ends_with_some_images_unread_aborts_nothing() {
    let Some(launcher) = launcher() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    images(folder);
    for arguments in [
        "predict images -m sample -b 2 -f csv",
        "eval -m sample -d images -b 2",
    ] {
        for (family, processes) in [("mpich", 3), ("openmpi", 2), ("openmpi", 4)] {
            let output = resnet(folder, arguments, "", Some((&launcher, family, processes)));
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text).to_lowercase();
            assert_eq!(
                output.status.code(),
                Some(1),
                "{family}, {arguments}: {text}"
            );
            assert_eq!(
                text.matches("error: cannot read image").count(),
                1,
                "{text}"
            );
            for word in ["mpi_abort", "bad termination", "signal"] {
                assert!(!text.contains(word), "{family}, {arguments}: {text}");
            }
        }
    }
}

#[test]
fn several_processes_predict_as_one_does() {
    let list =
        "images/Bag/00.png\nimages/Dress/02.png\n\nimages/Coat/01.png\r\nimages/Bag/00.png\n";
    compare(&[
        ("predict images/Bag images/Dress -m sample -b 3", "", 0),
        ("predict images -m sample -b 2 -f json", "", 1),
        (
            "predict images/Bag -m sample -b 1 -k 2 -o out/x.csv --embed out/x.npy",
            "",
            0,
        ),
        (
            "predict images/Coat -m sample -b 2 -f csv --explain out/maps --embed out/x.csv --sort",
            "",
            1,
        ),
        ("predict - -m sample -b 1 --min-probability 0.2", list, 0),
        ("predict - images/no.png -m sample -f csv", list, 1),
        ("predict - -m sample", "", 0),
        (
            "predict images/no.png images/none.png -m sample -f json",
            "",
            1,
        ),
        ("predict images/Bag -m sample -o out/x.txt", "", 2),
    ]);
}
