//! Training on shards is training on the folder of their images.

use super::{SMALL, data, lines, trained};
use crate::support::shards::{Table, files_below, tar};
use std::fs;
use std::path::Path;

const CLASSES: [&str; 4] = ["a", "b", "c", "d"];
const FEATURES: &str = r#""image": {"_type": "Image"}, "label": {"names": ["a", "b", "c", "d"], "_type": "ClassLabel"}"#;

/// Writes the images of `data/` in `folder` to shards, `count` images each, in the order of the folder.
fn write_shards(folder: &Path, count: usize) {
    for name in ["tars", "tables"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    for part in ["train", "val"] {
        let files = files_below(&folder.join("data").join(part));
        for (number, files) in files.chunks(count).enumerate() {
            let members: Vec<(&str, &[u8])> = files
                .iter()
                .map(|(name, content)| (name.as_str(), content.as_slice()))
                .collect();
            tar(
                &folder.join(format!("tars/{part}-{number:04}.tar")),
                &members,
            );
            let class = |name: &str| {
                CLASSES
                    .iter()
                    .position(|class| name.starts_with(class))
                    .unwrap() as i64
            };
            let rows: Vec<_> = files
                .iter()
                .map(|(name, content)| (Some(content.as_slice()), class(name)))
                .collect();
            let table = Table {
                group: 7,
                is_compressed: number == 0,
                features: FEATURES,
            };
            table.write(
                &folder.join(format!("tables/{part}-{number:05}-of-00002.parquet")),
                &rows,
            );
        }
    }
}

/// Returns the tensors of the last model: their names, shapes and places, and their bytes. The metadata beside them name the data.
fn weights(folder: &Path, run: &str) -> (serde_json::Value, Vec<u8>) {
    let bytes = fs::read(folder.join(run).join("last/model.safetensors")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    header
        .as_object_mut()
        .unwrap()
        .remove("__metadata__")
        .unwrap();
    (header, bytes[8 + length..].to_vec())
}

#[test]
fn the_same_images_as_a_folder_as_tar_and_as_parquet_train_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    write_shards(folder, 23);
    let run = |data: &str, run: &str, more: &str| {
        trained(
            folder,
            &format!("-d {data} {SMALL} --augment crop-flip --max-steps 12 -o {run} {more}"),
        )
    };
    run("data", "folder", "");
    run("wds:tars/{train-{0000..0001},val-0000}.tar", "tar", "");
    run("parquet:tables/*.parquet", "parquet", "--workers 3");
    assert!(
        weights(folder, "folder") == weights(folder, "tar"),
        "tar shards train to other bits"
    );
    assert!(
        weights(folder, "folder") == weights(folder, "parquet"),
        "tables train to other bits"
    );
    let metrics = |run: &str| {
        let text = fs::read_to_string(folder.join(run).join("metrics.csv")).unwrap();
        // Without the seconds, the last column.
        let lines = text
            .lines()
            .map(|line| line.rsplit_once(',').unwrap().0.to_owned());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(metrics("folder"), metrics("tar"));
    assert_eq!(metrics("folder"), metrics("parquet"));
}

#[test]
fn a_run_on_shards_resumes_exactly_and_notices_other_images() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    write_shards(folder, 40);
    for data in ["wds:tars", "parquet:tables"] {
        let whole = format!("-d {data} {SMALL} --epochs 2 --max-steps 14");
        trained(folder, &format!("{whole} -o whole"));
        trained(
            folder,
            &format!("-d {data} {SMALL} --epochs 2 --max-steps 5 -o part"),
        );
        trained(folder, "--resume part --max-steps 14");
        assert!(
            weights(folder, "whole") == weights(folder, "part"),
            "{data}"
        );
        for run in ["whole", "part"] {
            fs::remove_dir_all(folder.join(run)).unwrap();
        }
    }
    trained(
        folder,
        &format!("-d wds:tars {SMALL} --max-steps 2 -o changed"),
    );
    let files = files_below(&folder.join("data/train"));
    let members: Vec<(&str, &[u8])> = files[1..]
        .iter()
        .map(|(name, content)| (name.as_str(), content.as_slice()))
        .collect();
    tar(&folder.join("tars/train-0000.tar"), &members);
    let done = super::train(folder, "--resume changed --max-steps 4");
    assert_eq!(done.status, 1);
    assert!(
        done.stderr
            .contains("are not those that the run was started with"),
        "{}",
        done.stderr
    );
}

#[test]
fn shards_without_validation_hold_a_tenth_out_and_eval_finds_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    write_shards(folder, 40);
    for (run, data) in [
        ("x", "wds:tars/train-*.tar"),
        ("y", "parquet:tables/train-*.parquet"),
    ] {
        let done = trained(folder, &format!("-d {data} {SMALL} --max-steps 2 -o {run}"));
        assert!(
            done.stderr.contains("4 images held out of train"),
            "{}",
            done.stderr
        );
        let evaluated =
            crate::support::command::Resnet::line(&format!("eval -m {run} --format json"))
                .folder(folder)
                .run();
        assert_eq!(evaluated.status, 0, "{}", evaluated.stderr);
        assert_eq!(
            lines(&evaluated.stdout)[0]["images"],
            4,
            "{}",
            evaluated.stdout
        );
    }
}
