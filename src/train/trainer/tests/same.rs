//! Processes, which are threads here, whose data or settings differ.

use super::{SMALL, context};
use crate::data::dataset::DatasetName;
use crate::distributed::Processes;
use crate::distributed::threads::in_processes;
use crate::hub::Silent;
use crate::train::config::recipe::Recipe;
use crate::train::context::ExecutionContext;
use crate::train::data::dataset::Data;
use crate::train::trainer::same::ensure_same;
use anyhow::Result;
use std::fs;
use std::path::Path;

/// Writes a folder of three classes, 20 training images of each and 5 for validation.
fn write_images(folder: &Path) {
    for (part, count) in [("train", 20), ("val", 5)] {
        for class in ["cat", "dog", "owl"] {
            let folder = folder.join(part).join(class);
            fs::create_dir_all(&folder).unwrap();
            for number in 0..count {
                // Nothing decodes it.
                let file = folder.join(format!("{number:03}.jpg"));
                fs::write(file, format!("{class} {number:03} {part}")).unwrap();
            }
        }
    }
}

/// Returns the recipe and the data of one process.
fn inputs(folder: &Path, keys: &str) -> Result<(String, Data)> {
    let name = DatasetName::Folder(folder.to_owned());
    let written = folder.display().to_string();
    let recipe = Recipe::parse(keys)?.over(Recipe::parse(SMALL)?);
    let alone = Processes::alone();
    let data = Data::open(&name, &written, &recipe, None, &Silent, &alone)?;
    Ok((recipe.to_toml("")?, data))
}

/// Compares three processes; the last one sees its own copy of the images after `change`, and has its own `keys`. Returns what the
/// first one answers, in which the folder is `DATA`.
fn compared(
    change: impl Fn(&Path) + Sync,
    keys: &'static str,
    instructions: &'static str,
) -> Result<(), String> {
    let roots = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let answers = in_processes(3, |processes| {
        let folder = roots[processes.rank()].path().join("data");
        write_images(&folder);
        let is_last = processes.rank() == 2;
        if is_last {
            change(&folder);
        }
        let own_keys = if is_last { keys } else { "" };
        let (recipe, data) = inputs(&folder, own_keys).unwrap();
        let instructions = if is_last { instructions } else { "avx2" };
        let context = ExecutionContext {
            processes: processes.clone(),
            ..context()
        };
        let answer = ensure_same(&recipe, Some(instructions), &data, &context);
        let answer = answer.map_err(|error| error.to_string());
        answer.map_err(|text| text.replace(folder.to_str().unwrap(), "DATA"))
    });
    let answers = answers.unwrap();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    answers[0].clone()
}

#[track_caller]
fn differs(change: impl Fn(&Path) + Sync, expected: &str) {
    let answer = compared(change, "", "avx2");
    assert_eq!(answer.unwrap_err(), format!("process 2 sees {expected}"));
}

#[test]
fn processes_with_copies_of_the_same_images_agree() {
    assert_eq!(compared(|_| (), "", "avx2"), Ok(()));
}

#[test]
fn a_process_that_sees_another_number_of_images_or_classes_is_named_with_both() {
    differs(
        |data| fs::remove_file(data.join("train/cat/007.jpg")).unwrap(),
        "74 images in `DATA`, process 0 sees 75",
    );
    differs(
        |data| {
            fs::rename(data.join("train/cat/007.jpg"), data.join("val/cat/7.jpg")).unwrap();
        },
        "59 training images in `DATA`, process 0 sees 60",
    );
    differs(
        |data| {
            fs::create_dir(data.join("train/yak")).unwrap();
            fs::rename(data.join("train/cat/007.jpg"), data.join("train/yak/7.jpg")).unwrap();
        },
        "4 classes in `DATA`, process 0 sees 3",
    );
    differs(
        |data| {
            for part in ["train", "val"] {
                fs::rename(data.join(part).join("dog"), data.join(part).join("fox")).unwrap();
            }
        },
        "class `fox` in `DATA` where process 0 sees `dog`",
    );
}

#[test]
fn the_first_image_of_another_name_is_named() {
    for (old, new, place) in [
        (
            "train/cat/000.jpg",
            "train/cat/000.png",
            "train/cat/000.jpg",
        ),
        (
            "train/dog/007.jpg",
            "train/dog/0070.jpg",
            "train/dog/007.jpg",
        ),
        (
            "train/owl/019.jpg",
            "train/owl/020.jpg",
            "train/owl/019.jpg",
        ),
        ("val/owl/004.jpg", "val/owl/004.jpeg", "val/owl/004.jpg"),
    ] {
        let expected = format!("image `{new}` in `DATA` where process 0 sees `{place}`");
        differs(
            move |data| fs::rename(data.join(old), data.join(new)).unwrap(),
            &expected,
        );
    }
    // In another class.
    differs(
        |data| {
            fs::rename(
                data.join("train/dog/000.jpg"),
                data.join("train/cat/02.jpg"),
            )
            .unwrap();
        },
        "image `train/cat/02.jpg` in `DATA` where process 0 sees `train/dog/000.jpg`",
    );
}

#[test]
fn the_first_file_of_another_size_or_other_contents_is_named() {
    let change = |text: &'static str| {
        move |data: &Path| {
            for name in ["train/dog/003.jpg", "val/cat/001.jpg"] {
                fs::write(data.join(name), text).unwrap();
            }
        }
    };
    differs(
        change("longer than before"),
        "18 bytes in the file of image `train/dog/003.jpg` of `DATA`, process 0 sees 13",
    );
    differs(
        |data| fs::write(data.join("val/dog/001.jpg"), "dog 002 val").unwrap(),
        "other contents of image `val/dog/001.jpg` of `DATA` than process 0",
    );
}

#[test]
fn the_first_setting_that_differs_is_named_with_both_values() {
    let answer = |keys, instructions| compared(|_| (), keys, instructions).unwrap_err();
    for (keys, expected) in [
        ("lr = 0.1", "process 2 has lr = 0.1, process 0 has no `lr`"),
        (
            "batch-size = 8",
            "process 2 has batch-size = 8, process 0 has batch-size = 4",
        ),
        // It decides which images there are.
        (
            "val-split = 0.2\nbatch-size = 8",
            "process 2 has val-split = 0.2, process 0 has no `val-split`",
        ),
    ] {
        assert_eq!(answer(keys, "avx2"), expected);
    }
    assert_eq!(
        answer("", "avx512"),
        "process 2 computes on cpu (avx512), process 0 on cpu (avx2)"
    );
}
