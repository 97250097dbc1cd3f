//! Tests of `resnet eval` and its metrics, against those of scikit-learn, PyTorch and `resnet predict`.

mod command_line;
mod compared;
mod compared_runs;
mod honest;
mod named_classes;
mod shared;

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::command::{Finished, Resnet};
use candle_core::{DType, Device, Tensor};
use resnet::data::dataset::{ImageStore, Split};
use resnet::data::{DecodeOptions, EvalTransform};
use resnet::distributed::Processes;
use resnet::error::one_line;
use resnet::eval::{EvalEvent, EvalOptions, Evaluation, Metrics, evaluate};
use resnet::infer::Workload;
use resnet::model::{ModelConfig, OutputFunction, Preprocess, ResNet, StemKind};
use resnet::nn::Parameters;
use resnet::pipeline::prepare;
use resnet::random::Random;
use resnet::weights::{ModelInfo, TrainingProvenance, write_safetensors};
use serde_json::Value;

/// Height and width of the model's images.
const SIZE: usize = 16;

fn config(classes: usize) -> ModelConfig {
    ModelConfig {
        classes,
        stem: StemKind::Cifar,
        ..ModelConfig::named("resnet18").unwrap().with_width(8)
    }
}

/// Returns a narrow seeded network whose batch norms have statistics of images.
fn network(classes: usize) -> (ResNet, Parameters) {
    let parameters = Parameters::default();
    let vb = parameters.seeded(5, DType::F32, &Device::Cpu);
    let network = ResNet::new(&config(classes), &vb).unwrap();
    let mut random = Random::new(1, "pictures");
    let values: Vec<f32> = (0..8 * 3 * SIZE * SIZE)
        .map(|_| random.normal() as f32)
        .collect();
    let x = Tensor::from_vec(values, (8, 3, SIZE, SIZE), &Device::Cpu).unwrap();
    for _ in 0..20 {
        network.forward_t(&x, true).unwrap();
    }
    (network, parameters)
}

fn preprocess() -> Preprocess {
    Preprocess {
        size: [SIZE, SIZE],
        crop_pct: 1.0,
        ..Preprocess::default()
    }
}

/// Saves the network with these class names as a model in `folder`.
fn save(folder: &Path, labels: &[&str], run: Option<TrainingProvenance>) {
    let (_, parameters) = network(labels.len());
    let info = ModelInfo {
        name: "test".into(),
        config: config(labels.len()),
        preprocess: preprocess(),
        labels: labels.iter().map(|&label| label.to_owned()).collect(),
        label_names: Vec::new(),
        function: OutputFunction::Softmax,
        provenance: run,
        notes: Vec::new(),
    };
    fs::create_dir_all(folder).unwrap();
    let tensors: Vec<_> = parameters
        .all()
        .into_iter()
        .map(|(name, variable)| (name, variable.as_detached_tensor()))
        .collect();
    fs::write(folder.join("config.json"), info.to_json().to_string()).unwrap();
    // The file's own metadata, which wins, need not know the run.
    let own = ModelInfo {
        provenance: None,
        ..info
    }
    .to_json()
    .to_string();
    let path = folder.join("model.safetensors");
    write_safetensors(&path, &[("resnet.config", own.as_str())], &tensors).unwrap();
}

/// Returns an image of noise around a color, so that the network predicts different classes.
fn pixels(seed: u64) -> Vec<u8> {
    let mut random = Random::at(7, "picture", &[seed]);
    let color = [(); 3].map(|()| random.below(200));
    let mut samples = Vec::with_capacity(SIZE * SIZE * 3);
    for _ in 0..SIZE * SIZE {
        samples.extend(color.map(|level| (level + random.below(56)) as u8));
    }
    samples
}

/// Creates class folders below `folder` with the given numbers of images, with seeds from `seed` on.
fn save_images(folder: &Path, classes: &[(&str, usize)], mut seed: u64) {
    for (class, count) in classes {
        let folder = folder.join(class);
        fs::create_dir_all(&folder).unwrap();
        for index in 0..*count {
            let size = SIZE as u32;
            let image = image::RgbImage::from_raw(size, size, pixels(seed)).unwrap();
            image.save(folder.join(format!("{index}.png"))).unwrap();
            seed += 1;
        }
    }
}

/// Runs `resnet` with the arguments of `line` in `folder`.
fn run(folder: &Path, line: &str) -> Finished {
    Resnet::line(line).folder(folder).run()
}

/// Returns the single line of JSON that `resnet` prints; the command must succeed.
fn report(folder: &Path, line: &str) -> Value {
    let done = run(folder, line);
    assert_eq!(done.status, 0, "{line}: {}", done.stderr);
    assert_eq!(done.stdout.lines().count(), 1);
    serde_json::from_str(&done.stdout).unwrap()
}

fn fixture() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/eval/figures.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().unwrap().iter();
    numbers.map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn figures_are_those_of_pytorch_and_scikit_learn() {
    let near = |a: f64, b: f64| (a - b).abs() < 1e-12 * b.abs().max(1.0);
    for case in fixture()["cases"].as_array().unwrap() {
        let rows = case["logits"].as_array().unwrap();
        let count = rows[0].as_array().unwrap().len();
        let mut metrics = Metrics::new(count);
        for (row, class) in rows.iter().zip(case["target"].as_array().unwrap()) {
            metrics
                .add(class.as_u64().unwrap() as usize, &numbers(row))
                .unwrap();
        }
        assert!(near(metrics.loss(), case["loss"].as_f64().unwrap()));
        assert!(near(metrics.top1(), case["top1"].as_f64().unwrap()));
        assert_eq!(metrics.top5().is_some(), count >= 5);
        if let Some(top5) = metrics.top5() {
            assert!(near(top5, case["top5"].as_f64().unwrap()));
        }
        assert_eq!(
            serde_json::to_value(metrics.confusion()).unwrap(),
            case["confusion"]
        );
        let labels = vec![String::new(); count];
        let classes = serde_json::to_value(metrics.classes(&labels)).unwrap();
        for name in ["precision", "recall", "f1", "images"] {
            let ours = classes.as_array().unwrap().iter();
            let ours = ours.map(|class| class[name].as_f64().unwrap());
            for (ours, theirs) in ours.zip(numbers(&case[name])) {
                assert!(near(ours, theirs), "{name}: {ours} {theirs}");
            }
        }
    }
}

