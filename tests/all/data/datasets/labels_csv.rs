//! Tests of images in one folder whose classes a table names.

use super::folders::{expected, listed, made};
use super::*;
use resnet::data::dataset::{LabelsCsv, TableOptions, labels_csv};
use resnet::error::is_usage_error;

/// Reads the table `text` of the images in `folder`.
fn read(folder: &tempfile::TempDir, text: &str) -> anyhow::Result<Dataset> {
    let csv = LabelsCsv {
        path: folder.path().join("labels.csv"),
        ..LabelsCsv::default()
    };
    fs::write(&csv.path, text).unwrap();
    labels_csv::read(folder.path(), &csv, "photos")
}

#[test]
fn images_and_classes_are_those_of_the_table_in_its_order() {
    let folder = made(&["b.jpg", "deep/a.png", "c.JPG", "other.jpg"]);
    let data = read(
        &folder,
        "path,label\nb.jpg,dog\ndeep/a.png,cat\nc.JPG,dog\n",
    )
    .unwrap();
    assert_eq!(data.labels, ["cat", "dog"]);
    let images = [(1, "b.jpg"), (0, "deep/a.png"), (1, "c.JPG")];
    assert_eq!(listed(&folder, data.train.as_ref()), expected(&images));
    assert!(data.val.is_none() && data.test.is_none() && !data.has_splits);
    assert!(data.notes.is_empty(), "{:?}", data.notes);
}

#[test]
fn splits_are_a_column_by_any_of_their_names() {
    let folder = made(&["1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]);
    let text = "image,label,split\n1.jpg,b,train\n2.jpg,a,Training\n3.jpg,a,valid\n4.jpg,b,dev\n5.jpg,b,TEST\n";
    let data = read(&folder, text).unwrap();
    assert!(data.has_splits);
    let [train, val, test] =
        [&data.train, &data.val, &data.test].map(|split| listed(&folder, split.as_ref()));
    assert_eq!(train, expected(&[(1, "1.jpg"), (0, "2.jpg")]));
    assert_eq!(val, expected(&[(0, "3.jpg"), (1, "4.jpg")]));
    assert_eq!(test, expected(&[(1, "5.jpg")]));

    let (message, hint) = failure(read(&folder, &text.replace("dev", "holdout")));
    assert!(
        message.ends_with("line 5: `holdout` is no split"),
        "{message}"
    );
    assert_eq!(hint, "write train, val or test");
    let (message, _) = failure(read(&folder, &text.replace("4.jpg,b", "4.jpg,c")));
    assert!(
        message.contains("val images have classes that are not in the training set: `c`"),
        "{message}"
    );
    // Images to measure on alone.
    let data = read(&folder, "image,label,split\n1.jpg,b,val\n2.jpg,a,test\n").unwrap();
    assert_eq!(data.labels, ["a", "b"]);
    assert!(data.train.is_none());
}

#[test]
fn paths_are_found_beside_the_table_without_extension_and_with_backslashes() {
    let folder = made(&[
        "images/1.jpg",
        "images/2.JPEG",
        "images/more/3.png",
        "4.jpg",
    ]);
    let csv = LabelsCsv {
        path: folder.path().join("labels.csv"),
        ..LabelsCsv::default()
    };
    let absolute = folder.path().join("images/1.jpg");
    let text = format!(
        "id,label\n{},a\n2,a\nmore\\3.png,b\n4,b\n",
        absolute.display()
    );
    fs::write(&csv.path, text).unwrap();
    let data = labels_csv::read(&folder.path().join("images"), &csv, "photos").unwrap();
    let images = [
        (0, "images/1.jpg"),
        (0, "images/2.JPEG"),
        (1, "images/more/3.png"),
        (1, "4.jpg"),
    ];
    assert_eq!(listed(&folder, data.train.as_ref()), expected(&images));
}

#[test]
fn classes_that_are_numbers_are_sorted_by_value() {
    let folder = made(&["1.jpg", "2.jpg", "3.jpg"]);
    let data = read(&folder, "path,label\n1.jpg,10\n2.jpg,9\n3.jpg,0\n").unwrap();
    assert_eq!(data.labels, ["0", "9", "10"]);
    assert_eq!(data.train.unwrap().classes(), [2, 1, 0]);
    let data = read(&folder, "path,label\n1.jpg,10\n2.jpg,9\n3.jpg,x\n").unwrap();
    assert_eq!(data.labels, ["10", "9", "x"]);
}

#[test]
fn odd_lines_are_noted_or_refused() {
    let folder = made(&["1.jpg", "2.jpg"]);
    let data = read(
        &folder,
        "path,label\n1.jpg,a\n2.jpg,\n1.jpg,a\ngone.jpg,b\n",
    )
    .unwrap();
    let notes: Vec<String> = data.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "1 line without a label, ignored",
            "1 line naming an image again, ignored"
        ]
    );
    // A missing image is one that cannot be read, which the reader reports.
    assert_eq!(data.train.as_ref().map(Split::len), Some(2));

    for (text, message, hint) in [
        (
            "path,label\n1.jpg,a\n2.jpg,b\n./1.jpg,c\n",
            "`./1.jpg` has two labels, `a` and `c` (lines 2 and 4)",
            "one label",
        ),
        (
            "path,label,split\n1.jpg,a,train\n1.jpg,a,val\n",
            "`1.jpg` is in two splits, train and val (lines 2 and 3)",
            "keep one",
        ),
        ("path,label\n,a\n", "line 2 names no image", "complete"),
        ("path,label\n", "it names no image", "cats/1.jpg,cat"),
        (
            "path,label\nx.jpg,a\ny.jpg,b\n",
            "none of its 2 images exists, such as `",
            "`data`",
        ),
        ("", "it is empty", "path,label"),
    ] {
        let (found, way_out) = failure(read(&folder, text));
        assert!(found.starts_with("cannot read labels `"), "{found}");
        assert!(found.contains(message), "{found}");
        assert!(way_out.contains(hint), "{way_out}");
    }
    let csv = LabelsCsv {
        path: folder.path().join("none.csv"),
        ..LabelsCsv::default()
    };
    let (message, _) = failure(labels_csv::read(folder.path(), &csv, "photos"));
    assert!(message.contains("none.csv`: "), "{message}");
    fs::write(&csv.path, b"path,label\n1.jpg,caf\xe9\n").unwrap();
    let (message, _) = failure(labels_csv::read(folder.path(), &csv, "photos"));
    assert!(message.contains("not valid UTF-8"), "{message}");
}

