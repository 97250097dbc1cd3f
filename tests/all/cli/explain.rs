//! Tests of explanations: Grad-CAM against PyTorch's (`fixtures/explain/make.py`), and `resnet predict --explain` as a
//! user runs it.

use crate::parity::networks::cases;
use crate::support::command::{Finished, Resnet, root};
use crate::support::fixture::{Fixture, devices, largest_difference};
use candle_core::{DType, Device, Tensor};
use image::RgbImage;
use resnet::Model;
use resnet::infer::{CamTarget, Engine, ForwardOptions, ModelOutput, Workload};
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

const CAT: &str = "assets/images/cat.png";
const ROCKET: &str = "assets/images/rocket.jpg";
/// A narrow model with random weights and three classes without names.
const MODEL: &str = "tests/fixtures/weights/bottleneck.safetensors";

fn fixture() -> HashMap<String, Tensor> {
    Fixture::read_tensors(&root().join("tests/fixtures/explain/explain.safetensors"))
}

/// Compares class activation maps and features of every network, computed in one pass in `dtype` on `device`.
fn equals_pytorch(dtype: DType, device: &Device, work: Workload, limit: f64) {
    let expected = fixture();
    for case in cases() {
        let name = &case.fixture.name;
        let input = case.input(DType::F32, &Device::Cpu);
        let (images, _, height, width) = input.dims4().unwrap();
        let engine = Engine::new(case.network(dtype, device).0, [height, width], work).unwrap();
        let input: Vec<f32> = input.flatten_all().unwrap().to_vec1().unwrap();
        let top = expected[&format!("{name}.top")].to_vec1::<i64>().unwrap();
        for (of, map, classes) in [
            (CamTarget::Top, "top_map", top),
            (CamTarget::Class(2), "named_map", vec![2; images]),
        ] {
            let options = ForwardOptions {
                features: true,
                cam: Some(of),
            };
            let output = engine.forward(input.clone(), images, options).unwrap();
            let ModelOutput {
                logits,
                features,
                cams,
            } = output;
            assert_eq!(engine.logits(input.clone(), images).unwrap(), logits);
            let found: Vec<i64> = cams.iter().map(|cam| cam.class as i64).collect();
            assert_eq!(found, classes, "{name}");
            let expected = |what: &str| &expected[&format!("{name}.{what}")];
            let (_, height, width) = expected(map).dims3().unwrap();
            assert!(cams.iter().all(|cam| cam.size == [height, width]), "{name}");
            let cams = cams.into_iter().flat_map(|cam| cam.values).collect();
            for (what, found) in [(map, cams), ("features", features)] {
                let expected = expected(what);
                let found: Vec<f64> = found;
                let found = Tensor::from_vec(found, expected.shape(), &Device::Cpu).unwrap();
                let difference = largest_difference(&found, expected);
                // Written so that NaN fails.
                assert!(
                    difference <= limit,
                    "{name}: {what} differs by {difference:e}"
                );
            }
        }
    }
}

#[test]
fn maps_and_features_are_pytorchs_by_the_compiled_pass() {
    equals_pytorch(DType::F32, &Device::Cpu, Workload::many(3), 1e-4);
    let few = Workload {
        batch: 1,
        images: 1,
    };
    equals_pytorch(DType::F32, &Device::Cpu, few, 1e-4);
}

#[test]
fn maps_and_features_are_pytorchs_in_f64() {
    for device in devices() {
        equals_pytorch(DType::F64, &device, Workload::many(3), 1e-9);
    }
}

#[cfg(feature = "cuda")]
#[test]
fn maps_and_features_are_pytorchs_on_a_gpu() {
    let device = Device::new_cuda(0).unwrap();
    equals_pytorch(DType::F32, &device, Workload::many(3), 1e-4);
}

#[test]
fn a_class_that_the_model_lacks_is_an_error() {
    let model = Model::builder(MODEL).load().unwrap();
    let image = RgbImage::new(300, 200);
    let error = model.explain(&image, CamTarget::Class(3)).unwrap_err();
    assert!(error.to_string().contains("no class 3 among 3"), "{error}");
    let explanation = model.explain(&image, CamTarget::Class(2)).unwrap();
    assert_eq!(explanation.cam.class, 2);
    assert_eq!(explanation.overlay(&image).dimensions(), (300, 200));
}

fn run(line: &str) -> Finished {
    Resnet::line(line).env("RUST_BACKTRACE", "0").run()
}

