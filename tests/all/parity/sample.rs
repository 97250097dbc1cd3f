//! Tests of the bundled model as a user meets it: no network, no file.

use crate::support::command::{Resnet, root};
use serde_json::Value;

fn json(line: &str) -> Value {
    let done = Resnet::line(line).run();
    assert_eq!(done.status, 0, "{line}: {}", done.stderr);
    serde_json::from_str(&done.stdout).unwrap()
}

#[test]
fn the_model_inside_the_binary_knows_a_boot() {
    let value = json("predict assets/images/boot.png -m sample -k 3 -f json");
    let best = &value["predictions"][0];
    assert_eq!(best["label"], "Ankle boot");
    assert!(best["probability"].as_f64().unwrap() > 0.8, "{best}");
}

#[test]
fn it_classifies_images_that_neither_trained_nor_selected_it() {
    let value = json("eval -m sample -d sample -f json");
    assert_eq!(value["images"], 1000);
    assert!(value["top1"].as_f64().unwrap() > 92.0, "{}", value["top1"]);
    assert!(
        value.get("chose_best").is_none() && value.get("learnt").is_none(),
        "{value}"
    );
}

/// The last line of the log belongs to the weights that are shipped.
#[test]
fn its_log_ends_with_the_accuracy_that_is_promised() {
    let log = std::fs::read_to_string(root().join("models/sample/metrics.csv")).unwrap();
    let mut lines = log.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let names = lines.next().unwrap();
    let place = names.iter().position(|name| *name == "val_top1").unwrap();
    let last = lines.next_back().unwrap();
    assert_eq!(last[0], "40");
    assert!(last[place].parse::<f64>().unwrap() >= 93.5, "{last:?}");
}

#[test]
fn it_is_the_model_of_its_recipe_and_a_start_for_others() {
    let value = json("summary sample --style json");
    assert_eq!(value["total_params"], 269_722);
    let line = "train -d sample -m sample --freeze backbone --max-steps 2 --dry-run";
    let done = Resnet::line(line).run();
    assert_eq!(done.status, 0, "{}", done.stderr);
}