#[test]
fn options_of_tables_that_have_no_effect_are_refused() {
    let with =
        |data: &str, options: TableOptions| DatasetName::parse(data).unwrap().with_options(options);
    let csv = TableOptions {
        labels_csv: Some("labels.csv".into()),
        split_column: Some("fold".into()),
        ..TableOptions::default()
    };
    let expected = LabelsCsv {
        path: "labels.csv".into(),
        split: Some("fold".into()),
        ..LabelsCsv::default()
    };
    assert_eq!(
        with("src", csv.clone()).unwrap(),
        DatasetName::Labeled("src".into(), expected)
    );
    let split = TableOptions {
        split_column: Some("fold".into()),
        ..TableOptions::default()
    };
    let image = TableOptions {
        image_column: Some("photo".into()),
        ..TableOptions::default()
    };
    for (data, options, message) in [
        (
            "cifar10",
            &csv,
            "`labels-csv` has no effect: the data is not a folder",
        ),
        (
            "src",
            &split,
            "`split-column` has no effect: it is a column of the file of `labels-csv`",
        ),
        ("parquet:x", &split, "`split-column` has no effect"),
        (
            "src",
            &image,
            "`image-column` has no effect: the data is not in tables",
        ),
    ] {
        let error = with(data, options.clone()).unwrap_err();
        assert!(
            is_usage_error(&error) && error.to_string().starts_with(message),
            "{error}"
        );
    }
    let error = DatasetName::parse("tests/fixtures/datasets/none.csv").unwrap_err();
    assert!(!hint_of(&error).unwrap().to_string().contains("labels-csv"));
    let folder = made(&["labels.csv"]);
    let file = folder.path().join("labels.csv");
    let error = DatasetName::parse(file.to_str().unwrap()).unwrap_err();
    assert!(
        hint_of(&error)
            .unwrap()
            .to_string()
            .contains("`labels-csv`")
    );
}
