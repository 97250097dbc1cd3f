//! Processes that see other images or no images: one error that names the process.

use super::support::{FAMILIES, launcher, under};
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
    let script = "cd \"${OMPI_COMM_WORLD_RANK-$PMI_RANK}\" && exec \"$@\"";
    let training = "train -d photos --depth 20 --width 4 --image-size 8 -b 8 --max-steps 2 -o run";
    let error_of = |family: &str| {
        let output = under(&launcher, family, 2, "sh")
            .args(["-c", script, "sh", env!("CARGO_BIN_EXE_resnet")])
            .args(training.split(' '))
            .current_dir(folder)
            .output()
            .unwrap();
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
