//! A folder of own photographs: the default model, the way to train from scratch, small classes, and the names of runs.

use super::{command, files, train, trained};
use crate::support::hub_server::HubServer;
use image::{Rgb, RgbImage};
use std::fs;
use std::path::Path;

/// A step that takes milliseconds.
const SHORT: &str = "-d photos --image-size 32 -b 4 --workers 1 --max-steps 1";

/// A folder `photos` with images of 80 px: `[class, images]` each.
fn photographs(folder: &Path, classes: &[(&str, u8)]) {
    for (class, count) in classes {
        let folder = folder.join("photos").join(class);
        fs::create_dir_all(&folder).unwrap();
        for number in 0..*count {
            let image = RgbImage::from_fn(80, 80, |x, y| {
                // No two images are the same.
                Rgb([x as u8 * 3, y as u8 * 3, class.as_bytes()[0] + 5 * number])
            });
            image.save(folder.join(format!("{number}.png"))).unwrap();
        }
    }
}

/// The names of the run folders.
fn runs(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder.join("runs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn photographs_are_fine_tuned_from_resnet50_unless_another_network_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, server) = (folder.path(), HubServer::start());
    photographs(folder, &[("a", 12), ("b", 12)]);
    let source = Path::new("tests/fixtures/weights/transformers_bottleneck");
    let read = |name: &str| fs::read(source.join(name)).unwrap();
    let names = [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ];
    let contents = names.map(read);
    let published: Vec<(&str, &[u8])> = names
        .into_iter()
        .zip(contents.iter().map(Vec::as_slice))
        .collect();
    let commit = "0123456789".repeat(4);
    server.publish("timm/resnet50.a1_in1k", "main", &commit, &published);
    let with_hub = |flags: &str| {
        let done = command(folder, &format!("{SHORT} {flags}"))
            .env("HF_ENDPOINT", server.endpoint())
            .env("HF_HOME", folder.join("cache"))
            .env("NO_PROXY", "127.0.0.1")
            .without_env("HF_HUB_OFFLINE")
            .run();
        assert_eq!(done.status, 0, "{flags}: {}", done.stderr);
        done.stderr
    };
    let note = "note: photographs are fine-tuned from a pretrained `resnet50` by default";
    let stderr = with_hub("");
    assert!(stderr.contains(note), "{stderr}");
    assert!(stderr.contains(" pretrained `resnet50`, "), "{stderr}");
    let requests = server.requests().len();
    assert!(requests > 0);
    with_hub("--freeze backbone");
    // A recipe counts as much as flags do.
    fs::write(folder.join("deep.toml"), "depth = 18\nwidth = 8\n").unwrap();
    for flags in ["--depth 18 --width 8", "--recipe deep.toml"] {
        let stderr = with_hub(flags);
        assert!(!stderr.contains(note), "{stderr}");
        assert!(
            stderr.contains("training from scratch on 11 images per class: a pretrained start"),
            "{stderr}"
        );
    }
    // With another network, the hub was asked for nothing more.
    assert_eq!(server.requests().len(), requests);
    assert_eq!(
        runs(folder),
        [
            // The architecture of the fixture that is published as `resnet50`.
            "photos-resnet11_custom-finetune-1",
            "photos-resnet11_custom-probe-1",
            "photos-resnet18_custom-1",
            "photos-resnet18_custom-2",
        ]
    );
    let config = folder.join("runs/photos-resnet11_custom-finetune-1/config.toml");
    let config = fs::read_to_string(config).unwrap();
    assert!(config.contains("\nmodel = \"resnet50\"\n"), "{config}");
}

#[test]
fn without_the_default_model_an_error_has_both_ways_out() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    photographs(folder, &[("a", 12), ("b", 12)]);
    let before = files(folder);
    let done = train(folder, SHORT);
    assert_eq!(done.status, 1, "{}", done.stderr);
    // The data are looked at first.
    let (before_error, error) = done.stderr.split_once("error: ").unwrap();
    assert!(
        before_error.contains("\ntotal (2 classes)     22    2\n"),
        "{before_error}"
    );
    assert!(
        error.starts_with(
            "cannot load `resnet50`, which is fine-tuned on photographs by default: "
        ) && error.ends_with(
            "\nhint: pass a cached or local model with `-m MODEL`, or `--depth 50` to train from scratch\n"
        ),
        "{error}"
    );
    assert!(before == files(folder));
}

#[test]
fn classes_of_fewer_than_ten_images_are_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    photographs(folder, &[("a", 12), ("b", 3)]);
    let done = trained(folder, &format!("{SHORT} --depth 18 --width 8 --dry-run"));
    let warning = "\nwarning: class `b` has 2 training images, fewer than 10\nhint: ";
    assert!(done.stderr.contains(warning), "{}", done.stderr);
    assert_eq!(
        done.stderr.matches("warning: ").count(),
        1,
        "{}",
        done.stderr
    );
}

#[test]
fn a_run_has_the_name_that_it_is_given_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    photographs(folder, &[("a", 12), ("b", 12)]);
    let line = format!("{SHORT} --depth 18 --width 8");
    trained(folder, &format!("{line} --name baseline"));
    let again = train(folder, &format!("{line} --name baseline"));
    assert_eq!(
        (again.status, again.stderr.as_str()),
        (
            1,
            "error: run folder `runs/baseline` is not empty\nhint: `resnet train --resume runs/baseline` resumes that run; for a new one pass another --name or -o\n"
        )
    );
    // The name of a run that starts from another one does not contain that one's.
    trained(folder, &format!("{SHORT} -m runs/baseline"));
    trained(
        folder,
        &format!("{SHORT} -m runs/baseline/last --freeze backbone"),
    );
    assert_eq!(
        runs(folder),
        [
            "baseline",
            "photos-resnet18_custom-finetune-1",
            "photos-resnet18_custom-probe-1"
        ]
    );
    for (flags, error) in [
        (
            "--name a/b",
            "error: invalid value `a/b` for `--name <NAME>`: must be the name of a folder",
        ),
        (
            "--name .. ",
            "error: invalid value `..` for `--name <NAME>`: must be the name of a folder",
        ),
        (
            "--name a -o b",
            "error: `--name <NAME>` cannot be used with `--output <RUN_DIR>`",
        ),
    ] {
        let done = train(folder, &format!("{line} {flags}"));
        assert_eq!(done.status, 2, "{flags}: {}", done.stderr);
        assert!(done.stderr.starts_with(error), "{flags}: {}", done.stderr);
    }
    trained(folder, &format!("{line} --name other --dry-run"));
    assert!(!folder.join("runs/other").exists());
}
