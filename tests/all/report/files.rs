//! Tests of the files of a report: complete, escaped, and about the run.

use super::{HOSTILE, SMALL, ran, save_images, trained};
use crate::support::command::Resnet;
use resnet::data::DecodeOptions;
use resnet::data::dataset::{ImageStore, Split};
use resnet::eval::{Evaluation, Metrics, Record};
use resnet::report::evaluation_report::EvaluationReport;
use std::fs;
use std::path::Path;

const PLOTS: [&str; 5] = [
    "confusion",
    "classes",
    "reliability",
    "pictures",
    "mistakes",
];

/// Checks that both formats of a plot are images.
#[track_caller]
fn assert_drawn(folder: &Path, name: &str) {
    let svg = fs::read_to_string(folder.join(format!("{name}.svg"))).unwrap();
    // What reads it knows XML well.
    resvg::usvg::Tree::from_str(&svg, &resvg::usvg::Options::default()).unwrap();
    let png = image::open(folder.join(format!("{name}.png")))
        .unwrap()
        .to_rgb8();
    // A drawing has paper and ink.
    let (paper, ink) = (image::Rgb([255, 255, 255]), image::Rgb([0x1F, 0x23, 0x28]));
    let near = |pixel: &image::Rgb<u8>| (0..3).all(|i| pixel[i].abs_diff(ink[i]) < 40);
    assert!(png.pixels().any(|pixel| *pixel == paper), "{name}");
    assert!(png.pixels().any(near), "{name} has no ink");
}

#[test]
fn a_run_leaves_a_report_and_its_plots() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder, &["a", "b", "c"], 2);
    let plots = folder.join("run/plots");
    for name in PLOTS.iter().chain(&["curves"]) {
        assert_drawn(&plots, name);
    }
    let page = fs::read_to_string(folder.join("run/report.html")).unwrap();
    for text in [
        "resnet20_custom trained from scratch on data",
        "12 training images in 3 classes",
        "resnet train -d data",
        "epochs = 2",
        "instruction set",
        "<dt>Best epoch</dt>",
        "top-1 accuracy</b> on 6 validation images of data",
        "the same images selected the best epoch",
        "<b>Duplicates</b> 6 validation images are in the training set, too",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains(">NaN") && !page.contains(":NaN"));
    // Nothing is asked of the network.
    for text in ["http://", "https://", "src=\"//"] {
        let page = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains(text), "{text}");
    }
}

#[test]
fn a_report_has_the_figures_that_eval_prints() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder, &["a", "b", "c"], 1);
    let words = "eval -m run -d data -f json --output out";
    let done = Resnet::line(words).folder(folder).run();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let evaluation: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    for page in ["out/report.html", "run/report.html"] {
        let page = fs::read_to_string(folder.join(page)).unwrap();
        let (top1, loss) = (&evaluation["top1"], &evaluation["loss"]);
        let top1 = format!("{:.2}<small> %</small>", top1.as_f64().unwrap());
        let loss = format!("<dd>{:.4}</dd>", loss.as_f64().unwrap());
        assert!(
            page.contains(&top1) && page.contains(&loss),
            "{top1} {loss}"
        );
    }
    for name in PLOTS {
        assert_drawn(&folder.join("out/plots"), name);
    }
    // The numbers of the confusion matrix stand in its cells.
    let svg = fs::read_to_string(folder.join("out/plots/confusion.svg")).unwrap();
    let rows = evaluation["confusion"].as_array().unwrap();
    let counts = rows.iter().flat_map(|row| row.as_array().unwrap());
    let shown = counts.filter(|count| count.as_u64() != Some(0)).count();
    let drawn = svg
        .lines()
        .filter(|line| line.parse::<u64>().is_ok())
        .count();
    assert_eq!(drawn, shown, "{rows:?}");
}

#[test]
fn names_stay_where_they_belong() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder, &HOSTILE, 1);
    let page = fs::read_to_string(folder.join("run/report.html")).unwrap();
    for name in HOSTILE
        .iter()
        .chain(&["<'&\"", "<img src=x", "<script>alert"])
    {
        assert!(!page.contains(name), "{name}");
    }
    assert!(page.contains("고양이 &quot;q&quot; &amp; &#39;a&#39;"));
    for name in PLOTS {
        assert_drawn(&folder.join("run/plots"), name);
    }
}

