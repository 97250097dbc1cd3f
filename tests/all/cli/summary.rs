//! Tests of the styles of `resnet summary` against the output of torchsummary, torchinfo and PyTorch
//! (`fixtures/summary/make.py`).

use crate::support::command::Resnet;
use resnet::model::{self, Description, ModelConfig};
use resnet::report::{self, SummaryBatch};
use serde_json::json;

/// An expected text and the model it describes.
struct Golden<'a> {
    head: &'a str,
    text: &'a str,
}

/// Returns the texts of a fixture file; each is below its header line.
fn goldens(file: &str) -> impl Iterator<Item = Golden<'_>> {
    let (_, texts) = file
        .split_once("### ")
        .expect("a golden file has a head line");
    texts.split("### ").map(|part| {
        let (head, text) = part.split_once('\n').expect("a head line ends");
        Golden { head, text }
    })
}

impl Golden<'_> {
    fn value(&self, key: &str) -> Option<&str> {
        self.head
            .split(' ')
            .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    fn description(&self) -> Description {
        let name = self.head.split(' ').next().unwrap();
        let mut config = ModelConfig::named(name).unwrap();
        config.classes = self.value("classes").unwrap().parse().unwrap();
        let enumerated = |key| self.value(key).map(|value| json!(value));
        if let Some(stem) = enumerated("stem") {
            config.stem = serde_json::from_value(stem).unwrap();
        }
        if let Some(shortcut) = enumerated("shortcut") {
            config.shortcut = serde_json::from_value(shortcut).unwrap();
        }
        if let Some(placement) = enumerated("stride_placement") {
            config.stride_placement = serde_json::from_value(placement).unwrap();
        }
        if let Some(dilated) = self.value("dilated") {
            let later = dilated.split(',').map(|word| word.parse().unwrap());
            config.dilated = std::iter::once(false).chain(later).collect();
        }
        let sizes: Vec<usize> = self
            .value("input")
            .unwrap()
            .split('x')
            .map(|size| size.parse().unwrap())
            .collect();
        let batch = self
            .value("batch")
            .map_or(1, |batch| batch.parse().unwrap());
        model::describe(&config, [batch, sizes[0], sizes[1], sizes[2]]).unwrap()
    }

    fn assert_equals(&self, printed: &str) {
        for (number, (ours, theirs)) in printed.lines().zip(self.text.lines()).enumerate() {
            assert_eq!(ours, theirs, "line {} of {}", number + 1, self.head);
        }
        assert_eq!(printed, self.text, "{}", self.head);
    }
}

/// Checks the minimum number of texts of each depth, so that no test passes because its file is empty.
fn assert_covers_all_depths(file: &str) {
    for depth in [18, 34, 50, 101, 152] {
        let name = format!("resnet{depth} ");
        assert!(
            goldens(file)
                .filter(|golden| golden.head.starts_with(&name))
                .count()
                >= 2,
            "{name}"
        );
    }
}

#[test]
fn torchsummarys_table_is_printed_byte_for_byte() {
    let file = include_str!("../../fixtures/summary/torchsummary.txt");
    assert_covers_all_depths(file);
    for golden in goldens(file) {
        let batch = match golden.value("batch") {
            Some(_) => SummaryBatch::Given,
            None => SummaryBatch::Any,
        };
        golden.assert_equals(&report::torchsummary::render(&golden.description(), batch));
    }
}

#[test]
fn torchinfos_tree_is_printed_byte_for_byte() {
    let file = include_str!("../../fixtures/summary/torchinfo.txt");
    assert_covers_all_depths(file);
    for golden in goldens(file) {
        golden.assert_equals(&report::torchinfo::render(&golden.description()));
    }
}

#[test]
fn pytorchs_module_tree_is_printed_byte_for_byte() {
    let file = include_str!("../../fixtures/summary/tree.txt");
    assert_covers_all_depths(file);
    for golden in goldens(file) {
        golden.assert_equals(&report::tree::render(&golden.description()));
    }
}

#[test]
fn json_has_the_rows_and_the_totals_of_torchsummary() {
    for golden in goldens(include_str!("../../fixtures/summary/torchsummary.txt")) {
        let value = report::json::value(&golden.description(), None);
        // `  Conv2d-1   [-1, 64, 112, 112]   9,408`
        let rows = golden
            .text
            .lines()
            .filter(|line| line.contains(" [") && line.contains('-'));
        let layers = value["layers"].as_array().unwrap();
        assert_eq!(layers.len(), rows.clone().count(), "{}", golden.head);
        for (layer, row) in layers.iter().zip(rows) {
            let kind = row.trim_start().split('-').next().unwrap();
            assert_eq!(layer["type"], kind);
            let params = row.rsplit(' ').next().unwrap().replace(',', "");
            assert_eq!(
                layer["params"].to_string(),
                params,
                "{}: {row}",
                golden.head
            );
        }
        let total = golden
            .text
            .lines()
            .find_map(|line| line.strip_prefix("Total params: "))
            .unwrap();
        assert_eq!(value["total_params"].to_string(), total.replace(',', ""));
    }
}

