//! Tests of tar shards.

use super::*;
use crate::support::shards::tar;

#[test]
fn labels_are_in_cls_files_in_json_files_or_folders_and_members_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let image = [png(0), png(1), png(2)];
    let write = |name: &str, members: &[(&str, &[u8])]| tar(&folder.path().join(name), members);
    write(
        "cls.tar",
        &[
            ("b.cls", b"2"),
            ("c.jpg", &image[2]),
            ("b.png", &image[1]),
            ("c.cls", b"0\n"),
            ("b.json", br#"{"label": "other"}"#),
        ],
    );
    write(
        "json.tar",
        &[
            ("x/b.PNG", &image[1]),
            ("x/b.json", br#"{"label": "dog"}"#),
            ("x/c.webp", &image[2]),
            ("x/c.json", br#"{"class": "cat"}"#),
        ],
    );
    write(
        "folder.tar",
        &[
            ("./cat/.hidden.png", b"x"),
            ("./dog/1.png", &image[1]),
            ("./cat/1.png", &image[2]),
            ("README", b"hi"),
            ("cat/2.txt", b"hi"),
            ("cat/3.cls", b"1"),
        ],
    );
    for (name, labels, classes) in [
        ("cls.tar", &["0", "1", "2"][..], [2, 0]),
        ("json.tar", &["cat", "dog"], [1, 0]),
        ("folder.tar", &["cat", "dog"], [1, 0]),
    ] {
        let data = opened(&format!("wds:{}", path(folder.path(), name))).unwrap();
        assert_eq!(data.labels, labels, "{name}");
        assert_eq!(train(&data).classes(), classes, "{name}");
        assert_eq!(levels(train(&data)), [Ok(1), Ok(2)], "{name}");
    }
    let data = opened(&format!("wds:{}", path(folder.path(), "folder.tar"))).unwrap();
    assert!(
        notes(&data)
            .iter()
            .any(|note| note.contains("1 sample without an image")),
        "{:?}",
        data.notes
    );
    assert!(train(&data).name(0).ends_with("folder.tar:dog/1.png"));
}

#[test]
fn long_names_of_gnu_and_pax_archives_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let class = "c".repeat(180);
    let name = format!("{class}/{}.png", "n".repeat(120));
    tar(&folder.path().join("gnu.tar"), &[(&name, &png(3))]);
    let image = png(4);
    let mut archive = tar::Builder::new(fs::File::create(folder.path().join("pax.tar")).unwrap());
    let mut header = tar::Header::new_ustar();
    header.set_size(image.len() as u64);
    header.set_path("short/a.png").unwrap();
    header.set_cksum();
    archive
        .append_pax_extensions([("path", name.as_bytes()), ("mtime", b"1.5")])
        .unwrap();
    archive.append(&header, image.as_slice()).unwrap();
    archive.into_inner().unwrap();
    for (file, level) in [("gnu.tar", 3), ("pax.tar", 4)] {
        let data = opened(&format!("wds:{}", path(folder.path(), file))).unwrap();
        assert_eq!(data.labels, [class.as_str()], "{file}");
        assert!(train(&data).name(0).ends_with(&name), "{file}");
        assert_eq!(levels(train(&data)), [Ok(level)], "{file}");
    }
}

#[test]
fn what_is_no_sample_with_one_image_and_one_label_is_refused_by_name() {
    let image = png(0);
    for (members, message) in [
        (
            &[
                ("a.left.png", &image[..]),
                ("a.right.png", &image),
                ("a.cls", b"0"),
            ][..],
            "sample `a` has several images: `a.left.png` and `a.right.png`",
        ),
        (
            &[("x/a.png", &image), ("x/a.png", &image)],
            "`x/a.png` is there twice",
        ),
        (
            &[("a.cls", b"0"), ("a.cls", b"0"), ("a.png", &image)],
            "`a.cls` is there twice",
        ),
        (&[("a.png", &image)], "sample `a` has no label"),
        (&[("a.cls", b"0")], "contains no images"),
        (
            &[("x/a.cls", b"0"), ("x/a.png", &image), ("x/b.png", &image)],
            "labels of several kinds: that of `x/a` is in a .cls file, that of `x/b` is its folder",
        ),
        (
            &[("a.cls", b""), ("a.png", &image)],
            "`a.cls` is not a class",
        ),
        (
            &[("a.json", b"{"), ("a.png", &image)],
            "`a.json` is not JSON",
        ),
        (
            &[("a.cls", b"5000000"), ("a.png", &image)],
            "the label 5000000 is not the number of a class",
        ),
        (
            &[
                ("a.cls", b"1"),
                ("a.png", &image),
                ("b.cls", b"cat"),
                ("b.png", &image),
            ],
            "some labels are numbers, such as 1, and some are names, such as `cat`",
        ),
        (
            &[("train/x/a.png", &image), ("val/x/b.png", &image)],
            "has images of both train and val",
        ),
        (&[], "contains no images"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        tar(&folder.path().join("s.tar"), members);
        let (text, _) = failure(&format!("wds:{}", path(folder.path(), "s.tar")));
        assert!(text.contains(message), "{text}\n{message}");
    }
}

/// Names that the writer refuses, and other entries than files.
#[test]
fn links_and_names_that_lead_out_are_refused_and_folders_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.tar");
    let write = |name: &[u8], kind: tar::EntryType| {
        let image = png(7);
        let mut archive = tar::Builder::new(fs::File::create(&file).unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        header.set_entry_type(tar::EntryType::Directory);
        header.set_path("cat/").unwrap();
        header.set_cksum();
        archive.append(&header, &[][..]).unwrap();
        let mut header = tar::Header::new_gnu();
        let is_file = kind.is_file();
        header.set_size(if is_file { image.len() as u64 } else { 0 });
        header.set_entry_type(kind);
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name);
        header.set_cksum();
        archive
            .append(&header, if is_file { &image } else { &[][..] })
            .unwrap();
        archive.into_inner().unwrap();
        format!("wds:{}", file.display())
    };
    let data = opened(&write(b"/abs/cat/1.png", tar::EntryType::Regular)).unwrap();
    assert_eq!(
        (data.labels.as_slice(), levels(train(&data))),
        (&["cat".to_owned()][..], vec![Ok(7)])
    );
    let (text, _) = failure(&write(b"../1.png", tar::EntryType::Regular));
    assert!(
        text.contains("`../1.png` leads out of its folder"),
        "{text}"
    );
    let (text, hint) = failure(&write(b"cat/1.png", tar::EntryType::Symlink));
    assert!(
        text.contains("`cat/1.png` is a link") && hint.contains("that links lead to"),
        "{text}"
    );
    let (text, _) = failure(&write(b"c\xffat/1.png", tar::EntryType::Regular));
    assert!(text.contains("not valid UTF-8"), "{text}");
    let data = opened(&write(b"cat/\xff.png", tar::EntryType::Regular)).unwrap();
    assert_eq!(levels(train(&data)), [Ok(7)]);
}

#[test]
fn torn_compressed_and_other_files_name_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x-1.tar");
    tar(&folder.path().join("x-0.tar"), &[("cat/0.png", &png(0))]);
    tar(&file, &[("cat/1.png", &png(1)), ("cat/2.png", &[7; 3000])]);
    let whole = fs::read(&file).unwrap();
    let written = format!("wds:{}", path(folder.path(), "x-{0..1}.tar"));
    assert_eq!(train(&opened(&written).unwrap()).len(), 3);
    for (length, how) in [
        (0, "torn: it is empty"),
        (300, "x-1.tar` is not a tar file"),
        (whole.len() - 3000, "torn: it ends within `cat/2.png`"),
        (1024 + 100, "torn: behind `cat/1.png`"),
        (1024, "torn: it has no end mark behind `cat/1.png`"),
    ] {
        fs::write(&file, &whole[..length]).unwrap();
        let (text, hint) = failure(&written);
        assert!(
            text.contains(how) && text.contains("x-1.tar"),
            "{length}: {text}"
        );
        assert!(!hint.is_empty(), "{length}");
    }
    for (bytes, message) in [
        (&b"\x1f\x8b\x08\0rest"[..], "is compressed (gzip)"),
        (b"\x28\xb5\x2f\xfdrest", "is compressed (zstd)"),
        (b"BZh9rest", "is compressed (bzip2)"),
        (&[b'<'; 700], "is not a tar file"),
    ] {
        fs::write(&file, bytes).unwrap();
        let (text, hint) = failure(&written);
        assert!(text.contains(message), "{text}");
        assert!(
            hint.contains("unpack it once") || hint.contains("pass tar files"),
            "{hint}"
        );
    }
}

