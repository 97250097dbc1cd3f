//! Tests of data whose classes are called by `WordNet` ids and class numbers, and of data whose classes a table names.

use super::{SIZE, pixels, report, run, save, save_images};
use resnet::weights::imagenet_labels;
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Three of `ImageNet`'s classes by their id, number and one of their names.
const CLASSES: [[&str; 3]; 3] = [
    ["n01440764", "000", "tench"],
    ["n02102040", "217", "English_springer"],
    ["n02979186", "482", "cassette player"],
];

/// Saves the images of the three classes, called by their names of `kind`, in the folder of that number.
fn save_called_by(folder: &Path, kind: usize) {
    for (place, (names, count)) in CLASSES.iter().zip([2, 3, 1]).enumerate() {
        let seed = 10 * place as u64;
        save_images(
            &folder.join(kind.to_string()),
            &[(names[kind], count)],
            seed,
        );
    }
}

/// Returns the figures of a report, without its names and time.
fn figures(report: &Value) -> Vec<Value> {
    // The order of the images, and so the last bits of the loss, is that of the folders.
    let keys = ["images", "top1", "top5", "confusion"];
    let loss = (1e6 * report["loss"].as_f64().unwrap()).round();
    keys.map(|key| report[key].clone())
        .into_iter()
        .chain([loss.into()])
        .collect()
}

#[test]
fn parts_of_imagenet_by_ids_and_numbers_are_its_classes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let labels = imagenet_labels();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    save(&folder.join("words"), &labels, None);
    let ids = fs::read_to_string("assets/imagenet_wordnet_ids.txt").unwrap();
    let ids: Vec<&str> = ids.lines().collect();
    save(&folder.join("ids"), &ids, None);
    for kind in 0..3 {
        save_called_by(folder, kind);
    }
    let by_name = report(folder, "eval -m words -d 2 -f json");
    assert_eq!(by_name["images"], 6);
    for model in ["words", "ids"] {
        for (kind, how) in ["WordNet id", "class number", "name"]
            .into_iter()
            .enumerate()
        {
            let line = format!("eval -m {model} -d {kind} -f json");
            assert_eq!(figures(&report(folder, &line)), figures(&by_name), "{line}");
            let done = run(folder, &line);
            let note =
                format!("note: the data has 3 of the model's 1,000 classes, matched by {how}\n");
            assert!(done.stderr.contains(&note), "{}", done.stderr);
        }
    }
}

#[test]
fn a_table_of_labels_gives_the_figures_of_class_folders() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    save(&folder.join("model"), &["a", "b"], None);
    fs::create_dir(folder.join("flat")).unwrap();
    let mut table = String::from("file,class,set\n");
    for (place, (split, class)) in [("val", "a"), ("val", "b"), ("test", "b"), ("test", "a")]
        .iter()
        .enumerate()
    {
        for index in 0..2 {
            let seed = (10 * place + index) as u64;
            let image = image::RgbImage::from_raw(SIZE as u32, SIZE as u32, pixels(seed)).unwrap();
            let class_folder = folder.join("folders").join(split).join(class);
            fs::create_dir_all(&class_folder).unwrap();
            image
                .save(class_folder.join(format!("{index}.png")))
                .unwrap();
            image.save(folder.join(format!("flat/{seed}.png"))).unwrap();
            writeln!(table, "{seed}.png,{class},{split}").unwrap();
        }
    }
    fs::write(folder.join("labels.csv"), table).unwrap();
    for split in ["val", "test"] {
        let expected = report(
            folder,
            &format!("eval -m model -d folders --split {split} -f json"),
        );
        let line = format!("eval -m model -d flat --labels-csv labels.csv --split {split} -f json");
        let found = report(folder, &line);
        // The order of the images differs, so the sum of their losses does in its last bits.
        assert_eq!(found["confusion"], expected["confusion"]);
        let losses = [&found, &expected].map(|report| report["loss"].as_f64().unwrap());
        assert!((losses[0] - losses[1]).abs() < 1e-6, "{losses:?}");
        assert_eq!(found["split"], split);
    }
    // Without a column of splits, all are evaluated.
    let table = "1.png,a\n10.png,b\n11.png,b\n";
    fs::write(folder.join("all.csv"), table).unwrap();
    let line = "eval -m model -d flat --labels-csv all.csv -f json";
    let whole = report(folder, line);
    assert_eq!(
        (&whole["split"], &whole["images"]),
        (&"all".into(), &3.into())
    );
    assert!(
        run(folder, line)
            .stderr
            .contains("all of its images are evaluated")
    );
    let done = run(folder, "eval -m model -d flat");
    assert!(done.stderr.contains("--labels-csv FILE"), "{}", done.stderr);
    let done = run(folder, "eval -m model -d flat --split-column set");
    assert_eq!(done.status, 2, "{}", done.stderr);
}
