//! Tests of parquet files.

use super::*;
use crate::support::shards::{Table, columns};
use resnet::data::dataset::TableOptions;

const LABELED: &str = r#""label": {"names": ["cat", "dog"], "_type": "ClassLabel"}"#;

fn table(features: &str) -> Table<'_> {
    Table {
        group: 4,
        is_compressed: true,
        features,
    }
}

#[test]
fn images_are_read_in_any_order_from_every_row_group_and_page() {
    let folder = tempfile::tempdir().unwrap();
    let images: Vec<Vec<u8>> = (0..23).map(png).collect();
    let rows: Vec<_> = images
        .iter()
        .enumerate()
        .map(|(at, image)| (Some(image.as_slice()), (at % 2) as i64))
        .collect();
    for (group, is_compressed) in [(23, true), (23, false), (5, true)] {
        let file = folder.path().join("x.parquet");
        Table {
            group,
            is_compressed,
            features: LABELED,
        }
        .write(&file, &rows);
        let data = opened(&format!("parquet:{}", file.display())).unwrap();
        assert_eq!(data.labels, ["cat", "dog"]);
        let order: Vec<usize> = (0..23).map(|at| at * 7 % 23).collect();
        let expected: Vec<_> = order.iter().map(|&at| Ok(at as u8)).collect();
        assert_eq!(levels(&train(&data).select(&order)), expected, "{group}");
        assert!(train(&data).name(17).ends_with("x.parquet:row 17"));
    }
}

#[test]
fn a_null_image_is_unreadable_by_name_and_tables_of_paths_alone_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.parquet");
    let image = png(5);
    table(LABELED).write(&file, &[(Some(&image), 0), (None, 1), (Some(&image), 1)]);
    let written = format!("parquet:{}", file.display());
    let found = levels(train(&opened(&written).unwrap()));
    assert_eq!((&found[0], &found[2]), (&Ok(5), &Ok(5)));
    let text = found[1].clone().unwrap_err();
    assert!(
        text.contains("x.parquet:row 1`: the row has no image (null)"),
        "{text}"
    );
    table(LABELED).write(&file, &[(None, 0), (None, 1)]);
    let (text, hint) = failure(&written);
    assert!(
        text.contains("no row has an image in column `image.bytes`"),
        "{text}"
    );
    assert!(hint.contains("embed the images"), "{hint}");
}

#[test]
fn a_split_without_labels_is_left_out_and_one_with_some_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let image = png(5);
    let write = |name: &str, labels: &[i64]| {
        let rows: Vec<_> = labels
            .iter()
            .map(|label| (Some(image.as_slice()), *label))
            .collect();
        table(LABELED).write(&folder.path().join(name), &rows);
    };
    write("train-00000-of-00001.parquet", &[0, 1, 1]);
    write("test-00000-of-00001.parquet", &[-1, -1]);
    let written = format!("parquet:{}", folder.path().display());
    let data = opened(&written).unwrap();
    assert!(data.test.is_none());
    assert!(
        notes(&data).contains(&"test has no labels (-1), and is not used".to_owned()),
        "{:?}",
        data.notes
    );
    write("test-00000-of-00001.parquet", &[-1, 0]);
    assert!(
        failure(&written)
            .0
            .contains("test has images without a label (-1), such as")
    );
    write("test-00000-of-00001.parquet", &[2]);
    assert!(
        failure(&written)
            .0
            .contains("test has classes that are not in the training set: 2")
            || failure(&written).0.contains("`2`")
    );
}

#[test]
fn columns_are_found_by_their_types_or_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.parquet");
    let written = format!("parquet:{}", file.display());
    let image = png(5);
    let open_with = |image: Option<&str>, label: Option<&str>| {
        let name = DatasetName::parse(&written).unwrap();
        let name = name
            .with_options(TableOptions {
                image_column: image.map(str::to_owned),
                label_column: label.map(str::to_owned),
                ..TableOptions::default()
            })
            .unwrap();
        open(&name, &written, &Silent)
    };
    // A plain column of bytes, and labels that are names.
    columns(
        &file,
        "message s { optional binary picture; optional binary label (UTF8); }",
        &[&image, b"cat"],
    );
    let data = opened(&written).unwrap();
    assert_eq!(
        (data.labels.as_slice(), levels(train(&data))),
        (&["cat".to_owned()][..], vec![Ok(5)])
    );
    // Two columns of each kind.
    columns(
        &file,
        "message s { optional binary a; optional binary b; optional int64 label; optional int64 class; }",
        &[b"x", &image, b"1", b"0"],
    );
    let (text, hint) = failure(&written);
    assert!(
        text.contains("several columns may hold the images: `a`, `b`")
            && hint.contains("image-column"),
        "{text} {hint}"
    );
    let error = open_with(Some("b"), None).unwrap_err();
    assert!(
        format!("{error:#}").contains("several columns may hold the labels: `label`, `class`"),
        "{error:#}"
    );
    let data = open_with(Some("b"), Some("class")).unwrap();
    assert_eq!(
        (train(&data).classes(), levels(train(&data))),
        (&[0][..], vec![Ok(5)])
    );
    let error = open_with(Some("c"), Some("class")).unwrap_err();
    assert!(
        format!("{error:#}")
            .contains("there is no column `c` of images; the columns are `a` (byte_array)"),
        "{error:#}"
    );
    // Nested columns by their path, and several values per row.
    columns(
        &file,
        "message s { optional group x { optional binary pic; } optional int64 n; }",
        &[&image, b"0"],
    );
    let (text, _) = failure(&written);
    assert!(
        text.contains(
            "no column holds the images; the columns are `x.pic` (byte_array), `n` (int64)"
        ),
        "{text}"
    );
    columns(
        &file,
        "message s { required group x { optional binary pic; } optional int64 n; }",
        &[&image, b"0"],
    );
    let data = open_with(Some("x.pic"), Some("n")).unwrap();
    assert_eq!(levels(train(&data)), [Ok(5)]);
    columns(
        &file,
        "message s { repeated binary image; optional int64 label; }",
        &[&image, b"0"],
    );
    assert!(
        failure(&written)
            .0
            .contains("the column `image` has several values per row")
    );
    // Columns of other data.
    let error = DatasetName::parse("sample")
        .unwrap()
        .with_options(TableOptions {
            label_column: Some("x".to_owned()),
            ..TableOptions::default()
        })
        .unwrap_err();
    assert!(error.to_string().contains("has no effect"), "{error}");
}

#[test]
fn damaged_tables_name_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.parquet");
    let written = format!("parquet:{}", file.display());
    let image = png(5);
    table(LABELED).write(&file, &[(Some(&image), 0), (Some(&image), 1)]);
    let whole = fs::read(&file).unwrap();
    for length in [0, 3, 40, whole.len() - 1] {
        fs::write(&file, &whole[..length]).unwrap();
        let (text, hint) = failure(&written);
        assert!(
            text.contains("x.parquet` is torn or not a parquet file"),
            "{length}: {text}"
        );
        assert!(!hint.is_empty());
    }
    // No damage is a panic, and none is an image that was not there.
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        fs::write(&file, bytes).unwrap();
        if let Ok(data) = opened(&written) {
            let found = levels(train(&data));
            assert!(found.len() <= 2, "byte {at}");
        }
    }
}
