//! Processes that see other images or no images, or run another command: one error that names the process.

use super::support::{FAMILIES, launcher, scripted};
use std::fs;
use std::path::Path;

/// Writes images that nobody decodes into `train/` in `folder`, 20 of each class.
fn write_images(folder: &Path) {
    for class in ["cat", "dog"] {
        let folder = folder.join("photos/train").join(class);
        fs::create_dir_all(&folder).unwrap();
        for number in 0..20 {
            let image = image::RgbImage::from_pixel(8, 8, image::Rgb([number, 0, 99]));
            image.save(folder.join(format!("{number:03}.png"))).unwrap();
        }
    }
}

#[test]
fn a_process_that_sees_other_images_ends_the_run_by_its_number() {
    let Some(launcher) = launcher() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for rank in ["0", "1"] {
        write_images(&folder.join(rank));
    }
    // Each process works in a folder of its own, and so sees its own data under the same name.
    let script = "cd $rank && exec \"$@\"";
    let training = "train -d photos --depth 20 --width 4 --image-size 8 -b 8 --max-steps 2 -o run";
    let error_of = |family: &str| {
        let mpi = (launcher.as_path(), family, 2);
        let output = scripted(mpi, folder, script, training).output().unwrap();
        assert!(!output.status.success());
        assert!(!folder.join("0/run").exists() && !folder.join("1/run").exists());
        String::from_utf8(output.stderr).unwrap()
    };
    let image = folder.join("1/photos/train/dog/007.png");
    let moved = folder.join("1/photos/train/dog/0070.png");
    fs::rename(&image, &moved).unwrap();
    for family in FAMILIES {
        let stderr = error_of(family);
        let error = "error: process 1 sees image `train/dog/0070.png` in `photos` where process 0 sees `train/dog/007.png`\n";
        assert_eq!(stderr.matches(error).count(), 1, "{stderr}");
        assert_eq!(stderr.matches("error: ").count(), 1, "{stderr}");
    }
    fs::remove_file(&moved).unwrap();
    let stderr = error_of("mpich");
    let error = "error: process 1 sees 39 images in `photos`, process 0 sees 40\n";
    assert_eq!(stderr.matches(error).count(), 1, "{stderr}");
    // Nothing there: the other process is not to wait for it.
    fs::remove_dir_all(folder.join("1/photos")).unwrap();
    for family in ["mpich", "openmpi"] {
        let stderr = error_of(family);
        let start = "error: process 1 on `";
        assert_eq!(stderr.matches(start).count(), 1, "{stderr}");
        assert!(
            stderr.contains("`: cannot read dataset `photos`"),
            "{stderr}"
        );
    }
}

#[test]
fn a_process_that_runs_another_command_ends_all_by_its_number() {
    let Some(launcher) = launcher() else { return };
    let folder = tempfile::tempdir().unwrap();
    let training = "train -d fake:8:2 --depth 20 --width 4 --image-size 8 -b 4 --max-steps 1";
    for family in FAMILIES {
        for (of_one, others) in [
            (
                "eval -m sample -d sample",
                "`resnet eval`, process 0 runs `resnet train`",
            ),
            (
                "train --resume run",
                "`resnet train --resume`, process 0 runs `resnet train`",
            ),
        ] {
            let script = format!("[ $rank = 1 ] && set -- \"$1\" {of_one}; exec \"$@\"");
            let mpi = (launcher.as_path(), family, 2);
            let output = scripted(mpi, folder.path(), &script, training).output();
            let output = output.unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            let error = format!("error: process 1 runs {others}\n");
            assert_eq!(stderr.matches(&error).count(), 1, "{family}: {stderr}");
            assert_eq!(stderr.matches("error: ").count(), 1, "{family}: {stderr}");
            assert!(!output.status.success(), "{family}");
        }
    }
}

#[test]
fn an_error_of_several_processes_but_not_the_first_is_printed_once_with_their_number() {
    let Some(launcher) = launcher() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_images(&folder.join("0"));
    let script = "[ $rank = 0 ] && cd 0; exec \"$@\"";
    let training = "train -d photos --depth 20 --width 4 --image-size 8 -b 8 --max-steps 2 -o run";
    for family in FAMILIES {
        let mpi = (launcher.as_path(), family, 4);
        let output = scripted(mpi, folder, script, training).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr.matches("error: ").count(), 1, "{family}: {stderr}");
        let line = stderr.lines().find(|line| line.starts_with("error: "));
        let line = line.unwrap();
        assert!(
            line.starts_with("error: process 1 on `")
                && line.contains("` and 2 others: cannot read dataset `photos`"),
            "{family}: {line}"
        );
        assert!(!output.status.success(), "{family}");
    }
}
