//! The work of processes before the first step of a run: they share out the inspection of its images and the index of its shards, and check
//! the memory of their machine.

use super::support::{FAMILIES, command, launcher, under};
use crate::support::shards::tar;
use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Returns a PNG of one color.
fn png(level: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let image = image::RgbImage::from_pixel(9, 8, image::Rgb([level, 0, 99]));
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Writes images of two classes, of which some cannot be read and some are the same.
fn write_photos(folder: &Path) {
    for number in 0..60 {
        let class = ["cat", "dog"][usize::from(number % 2)];
        let folder = folder.join("photos").join(class);
        fs::create_dir_all(&folder).unwrap();
        let mut bytes = png(number.min(54));
        match number {
            10 => bytes = b"<html>404</html>".to_vec(),
            21 | 50 => bytes.truncate(40),
            30 => bytes.clear(),
            _ => {}
        }
        fs::write(folder.join(format!("{number:02}.png")), bytes).unwrap();
    }
}

/// Writes two tar shards, of one time, in `tars`.
fn write_tars(folder: &Path, time: u64, changed: &str) {
    let folder = folder.join("tars");
    fs::create_dir_all(&folder).unwrap();
    for (name, first) in [("a.tar", 0), ("b.tar", 10)] {
        let images: Vec<(String, Vec<u8>)> = (first..first + 10)
            .map(|number| {
                let class = ["cat", "dog"][usize::from(number % 2)];
                let name = match number {
                    13 => changed.to_owned(),
                    _ => format!("{class}/{number:02}.png"),
                };
                (name, png(number))
            })
            .collect();
        let members: Vec<(&str, &[u8])> = images
            .iter()
            .map(|(name, bytes)| (name.as_str(), &bytes[..]))
            .collect();
        let path = folder.join(name);
        tar(&path, &members);
        let file = fs::File::options().write(true).open(&path).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + time);
        file.set_modified(time).unwrap();
    }
}

const SMALL: &str = "--depth 20 --width 4 --image-size 8 -b 8 --max-steps 1";

#[test]
fn processes_share_out_the_inspection_with_the_messages_and_the_survey_of_one() {
    let Some(launcher) = launcher() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_photos(folder);
    let inspected = |run: &str, flags: &str, mpi| {
        let line = format!("train -d photos {SMALL} --shards 4 -o {run} {flags}");
        let output = command(folder, &line, mpi).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let told = stderr.lines().filter(|line| {
            let starts = ["warning: ", "note: ", "error: ", "hint: ", "total "];
            starts.iter().any(|start| line.starts_with(start))
        });
        // A run folder has another name.
        let told: Vec<String> = told.map(|line| line.replace(run, "RUN")).collect();
        (
            told,
            fs::read_to_string(folder.join(run).join("data.json")).ok(),
        )
    };
    let alone = inspected("alone", "", None);
    let unreadable = "warning: 4 of 60 images cannot be read and will be left out";
    assert!(alone.0.iter().any(|line| line == unreadable), "{alone:?}");
    let strict = inspected("strict", "--strict", None);
    assert_eq!(strict.1, None);
    let error = "error: cannot read image `photos/";
    assert!(
        strict.0.iter().any(|line| line.starts_with(error)),
        "{strict:?}"
    );
    for (family, processes) in [("mpich", 2), ("mpich", 4), ("openmpi", 2)] {
        let mpi = Some((launcher.as_path(), family, processes));
        let run = format!("{family}-{processes}");
        assert_eq!(inspected(&run, "", mpi), alone, "{run}");
        assert_eq!(inspected("other", "--strict", mpi), strict, "{run}");
    }
}

#[test]
fn processes_with_copies_of_tar_shards_index_them_and_name_the_one_that_differs() {
    let Some(launcher) = launcher() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let same = "dog/13.png";
    // Each process works in a folder of its own, and so sees its own data under the same name.
    let script = "cd \"${OMPI_COMM_WORLD_RANK-$PMI_RANK}\" && exec \"$@\"";
    let trained = |family: &str| {
        let output = under(&launcher, family, 2, "sh")
            .args(["-c", script, "sh", env!("CARGO_BIN_EXE_resnet")])
            .args(format!("train -d wds:tars/*.tar {SMALL} --dry-run").split(' '))
            .current_dir(folder)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), stderr)
    };
    let has_index = |rank: &str| {
        let mut entries = fs::read_dir(folder.join(rank).join("tars")).unwrap();
        entries.any(|entry| {
            entry
                .unwrap()
                .path()
                .extension()
                .is_some_and(|end| end == "index")
        })
    };
    for family in FAMILIES {
        for rank in ["0", "1"] {
            let _ = fs::remove_dir_all(folder.join(rank));
        }
        write_tars(&folder.join("0"), 0, same);
        write_tars(&folder.join("1"), 7, same);
        let (is_fine, stderr) = trained(family);
        assert!(is_fine, "{stderr}");
        assert!(has_index("0") && has_index("1"));
        write_tars(&folder.join("1"), 8, "dog/1x.png");
        let (is_fine, stderr) = trained(family);
        assert!(!is_fine);
        let error = "error: process 1 sees image `b.tar:dog/1x.png` in `wds:tars/*.tar` where process 0 sees `b.tar:dog/13.png`\n";
        assert_eq!(stderr.matches(error).count(), 1, "{stderr}");
        assert_eq!(stderr.matches("error: ").count(), 1, "{stderr}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn processes_of_a_machine_that_need_more_memory_than_it_has_are_refused_with_their_number() {
    let Some(launcher) = launcher() else { return };
    let folder = tempfile::tempdir().unwrap();
    let line = "train -d fake:2 -b 2 --depth 110 --width 256 --image-size 2048 --dry-run";
    for family in FAMILIES {
        let mpi = Some((launcher.as_path(), family, 2));
        let output = command(folder.path(), line, mpi).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        for expected in [
            "error: a step of 1 image of 2048x2048 needs about ",
            " GB of memory, the 2 processes of this machine need ",
            ", or start fewer processes per machine\n",
        ] {
            assert_eq!(stderr.matches(expected).count(), 1, "{stderr}");
        }
    }
}