#[test]
fn a_run_that_is_stopped_before_an_epoch_has_a_report_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    save_images(&folder.join("data/train"), &["a", "b"], 4);
    save_images(&folder.join("data/val"), &["a", "b"], 2);
    // Nobody reads its lines, so that it stops after the first step.
    let line = format!("train -d data {SMALL} -b 2 --epochs 3 -o run --format json");
    let mut running = Resnet::line(&line).folder(folder).start();
    drop(running.child.stdout.take());
    let status = running.child.wait().unwrap();
    assert_eq!(status.code(), Some(1));
    let page = fs::read_to_string(folder.join("run/report.html")).unwrap();
    assert!(page.contains("No epoch is finished yet"));
    ran(folder, &["train", "--resume", "run"]);
    let page = fs::read_to_string(folder.join("run/report.html")).unwrap();
    assert!(!page.contains("No epoch is finished yet"));
    assert!(page.contains("<h2>Confusion</h2>"));
}

#[test]
fn a_report_that_cannot_be_written_costs_nothing_of_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder, &["a", "b"], 1);
    let run = folder.join("run");
    fs::remove_dir_all(run.join("plots")).unwrap();
    fs::write(run.join("plots"), b"in the way").unwrap();
    let stderr = ran(folder, &["train", "--resume", "run", "--epochs", "2"]);
    assert!(stderr.contains("the report cannot be written"), "{stderr}");
    let metrics = fs::read_to_string(run.join("metrics.csv")).unwrap();
    assert_eq!(metrics.lines().count(), 3);
    // The page does not need the plots beside it.
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("epochs = 2"));
    // Nor does the run's end need the best model.
    let best = run.join("best/model.safetensors");
    fs::write(&best, b"damaged").unwrap();
    let stderr = ran(folder, &["train", "--resume", "run"]);
    // A best epoch that is the last one is written again; the report does without an earlier one.
    let is_restored = fs::read(&best).unwrap() != b"damaged";
    assert_ne!(
        is_restored,
        stderr.contains("the report has no images"),
        "{stderr}"
    );
    fs::remove_dir_all(run.join("best")).unwrap();
    ran(folder, &["train", "--resume", "run"]);
}

#[test]
fn a_stopped_extension_leaves_the_page_of_the_finished_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder, &["a", "b"], 1);
    let page = || fs::read_to_string(folder.join("run/report.html")).unwrap();
    let before = page();
    let line = "train --resume run --epochs 9 --format json";
    let mut running = Resnet::line(line).folder(folder).start();
    drop(running.child.stdout.take());
    assert_eq!(running.child.wait().unwrap().code(), Some(1));
    assert!(page() == before);
}

#[test]
fn every_button_of_many_classes_opens_images() {
    for classes in [20, 40] {
        let size = 4;
        let count = 12 * classes;
        let images = ImageStore::Memory {
            name: "test".to_owned(),
            size: [size, size],
            channels: 1,
            samples: vec![7; count * size * size],
        };
        let class = |index: usize| index % classes;
        let split = Split::new(images, (0..count).map(|i| class(i) as u32).collect());
        let mut metrics = Metrics::new(classes);
        // A model that is correct on a third of the images, and wrong in all ways on the others.
        let records = (0..count).map(|index| {
            let mut logits = vec![0.0; classes];
            logits[(class(index) + index / classes % 9 * usize::from(index % 3 > 0)) % classes] =
                1.0;
            let result = metrics.add(class(index), &logits).unwrap();
            Record::new(index, class(index), &result)
        });
        let records: Vec<Record> = records.collect();
        let labels: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
        let evaluation = Evaluation {
            images: count,
            skipped: 0,
            loss: metrics.loss(),
            top1: metrics.top1(),
            top5: metrics.top5(),
            seconds: 1.0,
            images_per_second: 1.0,
            classes: metrics.classes(&labels),
            confusion: metrics.confusion().to_vec(),
            records,
        };
        let decoding = DecodeOptions::default();
        let evaluation_report = EvaluationReport::new(evaluation, labels, &split, &decoding);
        assert!(
            evaluation_report.cells.len() > 100,
            "{}",
            evaluation_report.cells.len()
        );
        for cell in &evaluation_report.cells {
            assert!(!cell.thumbnails.is_empty(), "{classes} classes: {cell:?}");
            for &place in &cell.thumbnails {
                let thumbnail = &evaluation_report.thumbnails[place];
                assert_eq!(
                    (thumbnail.class, thumbnail.predicted),
                    (cell.class, cell.predicted)
                );
            }
        }
    }
}