fn options(batch: usize, workers: usize) -> EvalOptions {
    EvalOptions {
        batch,
        workers,
        decoding: DecodeOptions::default(),
        strict: false,
        processes: Processes::alone(),
    }
}

/// Returns seven images in memory with known classes.
fn memory() -> Split {
    let samples: Vec<u8> = (0..7).flat_map(pixels).collect();
    let images = ImageStore::Memory {
        name: "seeded".into(),
        size: [SIZE, SIZE],
        channels: 3,
        samples,
    };
    Split::new(images, vec![0, 1, 2, 0, 1, 2, 0])
}

fn labels() -> Vec<String> {
    ["a", "b", "c"].map(str::to_owned).to_vec()
}

fn evaluated(split: &Split, options: &EvalOptions) -> Evaluation {
    let (mut engine, transform) = prepare(network(3).0, &preprocess(), Workload::many(4)).unwrap();
    evaluate(
        &mut engine,
        split,
        &transform,
        &labels(),
        options,
        &mut |_| Ok(()),
    )
    .unwrap()
}

#[test]
fn workers_do_not_change_a_bit_and_batches_hardly_one() {
    let split = memory();
    let one = evaluated(&split, &options(2, 1));
    assert_eq!((one.images, one.skipped, one.top5), (7, 0, None));
    for workers in [2, 5] {
        let many = evaluated(&split, &options(2, workers));
        assert_eq!(many.loss.to_bits(), one.loss.to_bits());
        assert_eq!(many.confusion, one.confusion);
    }
    for batch in [1, 7, 100] {
        let other = evaluated(&split, &options(batch, 1));
        assert!((other.loss - one.loss).abs() < 1e-5, "{batch}");
        assert_eq!(other.confusion, one.confusion);
    }
}

#[test]
fn every_image_is_reported_in_order_and_an_error_of_the_callback_ends_the_evaluation() {
    let split = memory();
    let transform = EvalTransform::new(&preprocess()).unwrap();
    let (mut engine, _) = prepare(network(3).0, &preprocess(), Workload::many(4)).unwrap();
    let (mut told, mut done) = (Vec::new(), Vec::new());
    let mut run = |stop: bool, told: &mut Vec<usize>| {
        evaluate(
            &mut engine,
            &split,
            &transform,
            &labels(),
            &options(3, 2),
            &mut |event| {
                match event {
                    EvalEvent::Image {
                        index,
                        class,
                        logits,
                        ..
                    } => {
                        assert_eq!((class, logits.len()), (index % 3, 3));
                        told.push(index);
                    }
                    EvalEvent::Progress { done: now, total } => {
                        done.push((now, total));
                        anyhow::ensure!(!stop, "interrupted");
                    }
                    EvalEvent::Unreadable { error, .. } => panic!("{error}"),
                }
                Ok(())
            },
        )
    };
    run(false, &mut told).unwrap();
    assert!(told.iter().copied().eq(0..7));
    told.clear();
    let error = run(true, &mut told).unwrap_err();
    assert_eq!(error.to_string(), "interrupted");
    assert_eq!(told, [0, 1, 2]);
    assert_eq!(done, [(3, 7), (6, 7), (7, 7), (3, 7)]);
}

#[test]
fn noise_is_evaluated_as_it_is_and_noise_of_another_size_is_refused() {
    let length = 3 * SIZE * SIZE;
    let noise = |length: usize| {
        let mut random = Random::new(2, "noise");
        let values = (0..4 * length).map(|_| random.normal() as f32).collect();
        Split::new(ImageStore::Inputs { length, values }, vec![0, 1, 2, 0])
    };
    assert_eq!(evaluated(&noise(length), &options(4, 2)).images, 4);
    let (mut engine, transform) = prepare(network(3).0, &preprocess(), Workload::many(4)).unwrap();
    let error = evaluate(
        &mut engine,
        &noise(length / 3),
        &transform,
        &labels(),
        &options(4, 2),
        &mut |_| Ok(()),
    )
    .unwrap_err();
    assert_eq!(
        one_line(&error),
        "fake 0 has 256 numbers, and the model reads 768"
    );
}

#[test]
fn a_split_without_images_and_a_wrong_number_of_labels_are_errors() {
    let (mut engine, transform) = prepare(network(3).0, &preprocess(), Workload::many(4)).unwrap();
    let mut refused = |split: &Split, labels: &[String]| {
        let each = &mut |_: EvalEvent| Ok(());
        let result = evaluate(&mut engine, split, &transform, labels, &options(4, 1), each);
        one_line(&result.unwrap_err())
    };
    let split = memory();
    assert_eq!(
        refused(&split.select(&[]), &labels()),
        "there are no images to evaluate"
    );
    assert_eq!(
        refused(&split, &labels()[..2]),
        "the model has 3 classes, but 2 have names"
    );
    assert_eq!(
        refused(&split, &[]),
        "the model has 3 classes, but 0 have names"
    );
    let files = ImageStore::Files(vec![PathBuf::from("no/such.png")]);
    assert_eq!(
        refused(&Split::new(files, vec![0]), &labels()),
        "no image can be read (1 tried)"
    );
}
