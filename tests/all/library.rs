//! The library's [`Model`]: every kind of image, batches, threads, errors.

use crate::support::command::root;
use image::{DynamicImage, RgbImage};
use resnet::error::one_line;
use resnet::{CamTarget, Error, ImageInput, Model};
use std::path::PathBuf;
use std::sync::{Arc, Barrier};

fn sample() -> Model {
    Model::builder("sample").offline(true).load().unwrap()
}

/// Returns images of several sizes and formats.
fn images() -> Vec<PathBuf> {
    ["boot.png", "cat.png", "rocket.jpg"]
        .map(|name| root().join("assets/images").join(name))
        .into()
}

/// Returns the bits of logits.
fn bits(logits: &[f64]) -> Vec<u64> {
    logits.iter().map(|logit| logit.to_bits()).collect()
}

#[test]
fn eight_threads_that_classify_at_once_give_the_bits_of_one() {
    fn is_shareable<T: Clone + Send + Sync>(_: &T) {}
    let model = sample();
    is_shareable(&model);
    let images = images();
    let alone: Vec<_> = images
        .iter()
        .map(|image| model.logits(image).unwrap())
        .collect();
    let (threads, start) = (8, Barrier::new(8));
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (model, images, alone, start) = (model.clone(), &images, &alone, &start);
            scope.spawn(move || {
                start.wait();
                for round in 0..6 {
                    let index = (thread + round) % images.len();
                    let logits = model.logits(&images[index]).unwrap();
                    assert_eq!(bits(&logits), bits(&alone[index]), "{thread} {round}");
                }
            });
        }
    });
}

#[test]
fn an_image_has_one_result_by_path_bytes_and_pixels_alone_and_in_a_batch() {
    let model = sample();
    for path in images() {
        let expected = model.classify(&path, 3).unwrap();
        assert_eq!(expected.len(), 3);
        let bytes = std::fs::read(&path).unwrap();
        let rgb = model.decode(&bytes).unwrap();
        let dynamic = DynamicImage::ImageRgb8(rgb.clone());
        let wide = DynamicImage::ImageRgb16(dynamic.to_rgb16());
        let inputs: [ImageInput; 5] = [
            (&path).into(),
            (&bytes).into(),
            (&rgb).into(),
            (&dynamic).into(),
            (&wide).into(),
        ];
        for input in &inputs {
            assert_eq!(model.classify(*input, 3).unwrap(), expected, "{input:?}");
        }
        for top in model.classify_batch(&inputs, 3) {
            assert_eq!(top.unwrap(), expected);
        }
    }
}

#[test]
fn an_unreadable_image_of_a_batch_fails_alone() {
    for batch_size in [1, 2, 16] {
        let model = Model::builder("sample")
            .batch_size(batch_size)
            .load()
            .unwrap();
        let mut paths = images();
        let expected: Vec<_> = paths
            .iter()
            .map(|path| model.classify(path, 1).unwrap())
            .collect();
        paths.insert(1, root().join("Cargo.toml"));
        let mut tops = model.classify_batch(&paths, 1);
        let error = tops.remove(1).unwrap_err();
        assert!(matches!(error, Error::Image(_)), "{error:?}");
        assert!(error.to_string().contains("Cargo.toml"), "{error}");
        assert!(error.hint().is_some());
        assert_eq!(
            one_line(&anyhow::Error::new(error.clone())),
            error.to_string()
        );
        let tops: Vec<_> = tops.into_iter().map(Result::unwrap).collect();
        assert_eq!(tops, expected);
        assert!(matches!(model.embed_batch(&paths), Err(Error::Image(_))));
        assert!(model.classify_batch(&[] as &[PathBuf], 1).is_empty());
    }
}

#[test]
fn features_are_the_same_alone_and_in_a_batch() {
    let model = sample();
    let images = images();
    let together = model.embed_batch(&images).unwrap();
    for (image, features) in images.iter().zip(&together) {
        assert_eq!(&model.embed(image).unwrap(), features);
        assert_eq!(features.len(), model.config().features());
    }
    assert_ne!(together[0], together[1]);
}

#[test]
fn a_model_computes_on_the_callers_threads_with_the_same_bits() {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build()
        .unwrap();
    let own = Model::builder("sample")
        .thread_pool(Arc::new(pool))
        .load()
        .unwrap();
    let image = &images()[0];
    assert_eq!(
        bits(&own.logits(image).unwrap()),
        bits(&sample().logits(image).unwrap())
    );
}

#[test]
fn an_explanation_shows_the_top_class_and_a_class_that_is_absent_is_an_error() {
    let model = sample();
    let image = &images()[0];
    let top = model.classify(image, 1).unwrap()[0].class;
    let explanation = model.explain(image, CamTarget::Top).unwrap();
    assert_eq!(explanation.cam.class, top);
    let pixels = model.decode(image).unwrap();
    let overlay: RgbImage = explanation.overlay(&pixels);
    assert!(overlay != pixels && overlay.dimensions() == pixels.dimensions());
    let error = model.explain(image, CamTarget::Class(10)).unwrap_err();
    assert!(matches!(error, Error::InvalidConfiguration(_)), "{error:?}");
    assert_eq!(error.to_string(), "there is no class 10 among 10");
}

#[test]
fn labels_of_another_number_are_an_error() {
    let labels = vec!["a".to_owned()];
    let error = Model::builder("sample").labels(labels).load().unwrap_err();
    assert!(matches!(error, Error::InvalidConfiguration(_)), "{error:?}");
}