#[test]
fn an_index_is_kept_beside_the_shards_and_made_again_when_one_changes() {
    let folder = tempfile::tempdir().unwrap();
    let written = format!("wds:{}", path(folder.path(), "*.tar"));
    let write = |name: &str, level: u8| {
        tar(
            &folder.path().join(name),
            &[("cat/1.png", &png(level)), ("dog/1.png", &png(level + 1))],
        );
    };
    write("a.tar", 10);
    write("b.tar", 20);
    let found = || levels(train(&opened(&written).unwrap()));
    assert_eq!(found(), [Ok(10), Ok(11), Ok(20), Ok(21)]);
    let index = || {
        let entries = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut indexes =
            entries.filter(|path| path.extension().is_some_and(|ending| ending == "index"));
        let index = indexes.next().unwrap();
        assert_eq!(indexes.next(), None);
        index
    };
    let first = fs::read(index()).unwrap();
    let changed = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let before = changed(&index());
    assert_eq!(found().len(), 4);
    assert_eq!(
        changed(&index()),
        before,
        "an index that holds is not written again"
    );
    // Another length, at another place.
    tar(
        &folder.path().join("b.tar"),
        &[("cat/0.txt", &[1; 2000]), ("cat/1.png", &png(30))],
    );
    assert_eq!(found(), [Ok(10), Ok(11), Ok(30)]);
    assert_ne!(fs::read(index()).unwrap(), first);
    fs::write(index(), &first[..first.len() / 2]).unwrap();
    assert_eq!(found(), [Ok(10), Ok(11), Ok(30)]);
    // The folder may be moved.
    let moved = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let from = entry.unwrap().path();
        fs::rename(&from, moved.path().join(from.file_name().unwrap())).unwrap();
    }
    let data = opened(&format!("wds:{}", moved.path().display())).unwrap();
    assert_eq!(levels(train(&data)), [Ok(10), Ok(11), Ok(30)]);
}

