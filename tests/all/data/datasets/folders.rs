//! Tests of image folders with one folder per class.

use super::*;
use resnet::data::dataset::folder;
use resnet::error::{Message, setting};
use resnet::message;

fn touch(root: &Path, files: &[&str]) {
    for file in files {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }
}

fn made(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    touch(folder.path(), files);
    folder
}

fn read(folder: &tempfile::TempDir) -> anyhow::Result<Dataset> {
    folder::read(folder.path(), "pets")
}

/// Returns class and path below the folder, with `/`.
fn listed(folder: &tempfile::TempDir, split: Option<&Split>) -> Vec<(u32, String)> {
    let Some(split) = split else {
        return Vec::new();
    };
    let below = |index| {
        let name = split.name(index);
        let path = Path::new(&name).strip_prefix(folder.path()).unwrap();
        path.to_str().unwrap().replace('\\', "/")
    };
    let classes = split.classes().iter().copied();
    classes.zip((0..split.len()).map(below)).collect()
}

fn expected(files: &[(u32, &str)]) -> Vec<(u32, String)> {
    files
        .iter()
        .map(|&(class, file)| (class, file.to_owned()))
        .collect()
}

#[test]
fn classes_are_sorted_as_python_sorts_and_images_by_path() {
    let folder = made(&[
        "zebra/b.jpg",
        "zebra/a.PNG",
        "Zoo/1.jpg",
        "ant/deep/er/2.webp",
        "ant/1.gif",
        "Ärger/1.jpg",
        "10/1.jpg",
        "9/1.jpg",
        ".hidden/1.jpg",
        "ant/.hidden.jpg",
    ]);
    let data = read(&folder).unwrap();
    assert_eq!(data.labels, ["10", "9", "Zoo", "ant", "zebra", "Ärger"]);
    assert_eq!(
        listed(&folder, data.train.as_ref()),
        expected(&[
            (0, "10/1.jpg"),
            (1, "9/1.jpg"),
            (2, "Zoo/1.jpg"),
            (3, "ant/1.gif"),
            (3, "ant/deep/er/2.webp"),
            (4, "zebra/a.PNG"),
            (4, "zebra/b.jpg"),
            (5, "Ärger/1.jpg"),
        ])
    );
    assert!(data.val.is_none() && data.test.is_none() && data.notes.is_empty());
    assert_eq!(
        (data.name.as_str(), data.kind),
        ("pets", DatasetKind::Photographs)
    );
    assert_eq!(data.preprocess.size, [224, 224]);
}

#[test]
fn a_folder_of_small_images_has_their_size_and_one_of_photographs_has_not() {
    // Width and height of each image, and the height and width that the data set has.
    let cases: [(&[[u32; 2]], _); 6] = [
        (&[[28, 28]; 5], Some([28, 28])),
        (&[[64, 48], [64, 48], [30, 30]], Some([48, 64])),
        (&[[28, 28], [28, 28], [500, 300]], Some([28, 28])),
        (&[[28, 28], [300, 200], [300, 200]], None),
        (&[[65, 20]; 3], None),
        (&[[4, 4]; 3], None),
    ];
    for (sizes, size) in cases {
        let folder = made(&["a/unreadable.jpg"]);
        for (number, [width, height]) in sizes.iter().enumerate() {
            let ending = ["png", "jpg", "bmp"][number % 3];
            let path = folder.path().join(format!("a/{number}.{ending}"));
            image::RgbImage::new(*width, *height).save(path).unwrap();
        }
        let data = read(&folder).unwrap();
        let (kind, crop_pct) = match size {
            Some(_) => (DatasetKind::Small, 1.0),
            None => (DatasetKind::Photographs, 0.875),
        };
        assert_eq!(data.kind, kind, "{sizes:?}");
        assert_eq!(data.preprocess.size, size.unwrap_or([224, 224]));
        assert!((data.preprocess.crop_pct - crop_pct).abs() < 1e-12);
    }
}

#[test]
fn parts_are_known_by_every_name_and_share_the_classes_of_training() {
    for (train, val, test) in [
        ("train", "val", "test"),
        ("training", "valid", "testing"),
        ("Training", "validation", "Test"),
        ("Train", "Val", "test"),
    ] {
        let folder = made(&[
            &format!("{train}/cat/1.jpg"),
            &format!("{train}/dog/2.jpg"),
            &format!("{train}/eel/3.jpg"),
            &format!("{val}/dog/4.jpg"),
            &format!("{test}/eel/5.jpg"),
            &format!("{test}/cat/6.jpg"),
        ]);
        let data = read(&folder).unwrap();
        assert_eq!(data.labels, ["cat", "dog", "eel"]);
        assert_eq!(
            listed(&folder, data.val.as_ref()),
            expected(&[(1, &format!("{val}/dog/4.jpg"))])
        );
        assert_eq!(
            listed(&folder, data.test.as_ref()),
            expected(&[
                (0, &format!("{test}/cat/6.jpg")),
                (2, &format!("{test}/eel/5.jpg"))
            ])
        );
        assert!(data.notes.is_empty(), "{:?}", data.notes);
    }
    // Images to measure on alone.
    let data = read(&made(&[
        "test/c/1.jpg",
        "test/d/1.jpg",
        "val/b/2.jpg",
        "val/c/3.jpg",
    ]))
    .unwrap();
    assert!(data.train.is_none() && data.val.is_some());
    assert_eq!(data.labels, ["b", "c", "d"]);
    assert_eq!(data.test.unwrap().classes(), [1, 2]);
}

