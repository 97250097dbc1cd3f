//! Tests of augmentation against Pillow, torchvision and timm: see `tests/fixtures/augment/make.py`.

use std::collections::HashMap;
use std::path::Path;

use pillow_image::{Filter, Image, ImageView, Window, resize};
use resnet::data::transform::augment::mix::Mix;
use resnet::data::transform::augment::randaugment::{BINS, Operation};
use resnet::data::transform::augment::{crop, erase};
use resnet::data::{Augmentation, Policy, TrainTransform};
use resnet::model::Preprocess;
use resnet::random::Random;
use safetensors::SafeTensors;

/// Returns the arrays of the fixture by name: their shapes and bytes.
fn arrays() -> HashMap<String, (Vec<usize>, Vec<u8>)> {
    let path = "tests/fixtures/augment/augment.safetensors";
    let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let array = |(name, view): (&str, safetensors::tensor::TensorView)| {
        let shape = view.shape().to_vec();
        (name.to_owned(), (shape, view.data().to_vec()))
    };
    tensors.iter().map(array).collect()
}

fn image_of((shape, samples): &(Vec<usize>, Vec<u8>)) -> Image {
    Image::new([shape[0], shape[1]], shape[2], samples.clone())
}

fn f32s((_, bytes): &(Vec<usize>, Vec<u8>)) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<4>();
    numbers.iter().copied().map(f32::from_le_bytes).collect()
}

fn f64s((_, bytes): &(Vec<usize>, Vec<u8>)) -> Vec<f64> {
    let (numbers, _) = bytes.as_chunks::<8>();
    numbers.iter().copied().map(f64::from_le_bytes).collect()
}

fn operation(name: &str) -> Option<Operation> {
    let mut operations = Operation::ALL.into_iter();
    operations.find(|operation| format!("{operation:?}") == name)
}

/// Returns the numbers of `top,left,height,width`.
fn numbers(list: &str) -> Vec<usize> {
    list.split(',')
        .map(|number| number.parse().unwrap())
        .collect()
}

fn window(list: &str) -> Window {
    let box_ = numbers(list);
    Window {
        start: [box_[0], box_[1]],
        size: [box_[2], box_[3]],
    }
}

fn assert_same(name: &str, ours: &Image, expected: &Image) {
    assert_eq!(ours.size(), expected.size(), "{name}");
    let pairs = ours.samples().iter().zip(expected.samples());
    let different = pairs.filter(|(a, b)| a != b).count();
    assert_eq!(different, 0, "{name}: samples that differ");
}

#[test]
fn every_operation_of_randaugment_gives_torchvisions_bytes() {
    let arrays = arrays();
    let (color, gray) = (image_of(&arrays["picture"]), image_of(&arrays["grey"]));
    let mut compared = HashMap::new();
    for (name, expected) in &arrays {
        let (source, rest) = match name.strip_prefix("grey/") {
            Some(rest) => (&gray, rest),
            None => (&color, name.as_str()),
        };
        let Some((operation, magnitude)) = rest
            .split_once('/')
            .and_then(|(name, magnitude)| Some((operation(name)?, magnitude)))
        else {
            continue;
        };
        let ours = operation.apply(source.clone(), magnitude.parse().unwrap());
        assert_same(name, &ours, &image_of(expected));
        *compared.entry(format!("{operation:?}")).or_insert(0) += 1;
    }
    for operation in Operation::ALL {
        let cases = compared[&format!("{operation:?}")];
        let has_magnitude = arrays.contains_key(&format!("magnitudes/{operation:?}"));
        assert_eq!(cases, if has_magnitude { 4 } else { 2 }, "{operation:?}");
    }
}

#[test]
fn magnitudes_are_torchvisions_to_the_bit() {
    let arrays = arrays();
    for operation in Operation::ALL {
        let ours: Vec<f64> = (0..BINS)
            .map(|bin| operation.magnitude(bin, [224, 160]))
            .collect();
        match arrays.get(&format!("magnitudes/{operation:?}")) {
            Some(expected) => assert_eq!(ours, f64s(expected), "{operation:?}"),
            None => assert_eq!(ours, [0.0; BINS], "{operation:?}"),
        }
    }
}

#[test]
fn crops_and_flips_give_torchvisions_bytes() {
    let arrays = arrays();
    let source = image_of(&arrays["picture"]);
    let mut compared = 0;
    for (name, expected) in &arrays {
        let parts: Vec<&str> = name.split('/').collect();
        let ours = match parts[..] {
            ["resized", place, filter] => {
                let filter = match filter {
                    "bilinear" => Filter::Bilinear,
                    _ => Filter::Bicubic,
                };
                let part = ImageView::from(&source).crop(window(place));
                resize(&part, [12, 14], filter)
            }
            ["padded", place] => {
                let start = numbers(place);
                crop::padded_crop(&source, [3, 3], [start[0], start[1]])
            }
            ["flipped"] => {
                let mut flipped = source.clone();
                crop::flip(&mut flipped);
                flipped
            }
            _ => continue,
        };
        assert_same(name, &ours, &image_of(expected));
        compared += 1;
    }
    assert_eq!(compared, 14 + 4 + 1);
}