/// Returns the printed lines of JSON.
fn lines(done: &Finished) -> Vec<Value> {
    let lines = done.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn open(path: &Path) -> RgbImage {
    image::open(path).unwrap().into_rgb8()
}

#[test]
fn explanations_are_as_large_as_the_images_and_change_no_prediction() {
    let folder = tempfile::tempdir().unwrap();
    let explanations = folder.path().join("deep/er");
    let shown = explanations.display();
    let plain = run(&format!("predict {CAT} {ROCKET} -m {MODEL} -f json"));
    for threads in [1, 3] {
        let done = run(&format!(
            "predict {CAT} {ROCKET} -m {MODEL} -f json --explain {shown} --explain-class 1 --threads {threads}"
        ));
        assert_eq!(
            (done.status, done.stderr.lines().next().unwrap()),
            (
                0,
                format!("note: explanations of 2 images saved to {shown}").as_str()
            )
        );
        for (plain, line) in lines(&plain).iter().zip(lines(&done)) {
            assert_eq!(plain["predictions"], line["predictions"]);
            let stem = Path::new(plain["image"].as_str().unwrap())
                .file_stem()
                .unwrap();
            let file = explanations.join(stem).with_extension("png");
            let expected = serde_json::json!({ "class": 1, "label": null, "file": file });
            assert_eq!(line["explanation"], expected);
        }
        assert_eq!(open(&explanations.join("cat.png")).dimensions(), (451, 300));
        assert_eq!(
            open(&explanations.join("rocket.png")).dimensions(),
            (640, 427)
        );
        assert_eq!(fs::read_dir(&explanations).unwrap().count(), 2);
    }
    let model = Model::builder(MODEL).load().unwrap();
    let image = open(Path::new(CAT));
    let overlay = model
        .explain(&image, CamTarget::Class(1))
        .unwrap()
        .overlay(&image);
    assert!(overlay == open(&explanations.join("cat.png")));
    // Of an image half as wide again as high, the sides are cut off.
    let dimmed = overlay.get_pixel(0, 150).0;
    assert_eq!(
        dimmed,
        image
            .get_pixel(0, 150)
            .0
            .map(|sample| (f64::from(sample) * 0.35).round() as u8)
    );
}

#[test]
fn the_top_class_is_explained_and_text_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let shown = folder.path().display();
    let boot = "predict assets/images/boot.png -m sample";
    let done = run(&format!("{boot} -k 1 --explain {shown}"));
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(done.stdout, run(&format!("{boot} -k 1")).stdout);
    assert_eq!(
        done.stderr,
        format!("note: explanations of 1 image saved to {shown}\n")
    );
    let top = fs::read(folder.path().join("boot.png")).unwrap();
    // By its name it is the same class, and another class has another explanation.
    for (class, same) in [("ankle boot", true), ("9", true), ("Sneaker", false)] {
        let mut arguments: Vec<&str> = boot.split_whitespace().collect();
        let path = folder.path().to_str().unwrap();
        arguments.extend(["--explain", path, "--explain-class", class, "-f", "json"]);
        let done = Resnet::new(arguments).run();
        assert_eq!(done.status, 0, "{}", done.stderr);
        let explanation = &lines(&done)[0]["explanation"];
        assert_eq!(explanation["label"] == "Ankle boot", same, "{explanation}");
        assert_eq!(
            fs::read(folder.path().join("boot.png")).unwrap() == top,
            same,
            "{class}"
        );
    }
    let wide = run(&format!("{boot} --explain {shown} --dtype f64"));
    assert_eq!(wide.status, 0, "{}", wide.stderr);
    let [top, wide] = [top, fs::read(folder.path().join("boot.png")).unwrap()]
        .map(|bytes| image::load_from_memory(&bytes).unwrap().into_rgb8());
    for (a, b) in top.iter().zip(wide.iter()) {
        assert!(a.abs_diff(*b) <= 2);
    }
}

#[test]
fn an_unreadable_image_has_no_explanation_and_equal_names_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    for name in ["a", "b"] {
        fs::create_dir(place(name)).unwrap();
        fs::copy(CAT, place(name).join("x.png")).unwrap();
    }
    fs::write(place("bad.png"), "not an image").unwrap();
    let (a, bad, b) = (place("a/x.png"), place("bad.png"), place("b/x.png"));
    let explanations = place("explanations");
    let arguments = ["predict", "-m", MODEL, "-f", "json", "-", "--explain"];
    let mut arguments = arguments.map(Path::new).to_vec();
    arguments.push(&explanations);
    let stdin = format!("{}\n{}\n{}\n", a.display(), bad.display(), b.display());
    let done = Resnet::new(&arguments).stdin(stdin.as_bytes()).run();
    assert_eq!(done.status, 1);
    let lines = lines(&done);
    assert!(lines[1]["error"].is_string() && lines[1].get("explanation").is_none());
    assert_eq!(
        lines[0]["explanation"]["file"],
        explanations.join("x.png").to_str().unwrap()
    );
    assert_eq!(
        lines[2]["explanation"]["file"],
        explanations.join("x-2.png").to_str().unwrap()
    );
    assert!(open(&explanations.join("x.png")) == open(&explanations.join("x-2.png")));
    assert!(
        done.stderr.contains("explanations of 2 images saved to"),
        "{}",
        done.stderr
    );
    assert_eq!(fs::read_dir(&explanations).unwrap().count(), 2);
}

