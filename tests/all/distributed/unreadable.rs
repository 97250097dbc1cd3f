//! Images that cannot be read: the warnings of one process, and the name of a process that alone cannot read one.

use super::support::{FAMILIES, command, launcher, scripted};
use image::{Rgb, RgbImage};
use std::fs;
use std::path::Path;
use std::process::Output;

const TRAINING: &str = "train -d photos --depth 20 --width 4 --image-size 8 -b 8 --shards 4 --epochs 2 --no-shuffle -o";

/// Writes 24 images to `photos/` in `folder`, and four of validation.
fn write_images(folder: &Path) {
    for (split, images) in [("train", 12), ("val", 2)] {
        for class in ["Bag", "Coat"] {
            let folder = folder.join("photos").join(split).join(class);
            fs::create_dir_all(&folder).unwrap();
            for number in 0..images {
                // Long files: the run compares the beginnings and ends of a file.
                let color = |x: u32, y: u32| {
                    let seed = x * 7919 + y * 104_729 + number;
                    Rgb([9, 16, 23].map(|shift| (seed.wrapping_mul(2_654_435_761) >> shift) as u8))
                };
                let image = RgbImage::from_fn(60, 60, color);
                image.save(folder.join(format!("{number:02}.png"))).unwrap();
            }
        }
    }
}

/// Changes a byte of an image, so that decoding alone finds that it is torn.
fn tear(image: &Path) {
    let mut bytes = fs::read(image).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(image, bytes).unwrap();
}

/// Returns the lines on standard error that begin with `start`, in alphabetical order.
fn lines(output: &Output, start: &str) -> Vec<String> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines = stderr.lines().filter(|line| line.starts_with(start));
    let mut lines: Vec<String> = lines.map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn training_on_torn_images_warns_as_one_process_does() {
    let Some(launcher) = launcher() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_images(folder);
    for image in [
        "train/Bag/03.png",
        "train/Coat/01.png",
        "train/Coat/11.png",
        "val/Bag/01.png",
    ] {
        tear(&folder.join("photos").join(image));
    }
    // The inspection at the start finds this one.
    let cut = folder.join("photos/train/Bag/07.png");
    let bytes = fs::read(&cut).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let warnings = |run: &str, mpi| {
        let output = command(folder, &format!("{TRAINING} {run}"), mpi).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        (
            lines(&output, "warning: "),
            fs::read(folder.join(run).join("last/model.safetensors")).unwrap(),
        )
    };
    let (expected, weights) = warnings("alone", None);
    for image in [
        "train/Bag/03",
        "train/Bag/07",
        "train/Coat/01",
        "train/Coat/11",
        "val/Bag/01",
    ] {
        let of_image = expected.iter().filter(|line| line.contains(image));
        assert_eq!(of_image.count(), 1, "{image}: {expected:#?}");
    }
    for family in FAMILIES {
        for processes in [2, 4] {
            let mpi = Some((launcher.as_path(), family, processes));
            let (found, of_shared) = warnings(&format!("{family}-{processes}"), mpi);
            assert_eq!(found, expected, "{processes} processes of {family}");
            assert!(of_shared == weights, "{processes} processes of {family}");
        }
    }
}

#[test]
fn an_image_that_another_process_alone_cannot_read_is_reported_with_the_process() {
    let Some(launcher) = launcher() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for rank in ["0", "1"] {
        write_images(&folder.join(rank));
    }
    for image in ["train/Coat/01.png", "val/Coat/01.png"] {
        tear(&folder.join("1/photos").join(image));
        // This one is torn for both.
        for rank in ["0", "1"] {
            tear(
                &folder
                    .join(rank)
                    .join("photos")
                    .join(image.replace("Coat", "Bag")),
            );
        }
    }
    let training = format!("{TRAINING} run");
    for (arguments, status, kind, image) in [
        (training.as_str(), 0, "warning", "photos/train/Coat/01.png"),
        (
            "eval -m sample -d photos -b 1",
            1,
            "error",
            "photos/val/Coat/01.png",
        ),
        (
            "eval -m sample -d photos -b 1 --strict",
            1,
            "error",
            "photos/val/Bag/01.png",
        ),
        (
            "predict photos/train/Coat -m sample -b 1",
            1,
            "error",
            "photos/train/Coat/01.png",
        ),
    ] {
        for family in ["mpich", "openmpi"] {
            let _ = fs::remove_dir_all(folder.join("0/run"));
            let mpi = (launcher.as_path(), family, 2);
            let script = "cd $rank && exec \"$@\"";
            let output = scripted(mpi, folder, script, arguments).output().unwrap();
            assert_eq!(
                output.status.code(),
                Some(status),
                "{family}, {arguments}: {output:?}"
            );
            let found = lines(&output, kind);
            let of_image: Vec<_> = found.iter().filter(|line| line.contains(image)).collect();
            let [line] = of_image[..] else {
                panic!("{family}, {arguments}: {found:#?}");
            };
            let is_named = line.starts_with(&format!("{kind}: process 1"));
            assert_eq!(
                is_named,
                image.contains("Coat"),
                "{family}, {arguments}: {line}"
            );
            assert!(line.contains("cannot read image `"), "{line}");
        }
    }
}