#[test]
fn erasing_and_mixing_give_the_numbers_of_torchvision_and_timm() {
    let arrays = arrays();
    let inputs = f32s(&arrays["inputs"]);
    let (length, size) = (2 * 4 * 5, [4, 5]);
    let mut compared = 0;
    for (name, expected) in &arrays {
        let parts: Vec<&str> = name.split('/').collect();
        let mut ours = inputs.clone();
        match parts[..] {
            ["erased", place] => {
                for input in ours.chunks_exact_mut(length) {
                    erase::erase(input, size, window(place));
                }
            }
            ["mixup", share] => {
                let share = share.parse().unwrap();
                Mix::Mixup { share }.apply(&mut ours, length, size);
            }
            ["cutmix", share, center] => {
                let center_ = numbers(center);
                let mix = Mix::cut_around([center_[0], center_[1]], size, share.parse().unwrap());
                mix.apply(&mut ours, length, size);
                let left = f64s(&arrays[&format!("left/{share}/{center}")]);
                assert!((mix.share() - left[0]).abs() < 1e-12, "{name}: {mix:?}");
            }
            _ => continue,
        }
        assert_eq!(ours, f32s(expected), "{name}");
        compared += 1;
    }
    assert_eq!(compared, 2 + 3 + 4);
}

/// Returns many random augmentations of one image by a policy.
fn draws(policy: Policy, small: bool, image: &image::RgbImage) -> Vec<Image> {
    let preprocess = Preprocess {
        size: [32, 32],
        crop_pct: 1.0,
        ..Preprocess::default()
    };
    let transform = TrainTransform::new(&preprocess, Augmentation::of(policy, small)).unwrap();
    (0..400)
        .map(|place| {
            let mut random = Random::at(1, "augment", &[0, place]);
            transform.image(image, &mut random).unwrap()
        })
        .collect()
}

#[test]
fn each_policy_changes_what_it_says_and_nothing_else() {
    // Every pixel tells where it is: red is the column, green the row.
    let image = image::RgbImage::from_fn(32, 32, |x, y| image::Rgb([x as u8 + 1, y as u8 + 1, 99]));
    let same = Image::from(image.clone());
    let mut flipped = same.clone();
    crop::flip(&mut flipped);

    let none = draws(Policy::None, true, &image);
    assert!(none.iter().all(|drawn| *drawn == same));

    let flips = draws(Policy::Flip, true, &image);
    let turned = flips.iter().filter(|drawn| **drawn == flipped).count();
    let kept = flips.iter().filter(|drawn| **drawn == same).count();
    assert_eq!(turned + kept, 400);
    assert!((160..240).contains(&turned), "{turned}");

    // Four pixels on each side: the middle is always seen, moved by up to four.
    let mut moves = [[0; 9]; 2];
    let mut turned = 0;
    for mut drawn in draws(Policy::CropFlip, true, &image) {
        if drawn.row(16)[15 * 3] > drawn.row(16)[16 * 3] {
            crop::flip(&mut drawn);
            turned += 1;
        }
        let pixel = &drawn.row(16)[16 * 3..][..3];
        let [column, row] = [pixel[0], pixel[1]].map(|at| usize::from(at) - 13);
        moves[0][row] += 1;
        moves[1][column] += 1;
        let expected = crop::padded_crop(&same, [4, 4], [row, column]);
        assert_eq!(drawn, expected);
    }
    assert!((160..240).contains(&turned), "{turned}");
    assert!(
        moves
            .as_flattened()
            .iter()
            .all(|count| (20..75).contains(count))
    );

    // A part of the image, spread out.
    for drawn in draws(Policy::ResizedCrop, false, &image) {
        let reds: Vec<u8> = drawn.row(9).iter().copied().step_by(3).collect();
        assert!(reds.is_sorted() || reds.iter().rev().is_sorted());
    }
}

#[test]
fn randaugment_draws_every_operation_both_ways_after_the_crop_that_suits() {
    let image = image::RgbImage::from_pixel(32, 32, image::Rgb([200, 120, 60]));
    let has_black = |drawn: &&Image| drawn.samples().as_chunks::<3>().0.contains(&[0; 3]);
    let small = draws(Policy::Randaugment, true, &image);
    let large = draws(Policy::Randaugment, false, &image);
    // The padded crop leaves black in 80 of 81 places, shears, shifts and turns in about half of the rest.
    assert!(small.iter().filter(has_black).count() > 370);
    let black = large.iter().filter(has_black).count();
    assert!((180..300).contains(&black), "{black}");
    // In the middle: brighter and darker, posterised, solarised, with more and less color.
    let mut colors: Vec<&[u8]> = large.iter().map(|drawn| &drawn.row(16)[48..51]).collect();
    colors.sort_unstable();
    colors.dedup();
    assert!(colors.len() > 15, "{colors:?}");
}

#[test]
fn a_gray_model_sees_what_torchvision_makes_of_the_gray_image() {
    let arrays = arrays();
    let preprocess = Preprocess {
        size: [18, 25],
        crop_pct: 1.0,
        crop_mode: resnet::model::CropMode::Squash,
        mean: vec![0.5],
        std: vec![0.5],
        ..Preprocess::default()
    };
    let (shape, samples) = &arrays["picture"];
    let color =
        image::RgbImage::from_raw(shape[1] as u32, shape[0] as u32, samples.clone()).unwrap();
    for policy in [Policy::None, Policy::ResizedCrop, Policy::Randaugment] {
        let transform = TrainTransform::new(&preprocess, Augmentation::of(policy, false)).unwrap();
        let mut random = Random::new(4, "augment");
        let drawn = transform.image(&color, &mut random.clone()).unwrap();
        let gray = image_of(&arrays["grey"]);
        let mut expected = gray;
        if policy != Policy::None {
            let window = crop::draw_window([18, 25], &mut random);
            let part = ImageView::from(&expected).crop(window);
            expected = resize(&part, [18, 25], Filter::Bilinear);
        }
        if policy != Policy::None && random.chance(0.5) {
            crop::flip(&mut expected);
        }
        if policy == Policy::Randaugment {
            expected =
                resnet::data::transform::augment::randaugment::randaugment(expected, &mut random);
        }
        assert_same("grey", &drawn, &expected);
    }
}
