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

pub fn made(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    touch(folder.path(), files);
    folder
}

fn read(folder: &tempfile::TempDir) -> anyhow::Result<Dataset> {
    folder::read(folder.path(), "pets")
}

/// Returns class and path below the folder, with `/`.
pub fn listed(folder: &tempfile::TempDir, split: Option<&Split>) -> Vec<(u32, String)> {
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

pub fn expected(files: &[(u32, &str)]) -> Vec<(u32, String)> {
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
        ("train", "dev", "testing"),
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
        "train/owl/2.jpg",
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
    assert_eq!(data.labels, ["cat", "owl"]);
    let train = folder.path().join("train");
    let train = train.display();
    assert_eq!(
        data.notes,
        [
            "ignored beside the splits: `extra`".to_owned(),
            format!("`{train}` has folders without images, which are ignored: `dog`, `eel`"),
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
fn a_folder_without_an_image_is_no_class() {
    let folder = made(&["cat/1.jpg", "runs/a/log", "dog/2.jpg", ".git/x/3.jpg"]);
    fs::create_dir_all(folder.path().join("eel")).unwrap();
    let data = read(&folder).unwrap();
    assert_eq!(data.labels, ["cat", "dog"]);
    assert_eq!(data.train.unwrap().classes(), [0, 1]);
    let shown = folder.path().display();
    let notes = [
        format!("`{shown}` has folders without images, which are ignored: `eel`, `runs`"),
        format!("`{shown}` has files that are not images, ignored: no extension (1)"),
    ];
    assert_eq!(data.notes, notes.map(Message::from));

    // Nor in a split; a class of training may lack in another one.
    let folder = made(&[
        "train/cat/1.jpg",
        "train/dog/2.jpg",
        "val/dog/3.jpg",
        "val/eel/.4.jpg",
    ]);
    for empty in ["train/eel", "train/Unsorted/more", "val/cat", "val/fox"] {
        fs::create_dir_all(folder.path().join(empty)).unwrap();
    }
    let data = read(&folder).unwrap();
    assert_eq!(data.labels, ["cat", "dog"]);
    assert_eq!(data.val.unwrap().classes(), [1]);
    let [train, val] = ["train", "val"].map(|part| folder.path().join(part));
    let (train, val) = (train.display(), val.display());
    let notes = [
        format!("`{train}` has folders without images, which are ignored: `Unsorted`, `eel`"),
        format!("`{val}` has classes without images: `cat`"),
        format!("`{val}` has folders without images, which are ignored: `eel`, `fox`"),
    ];
    assert_eq!(data.notes, notes.map(Message::from));
}

#[test]
fn folders_that_no_user_made_are_no_classes_in_any_layout() {
    let made_by_systems = [
        "__MACOSX/._1.jpg",
        "@eaDir/1.jpg/SYNOPHOTO_THUMB_M.png",
        "#recycle/3.jpg",
        "$RECYCLE.BIN/S-1/4.png",
        ".ipynb_checkpoints/5-checkpoint.jpg",
        "System Volume Information/6.jpg",
    ];
    for (layout, part) in [
        (&["cat/1.jpg", "dog/2.jpg"][..], ""),
        (
            &["train/cat/1.jpg", "train/dog/2.jpg", "val/dog/3.jpg"],
            "train/",
        ),
        (
            &["train/cat/1.jpg", "train/dog/2.jpg", "val/dog/3.jpg"],
            "val/",
        ),
        (&["train/cat/1.jpg", "train/dog/2.jpg", "val/dog/3.jpg"], ""),
        (&["cat/1.jpg", "dog/2.jpg"], "cat/"),
    ] {
        let folder = made(layout);
        let clean = read(&folder).unwrap();
        touch(
            folder.path(),
            &made_by_systems
                .map(|file| format!("{part}{file}"))
                .each_ref()
                .map(String::as_str),
        );
        let data = read(&folder).unwrap();
        assert_eq!(data.labels, ["cat", "dog"], "{layout:?} {part}");
        assert_eq!(
            listed(&folder, data.train.as_ref()),
            listed(&folder, clean.train.as_ref())
        );
        assert_eq!(
            listed(&folder, data.val.as_ref()),
            listed(&folder, clean.val.as_ref())
        );
        assert!(data.notes.is_empty(), "{:?}", data.notes);
    }
}

#[test]
fn a_folder_named_as_a_split_that_cannot_be_one_is_refused_with_the_way_out() {
    let train = ["train/cat/1.jpg", "train/dog/2.jpg"];
    for (files, part, count) in [
        (&["val/1.jpg", "val/2.jpg"][..], "val", "its 2 images"),
        (&["val/cat/1.jpg", "test/9.png"], "test", "its 1 image"),
        (&["dev/1.jpg", "dev/.hidden/2.jpg"], "dev", "its 1 image"),
        (
            &["Valid/__MACOSX/._1.jpg"],
            "Valid",
            "contains no class folders",
        ),
        (&["val/README"], "val", "contains no class folders"),
    ] {
        let folder = made(&train);
        touch(folder.path(), files);
        let (message, hint) = failure(read(&folder));
        let path = folder.path().join(part);
        let path = path.display();
        let expected = format!("`{path}` is a split of a dataset by its name, but");
        assert!(
            message.contains(&expected) && message.contains(count),
            "{message}"
        );
        assert!(hint.contains(&format!("such as `{path}/cat/")), "{hint}");
        if count.starts_with("its") {
            assert!(hint.contains("labels-csv = FILE"), "{hint}");
        }
    }
    let folder = made(&train);
    fs::create_dir_all(folder.path().join("val")).unwrap();
    let (_, hint) = failure(read(&folder));
    assert!(hint.ends_with("or remove the folder"), "{hint}");
    #[cfg(unix)]
    {
        let flat = made(&["1.jpg"]);
        let folder = made(&train);
        std::os::unix::fs::symlink(flat.path(), folder.path().join("test")).unwrap();
        let (message, _) = failure(read(&folder));
        assert!(message.contains("contains no class folders"), "{message}");
    }
    // Beside the classes for training, without `train/`.
    let folder = made(&["cat/1.jpg", "dog/2.jpg", "val/cat/3.jpg"]);
    let (message, hint) = failure(read(&folder));
    assert!(
        message.contains("has both `cat/` and `val/cat/`"),
        "{message}"
    );
    assert!(hint.contains("/train/`"), "{hint}");
    // In a folder of an archive.
    let folder = made(&[
        "pets/train/cat/1.jpg",
        "pets/val/cat/2.jpg",
        "__MACOSX/pets/._x",
    ]);
    let (_, hint) = failure(read(&folder));
    assert_eq!(
        hint,
        format!("pass `{}`", folder.path().join("pets").display())
    );
    // A class of that name is one, and is noted.
    let data = read(&made(&["cat/1.jpg", "dog/2.jpg", "val/3.jpg"])).unwrap();
    assert_eq!(data.labels, ["cat", "dog", "val"]);
    assert!(
        data.notes[0]
            .to_string()
            .starts_with("`val` is read as a class")
    );
}

/// Returns the files of a small Tiny `ImageNet`, with these annotations.
fn tiny_imagenet(annotations: &str) -> tempfile::TempDir {
    let folder = made(&[
        "train/n01443537/images/n01443537_0.JPEG",
        "train/n01443537/n01443537_boxes.txt",
        "train/n01629819/images/n01629819_0.JPEG",
        "val/images/val_0.JPEG",
        "val/images/val_1.JPEG",
        "val/images/val_2.JPEG",
        "test/images/test_0.JPEG",
        "words.txt",
    ]);
    fs::write(folder.path().join("val/val_annotations.txt"), annotations).unwrap();
    folder
}

#[test]
fn annotations_of_images_in_one_folder_are_read_as_tiny_imagenet_has_them() {
    let folder = tiny_imagenet(
        "val_0.JPEG\tn01629819\t0\t32\t44\t62\r\nval_1.JPEG\tn01443537\t52\t55\t57\t59\nval_2.JPEG\tn01443537\t4\t0\t60\t55\n\n",
    );
    let data = read(&folder).unwrap();
    assert_eq!(data.labels, ["n01443537", "n01629819"]);
    let val = [
        (0, "val/images/val_1.JPEG"),
        (0, "val/images/val_2.JPEG"),
        (1, "val/images/val_0.JPEG"),
    ];
    assert_eq!(listed(&folder, data.val.as_ref()), expected(&val));
    assert!(data.test.is_none());
    let [train, test] = ["train", "test"].map(|part| folder.path().join(part));
    let notes = [
        format!("`{}` has no classes, and is not used", test.display()),
        format!(
            "`{}` has files that are not images, ignored: .txt (1)",
            train.display()
        ),
    ];
    assert_eq!(data.notes, notes.map(Message::from));
    // That split alone.
    let val = folder::read(&folder.path().join("val"), "val").unwrap();
    assert_eq!(val.labels, ["n01443537", "n01629819"]);
    assert_eq!(val.train.unwrap().classes(), [0, 0, 1]);

    let folder = tiny_imagenet("val_0.JPEG\tn01629819\ngone.JPEG\tn01629819\n");
    let notes = read(&folder).unwrap().notes;
    let notes: Vec<String> = notes.iter().map(Message::to_string).collect();
    assert!(
        notes[0].ends_with("names no class for 2 images, ignored"),
        "{notes:?}"
    );
    assert!(notes[1].starts_with("1 image of `"), "{notes:?}");

    let (message, hint) = failure(read(&tiny_imagenet("val_0.JPEG n01629819\n")));
    assert!(message.contains("line 1 of `"), "{message}");
    assert!(hint.contains("tab"), "{hint}");

    // Without that file, there is no class called `images`.
    let folder = tiny_imagenet("");
    fs::remove_file(folder.path().join("val/val_annotations.txt")).unwrap();
    let (message, hint) = failure(read(&folder));
    assert!(
        message.ends_with("not in the training set: `images`"),
        "{message}"
    );
    assert!(hint.contains("val/n01443537`"), "{hint}");
    assert!(hint.contains("labels-csv = FILE"), "{hint}");
    // Images that were moved into class folders are read from there.
    let folder = tiny_imagenet("val_0.JPEG\tn01629819\n");
    fs::remove_dir_all(folder.path().join("test")).unwrap();
    fs::remove_dir_all(folder.path().join("val/images")).unwrap();
    touch(
        folder.path(),
        &["val/n01443537/val_0.JPEG", "val/images/.keep"],
    );
    assert_eq!(read(&folder).unwrap().val.unwrap().classes(), [0]);
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
        assert!(hint.contains("/cat/"), "{hint}");
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