#[test]
fn a_class_may_be_called_train_or_test() {
    let folder = made(&["bus/1.jpg", "train/2.jpg", "test/3.jpg"]);
    let data = read(&folder).unwrap();
    assert_eq!(data.labels, ["bus", "test", "train"]);
    assert_eq!(data.train.unwrap().len(), 3);
    let folder = made(&["bus/1.jpg", "test/long/3.jpg"]);
    assert_eq!(read(&folder).unwrap().labels, ["bus", "test"]);
}

#[test]
fn what_is_odd_is_noted() {
    let folder = made(&[
        "train/cat/1.jpg",
        "train/cat/notes.txt",
        "train/dog/deep/list.csv",
        "train/dog/a.HEIC",
        "train/dog/b.heic",
        "train/dog/LICENSE",
        "train/loose.png",
        "train/README",
        "val/cat/2.jpg",
        "extra/cat/3.jpg",
    ]);
    fs::create_dir_all(folder.path().join("train/eel")).unwrap();
    let data = read(&folder).unwrap();
    assert_eq!(data.labels, ["cat", "dog", "eel"]);
    let train = folder.path().join("train");
    let train = train.display();
    assert_eq!(
        data.notes,
        [
            "ignored beside the splits: `extra`".to_owned(),
            format!("`{train}` has classes without images: `dog`, `eel`"),
            format!("`{train}` has 1 image outside of its class folders, ignored"),
            format!(
                "`{train}` has files that are not images, ignored: .heic (2), .csv (1), .txt (1), no extension (1)"
            ),
        ]
        .map(Message::from)
    );
    let data = read(&made(&["cat/1.jpg"])).unwrap();
    assert_eq!(
        data.notes,
        ["there is only one class, `cat`: every prediction is correct".into()]
    );
}

#[test]
fn a_folder_without_an_image_is_no_class_where_classes_stand_alone() {
    let folder = made(&[
        "cat/1.jpg",
        "runs/a/config.toml",
        "dog/2.jpg",
        ".git/x/3.jpg",
    ]);
    fs::create_dir_all(folder.path().join("eel")).unwrap();
    let data = read(&folder).unwrap();
    assert_eq!(data.labels, ["cat", "dog"]);
    assert_eq!(data.train.unwrap().classes(), [0, 1]);
    let shown = folder.path().display();
    let note = format!("`{shown}` has folders without images, which are ignored: `eel`, `runs`");
    assert_eq!(data.notes, [note.into()]);
}

#[test]
fn a_part_that_is_held_out_leaves_val_unused_and_says_so() {
    let files = [
        "train/a/1.jpg",
        "train/a/2.jpg",
        "val/a/3.jpg",
        "val/a/4.jpg",
    ];
    let mut data = read(&made(&files)).unwrap();
    data.notes.clear();
    data.hold_out(0.5, 0).unwrap();
    assert_eq!((data.train.unwrap().len(), data.val.unwrap().len()), (1, 1));
    let note = message![
        "val/ of `pets` is not used: ",
        setting("val-split"),
        " holds out a part of its training images instead",
    ];
    assert_eq!(data.notes, [note]);
}

// Other systems have no such names.
#[cfg(target_os = "linux")]
#[test]
fn a_class_whose_name_is_no_utf8_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let folder = made(&["cat/1.jpg"]);
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    touch(&folder.path().join(name), &["1.jpg"]);
    let (message, hint) = failure(read(&folder));
    assert!(
        message.contains("is not valid UTF-8") && hint.contains("rename"),
        "{message}"
    );
}

#[test]
fn what_is_no_dataset_is_refused_with_the_way_out() {
    let empty = made(&["README"]);
    let (message, hint) = failure(read(&empty));
    assert!(
        message.contains("contains no folders") && hint.contains("/cat/1.jpg"),
        "{message} {hint}"
    );

    let loose = made(&["b.jpg", "a.jpg"]);
    let (message, hint) = failure(read(&loose));
    assert!(
        message.contains("contains 2 images but no class folders"),
        "{message}"
    );
    assert!(hint.contains("/cat/a.jpg"), "{hint}");

    let (message, hint) = failure(read(&made(&["cat/x.txt", "dog/y.txt"])));
    assert!(
        message.contains("contain no images") && !hint.is_empty(),
        "{message}"
    );

    let wrong = made(&[
        "train/cat/1.jpg",
        "train/dog/1.jpg",
        "val/Cat/1.jpg",
        "val/cow/1.jpg",
        "val/dog/1.jpg",
    ]);
    let (message, hint) = failure(read(&wrong));
    assert!(
        message.contains("classes that are not in the training set: `Cat`, `cow`"),
        "{message}"
    );
    assert!(hint.contains("correct the names of the folders"), "{hint}");

    let twice = made(&["train/cat/1.jpg", "val/cat/1.jpg", "valid/cat/1.jpg"]);
    let (message, hint) = failure(read(&twice));
    assert!(
        message.contains("has both `val/` and `valid/`") && !hint.is_empty(),
        "{message}"
    );

    for files in [
        &["train/1.jpg", "val/2.jpg"][..],
        &["training/1.jpg", "testing/2.jpg"],
        &["train/1.jpg"],
    ] {
        let (message, hint) = failure(read(&made(files)));
        assert!(message.contains("contains no class folders"), "{message}");
        assert!(hint.contains("/cat/1.jpg"), "{hint}");
    }

    let (message, _) = failure(folder::read(Path::new("no/such"), "x"));
    assert!(
        message.contains("cannot read folder `no/such`"),
        "{message}"
    );
    let many: Vec<String> = (0..9).map(|class| format!("val/{class}/1.jpg")).collect();
    let mut many: Vec<&str> = many.iter().map(String::as_str).collect();
    many.push("train/a/1.jpg");
    let (message, _) = failure(read(&made(&many)));
    assert!(
        message.ends_with("`0`, `1`, `2`, `3`, `4` and 4 more"),
        "{message}"
    );
}
