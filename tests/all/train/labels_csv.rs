//! Training on a folder whose classes a table names is training on class folders.

use super::{SMALL, data, files, lines, metrics, train, trained};
use crate::support::command::Resnet;
use crate::support::shards::files_below;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Writes `labels.csv`, which names the classes of the images below `data/`, in the order of the class folders.
fn write_table(folder: &Path, parts: &[&str]) {
    let mut table = String::from("path,label,split\n");
    for part in parts {
        for (name, _) in files_below(&folder.join("data").join(part)) {
            let (class, _) = name.split_once('/').unwrap();
            writeln!(table, "{part}/{name},{class},{part}").unwrap();
        }
    }
    fs::write(folder.join("labels.csv"), table).unwrap();
}

/// Returns the weights of the last model, without the metadata, which name the data.
fn weights(run: &Path) -> Vec<u8> {
    let bytes = files(&run.join("last"))
        .remove(&run.join("last/model.safetensors"))
        .unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[8 + length..].to_vec()
}

#[test]
fn the_same_images_by_a_table_train_to_the_same_bits_and_resume() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    write_table(folder, &["train", "val"]);
    let rest = format!("{SMALL} --epochs 2 --augment crop-flip");
    trained(folder, &format!("-d data {rest} --max-steps 12 -o folders"));
    trained(
        folder,
        &format!("-d data --labels-csv labels.csv {rest} --max-steps 12 -o table"),
    );
    assert!(weights(&folder.join("folders")) == weights(&folder.join("table")));
    assert_eq!(
        metrics(&folder.join("folders")),
        metrics(&folder.join("table"))
    );
    // From another folder, and by the recipe alone.
    trained(
        folder,
        &format!("-d data --labels-csv labels.csv {rest} --max-steps 5 -o part"),
    );
    let part = folder.join("part");
    let elsewhere = tempfile::tempdir().unwrap();
    let line = format!("--resume {} --max-steps 12", part.display());
    trained(elsewhere.path(), &line);
    assert!(weights(&folder.join("folders")) == weights(&part));
    // The table of the run is checked as its images are.
    trained(
        folder,
        &format!("-d data --labels-csv labels.csv {rest} --max-steps 2 -o changed"),
    );
    let table = fs::read_to_string(folder.join("labels.csv")).unwrap();
    fs::write(
        folder.join("labels.csv"),
        table.replacen(",a,train", ",b,train", 1),
    )
    .unwrap();
    let done = train(folder, "--resume changed --max-steps 4");
    assert!(
        done.stderr
            .contains("are not those that the run was started with"),
        "{}",
        done.stderr
    );
}

#[test]
fn images_held_out_of_a_table_are_those_that_eval_finds() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    write_table(folder, &["train"]);
    let table = fs::read_to_string(folder.join("labels.csv")).unwrap();
    // Without the column of splits.
    fs::write(
        folder.join("labels.csv"),
        table.replace(",split", "").replace(",train\n", "\n"),
    )
    .unwrap();
    let line = format!("-d data --labels-csv labels.csv {SMALL} --max-steps 2 -o run");
    let done = trained(folder, &line);
    assert!(
        done.stderr.contains("4 images held out of train"),
        "{}",
        done.stderr
    );
    let eval = |line: &str| {
        let done = Resnet::line(&format!("eval -m run -f json {line}"))
            .folder(folder)
            .run();
        assert_eq!(done.status, 0, "{}", done.stderr);
        (lines(&done.stdout).remove(0), done.stderr)
    };
    assert_eq!(eval("").0["images"], 4);
    assert_eq!(eval("-d data --labels-csv ./labels.csv").0["images"], 4);
    // Another table of the same folder is other data.
    write_table(folder, &["val"]);
    fs::rename(folder.join("labels.csv"), folder.join("other.csv")).unwrap();
    let (report, stderr) = eval("-d data --labels-csv other.csv");
    assert_eq!(
        (&report["images"], &report["split"]),
        (&12.into(), &"val".into())
    );
    assert!(!stderr.contains("optimistic"), "{stderr}");
}