#[test]
fn an_image_without_bytes_and_a_damaged_one_are_unreadable_by_name() {
    let folder = tempfile::tempdir().unwrap();
    tar(
        &folder.path().join("s.tar"),
        &[
            ("cat/0.png", b""),
            ("cat/1.png", &png(1)),
            ("dog/2.png", b"hello"),
        ],
    );
    let data = opened(&format!("wds:{}", path(folder.path(), "s.tar"))).unwrap();
    let found = levels(train(&data));
    assert_eq!(found[1], Ok(1));
    let text = found[0].clone().unwrap_err();
    assert!(
        text.contains("s.tar:cat/0.png`: the file is empty"),
        "{text}"
    );
    let text = found[2].clone().unwrap_err();
    assert!(
        text.contains("s.tar:dog/2.png`: it is a text file"),
        "{text}"
    );
}

#[test]
fn splits_are_told_by_names_or_by_info_json() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, class: &str| {
        tar(
            &folder.path().join(name),
            &[(&format!("{class}/1.png"), &png(1)), ("cat/2.png", &png(2))],
        );
    };
    write("train-0.tar", "dog");
    write("val-0.tar", "cat");
    write("test-0.tar", "dog");
    let folder_name = format!("wds:{}", folder.path().display());
    let data = opened(&folder_name).unwrap();
    let counts = [&data.train, &data.val, &data.test].map(|split| split.as_ref().map(Split::len));
    assert_eq!(counts, [Some(2); 3]);
    write("val-0.tar", "bird");
    let (text, _) = failure(&folder_name);
    assert!(
        text.contains("val has classes that are not in the training set: `bird`"),
        "{text}"
    );

    let info = |text: &str| fs::write(folder.path().join("info.json"), text).unwrap();
    info(
        r#"{"splits": {"train": {"filenames": ["{train,test}-{0..0}.tar"], "shard_lengths": [2, 2]}, "extra": {"filenames": ["val-0.tar"]}}}"#,
    );
    let data = opened(&folder_name).unwrap();
    assert_eq!((train(&data).len(), data.val.is_none()), (4, true));
    assert!(
        notes(&data)
            .iter()
            .any(|note| note.contains("split `extra` is not used")),
        "{:?}",
        data.notes
    );
    info(r#"{"shardlist": [{"url": "train-0.tar", "nsamples": 3}]}"#);
    let (text, hint) = failure(&folder_name);
    assert!(
        text.contains(
            "train-0.tar` is torn or another one: it has 2 samples, and `info.json` says 3"
        ),
        "{text}"
    );
    assert!(hint.contains("info.json"));
    info("{}");
    assert!(failure(&folder_name).0.contains("lists no shards"));
}