#[test]
fn an_image_is_never_replaced_by_its_explanation() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("cat.png");
    fs::copy(CAT, &image).unwrap();
    let arguments = ["predict", "cat.png", "-m", "sample", "--explain", "."];
    let done = Resnet::new(arguments).folder(folder.path()).run();
    assert_eq!(
        (done.status, done.stderr.as_str()),
        (
            2,
            "error: cannot write into folder `.`: an explanation would overwrite image `cat.png`\nhint: pass another folder\n"
        )
    );
    assert_eq!(fs::read(&image).unwrap(), fs::read(CAT).unwrap());
}

#[test]
fn an_explanation_takes_the_place_of_explanations_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    fs::copy(ROCKET, file("a.jpg")).unwrap();
    fs::copy(CAT, file("a.png")).unwrap();
    let run = || {
        let arguments = ["predict", "a.jpg", "-m", MODEL, "-q", "--explain", "."];
        let model = root().join(MODEL);
        let arguments = arguments.map(|word| match word {
            MODEL => model.as_os_str(),
            word => word.as_ref(),
        });
        Resnet::new(arguments).folder(folder.path()).run()
    };
    let message = "error: cannot write into folder `.`: an explanation would overwrite `a.png`, which is another kind of file\nhint: pass another folder\n";
    let done = run();
    assert_eq!((done.status, done.stderr.as_str()), (2, message));
    assert_eq!(fs::read(file("a.png")).unwrap(), fs::read(CAT).unwrap());
    fs::remove_file(file("a.png")).unwrap();
    for _ in 0..2 {
        let done = run();
        assert_eq!((done.status, done.stderr.as_str()), (0, ""));
        assert_eq!(open(&file("a.png")).dimensions(), (640, 427));
    }
    // A file that is cut off, and an explanation that another program wrote anew.
    let explanation = open(&file("a.png"));
    fs::write(file("a.png"), &fs::read(CAT).unwrap()[..40]).unwrap();
    assert_eq!(run().stderr, message);
    explanation.save(file("a.png")).unwrap();
    assert_eq!(run().stderr, message);
}

/// Gray images, images of one pixel, very thin ones, other crops, rotated ones.
#[test]
fn images_of_any_shape_are_explained_at_their_own_size() {
    let folder = tempfile::tempdir().unwrap();
    for (index, (width, height)) in [(1, 1), (1, 5000), (700, 2), (30, 31)]
        .into_iter()
        .enumerate()
    {
        let image = RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 90]));
        image
            .save(folder.path().join(format!("{index}.png")))
            .unwrap();
    }
    let turned = "crates/pillow-image/tests/fixtures/pillow/jpeg/turn6.jpg";
    fs::copy(turned, folder.path().join("4.jpg")).unwrap();
    let upright = resnet::data::decode(Path::new(turned), &resnet::data::DecodeOptions::default());
    let upright = upright.unwrap().dimensions();
    for flags in [
        "--crop-mode squash",
        "--crop-mode border",
        "--crop-mode center --dtype f64",
        "--crop-pct 0.5 --image-size 64x96",
    ] {
        for model in [MODEL, "tests/fixtures/weights/grey.safetensors", "sample"] {
            let explanations = folder.path().join("explanations");
            let shown = folder.path().display();
            let done = run(&format!(
                "predict {shown} -m {model} {flags} -q --explain {}",
                explanations.display()
            ));
            assert_eq!(
                (done.status, done.stderr.as_str()),
                (0, ""),
                "{flags} {model}"
            );
            let size = |index: usize| open(&explanations.join(format!("{index}.png"))).dimensions();
            assert_eq!(
                [size(0), size(1), size(2), size(3), size(4)],
                [(1, 1), (1, 5000), (700, 2), (30, 31), upright]
            );
            fs::remove_dir_all(&explanations).unwrap();
        }
    }
}

#[test]
fn an_image_in_which_nothing_speaks_for_the_class_keeps_its_colors_and_a_note_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("against.safetensors");
    let mut tensors = candle_core::safetensors::load(MODEL, &Device::Cpu).unwrap();
    // Features are never negative, so these speak against every class.
    let weight = tensors["fc.weight"].abs().unwrap().neg().unwrap();
    tensors.insert("fc.weight".to_owned(), weight);
    candle_core::safetensors::save(&tensors, &model).unwrap();
    let shown = folder.path().display();
    let done = run(&format!(
        "predict {CAT} -m {} --crop-mode border --crop-pct 1 --explain {shown}",
        model.display()
    ));
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(
        done.stderr.ends_with(
            "note: in 1 of them nothing speaks for the class, so that no region is colored\n"
        ),
        "{}",
        done.stderr
    );
    assert!(open(&folder.path().join("cat.png")) == open(Path::new(CAT)));
}