#[test]
fn json_counts_the_known_multiplications_and_parameters() {
    let known = [
        (18, 11_689_512, 1_814_073_344_u64),
        (34, 21_797_672, 3_663_761_408),
        (50, 25_557_032, 4_089_184_256),
        (101, 44_549_160, 7_801_405_440),
        (152, 60_192_808, 11_513_626_624),
    ];
    for (depth, params, mult_adds) in known {
        let config = ModelConfig::from_depth(depth).unwrap();
        let one = report::json::value(&model::describe(&config, [1, 3, 224, 224]).unwrap(), None);
        assert_eq!(one["model"], format!("resnet{depth}"));
        assert_eq!(one["total_params"], params);
        assert_eq!(one["mult_adds"], mult_adds, "resnet{depth}");
        let four = report::json::value(&model::describe(&config, [4, 3, 224, 224]).unwrap(), None);
        assert_eq!(four["mult_adds"], 4 * mult_adds);
        assert_eq!(four["input"], json!([4, 3, 224, 224]));
    }
}

/// Returns the JSON that `resnet summary` prints.
fn summary(line: &str) -> serde_json::Value {
    let done = Resnet::line(&format!("summary {line} --style json")).run();
    assert_eq!(done.status, 0, "{line}: {}", done.stderr);
    serde_json::from_str(&done.stdout).unwrap()
}

#[test]
fn a_model_is_described_at_its_own_input_size() {
    let own = summary("sample");
    assert_eq!(own["input"], json!([1, 3, 28, 28]));
    assert_eq!(
        own["mult_adds"],
        summary("sample --input 3x28x28")["mult_adds"]
    );
    assert_eq!(
        summary("sample --input 3x32x32")["input"],
        json!([1, 3, 32, 32])
    );
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let run = run.to_str().unwrap();
    let line = format!(
        "train -q -d sample --depth 20 --width 4 --image-size 24x20 --max-steps 1 -o {run}"
    );
    let done = Resnet::line(&line).run();
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(summary(run)["input"], json!([1, 3, 24, 20]));
}

#[test]
fn channels_that_come_last_are_refused_with_the_right_order() {
    for (input, right) in [("32x32x3", "3x32x32"), ("224x180x1", "1x224x180")] {
        let done = Resnet::line(&format!("summary --input {input}")).run();
        assert_eq!((done.status, done.stdout.as_str()), (2, ""));
        let message = format!("channels come first: write {right}");
        assert!(done.stderr.contains(&message), "{}", done.stderr);
    }
    for input in ["3x32x3", "1x32x1", "2x1x1"] {
        let value = summary(&format!("--depth 20 --input {input}"));
        let input: Vec<usize> = input.split('x').map(|size| size.parse().unwrap()).collect();
        assert_eq!(value["input"], json!([1, input[0], input[1], input[2]]));
    }
}

#[test]
fn the_list_has_every_name_that_a_model_can_have() {
    let models = summary("--list");
    let models = models.as_array().unwrap();
    assert_eq!(models.len(), 65);
    let of = |name: &str| models.iter().find(|model| model["model"] == name).unwrap();
    let alone = summary("sample");
    for key in ["input", "total_params", "mult_adds"] {
        assert_eq!(of("sample")[key], alone[key], "{key}");
    }
    assert_eq!(of("sample")["weights"], serde_json::Value::Null);
    assert_eq!(of("resnet50")["mult_adds"], 4_089_184_256_u64);
    assert_eq!(of("resnet101")["weights"], "timm/resnet101.a1h_in1k");
    let text = Resnet::line("summary --list").run();
    assert_eq!((text.status, text.stderr.as_str()), (0, ""));
    assert_eq!(text.stdout.lines().count(), 66);
    assert!(
        text.stdout
            .contains("\nresnet50               25,557,032      4.1 G 3x224x224  .a1_in1k\n")
    );
    for flags in [
        "--list resnet50",
        "--list --depth 18",
        "--list --style tree",
    ] {
        let done = Resnet::line(&format!("summary {flags}")).run();
        assert_eq!((done.status, done.stdout.as_str()), (2, ""), "{flags}");
    }
}
