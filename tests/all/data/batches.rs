//! Tests of the training loader: the same batches for any number of threads and from any batch on, without unreadable
//! images.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use resnet::data::dataset::{ImageStore, Split};
use resnet::data::{
    Augmentation, BatchOptions, DecodeOptions, EpochBatch, EpochBatches, EvalLoader, EvalTransform,
    Policy, TrainTransform,
};
use resnet::distributed::tree::Shards;
use resnet::error::{hint_of, is_usage_error};
use resnet::model::Preprocess;
use resnet::nn::Targets;

use crate::support::hostile::random;

fn preprocess(size: usize) -> Preprocess {
    Preprocess {
        size: [size, size],
        crop_pct: 1.0,
        ..Preprocess::default()
    }
}

fn options(batch_size: usize) -> BatchOptions {
    BatchOptions {
        batch_size,
        seed: 3,
        epoch: 2,
        shuffle: true,
        drop_last: false,
        first_batch: 0,
        workers: 2,
        decoding: DecodeOptions::default(),
        classes: 10,
        shards: Shards::new(1, 1),
        rank: 0,
        fewest: 1,
    }
}

fn classes(count: usize) -> Vec<u32> {
    (0..count as u32).map(|index| index % 10).collect()
}

/// Returns noise images in memory.
fn noise(count: usize, size: usize, channels: usize) -> Split {
    let mut random = random(7);
    let length = count * size * size * channels;
    let samples = (0..length).map(|_| random() as u8).collect();
    let images = ImageStore::Memory {
        name: "noise train".into(),
        size: [size, size],
        channels,
        samples,
    };
    Split::new(images, classes(count))
}

fn transform(policy: Policy, mixup: f64, cutmix: f64) -> Result<TrainTransform> {
    let augmentation = Augmentation {
        erase: 0.3,
        mixup,
        cutmix,
        ..Augmentation::of(policy, true)
    };
    TrainTransform::new(&preprocess(16), augmentation)
}

fn batches(
    split: &Split,
    transform: &TrainTransform,
    options: BatchOptions,
) -> Result<Vec<EpochBatch>> {
    EpochBatches::new(split, transform, options)?.collect()
}

/// Returns a batch in a form that can be compared bit for bit.
fn bits(batch: &EpochBatch) -> (usize, Vec<u32>, Targets, Vec<usize>, Vec<String>) {
    (
        batch.number,
        batch.shards[0]
            .inputs
            .iter()
            .map(|number| number.to_bits())
            .collect(),
        batch.shards[0].targets.clone(),
        batch.shards[0].indices.clone(),
        batch
            .unreadable
            .iter()
            .map(|image| format!("{:#}", image.error))
            .collect(),
    )
}

#[test]
fn batches_are_the_same_for_any_number_of_workers() -> Result<()> {
    let split = noise(50, 12, 3);
    for (policy, mixup, cutmix) in [
        (Policy::None, 0.0, 0.0),
        (Policy::CropFlip, 0.0, 0.0),
        (Policy::ResizedCrop, 0.4, 1.0),
        (Policy::Randaugment, 0.0, 1.0),
    ] {
        let transform = transform(policy, mixup, cutmix)?;
        let mut first = None;
        for workers in [0, 1, 2, 3, 7] {
            let options = BatchOptions {
                workers,
                ..options(8)
            };
            let run: Vec<_> = batches(&split, &transform, options)?
                .iter()
                .map(bits)
                .collect();
            assert_eq!(run.len(), 7);
            assert_eq!(first.get_or_insert_with(|| run.clone()), &run);
        }
    }
    Ok(())
}

#[test]
fn batches_from_the_middle_of_an_epoch_equal_those_of_the_whole() -> Result<()> {
    let split = noise(50, 12, 3);
    let transform = transform(Policy::CropFlip, 0.4, 1.0)?;
    let whole = batches(&split, &transform, options(8))?;
    for first_batch in [0, 1, 5, 6, 7, 9] {
        let options = BatchOptions {
            first_batch,
            ..options(8)
        };
        let rest = EpochBatches::new(&split, &transform, options)?;
        assert_eq!(rest.len(), whole.len().saturating_sub(first_batch));
        let rest = rest.collect::<Result<Vec<_>>>()?;
        let expected = whole.iter().skip(first_batch).map(bits);
        assert!(rest.iter().map(bits).eq(expected), "from {first_batch}");
    }
    Ok(())
}

#[test]
fn an_epoch_sees_each_example_once_and_the_next_sees_it_changed() -> Result<()> {
    let split = noise(50, 12, 3);
    let transform = transform(Policy::CropFlip, 0.0, 0.0)?;
    let input_of = |batches: &[EpochBatch], example: usize| {
        let batch = batches
            .iter()
            .find(|batch| batch.shards[0].indices.contains(&example));
        let batch = batch.unwrap();
        let place = batch.shards[0]
            .indices
            .iter()
            .position(|&index| index == example);
        batch.shards[0].inputs[place.unwrap() * transform.input_len()..][..transform.input_len()]
            .to_vec()
    };
    let epoch = |epoch| {
        let options = BatchOptions {
            epoch,
            ..options(8)
        };
        batches(&split, &transform, options)
    };
    let (one, two) = (epoch(0)?, epoch(1)?);
    for batches in [&one, &two] {
        let mut seen: Vec<usize> = batches
            .iter()
            .flat_map(|b| b.shards[0].indices.clone())
            .collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..50));
        for batch in batches {
            let expected = batch.shards[0]
                .indices
                .iter()
                .map(|&index| index as u32 % 10);
            assert_eq!(
                batch.shards[0].targets,
                Targets::Classes(expected.collect())
            );
        }
    }
    let same = (0..50).filter(|&index| input_of(&one, index) == input_of(&two, index));
    assert!(same.count() < 5);
    Ok(())
}

#[test]
fn without_shuffling_and_augmentation_a_batch_is_what_evaluation_loads() -> Result<()> {
    for channels in [1, 3] {
        let split = noise(21, 12, channels);
        for means in [1, 3] {
            let preprocess = Preprocess {
                mean: vec![0.4; means],
                std: vec![0.3; means],
                ..preprocess(16)
            };
            let transform = TrainTransform::new(&preprocess, Augmentation::of(Policy::None, true))?;
            assert!(transform.is_deterministic());
            let options = BatchOptions {
                shuffle: false,
                ..options(4)
            };
            let inputs = batches(&split, &transform, options)?;
            let inputs: Vec<f32> = inputs
                .into_iter()
                .flat_map(|batch| batch.shards[0].inputs.clone())
                .collect();
            let eval = EvalTransform::new(&preprocess)?;
            let loader = EvalLoader::of(&split, &eval, DecodeOptions::default(), 3)?;
            assert_eq!(loader.len(), 21);
            let expected = loader.collect::<Result<Vec<_>>>()?.concat();
            assert_eq!(inputs, expected);
        }
    }
    Ok(())
}

#[test]
fn an_unreadable_image_is_named_and_left_out_of_its_batch() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let paths: Vec<PathBuf> = (0..9)
        .map(|index| folder.path().join(format!("{index}.png")))
        .collect();
    for (index, path) in paths.iter().enumerate() {
        match index {
            4 => std::fs::write(path, "no image")?,
            5 => {}
            _ => image::RgbImage::from_pixel(9, 7, image::Rgb([index as u8; 3])).save(path)?,
        }
    }
    let split = Split::new(ImageStore::Files(paths.clone()), classes(9));
    for (mixup, mixed) in [(0.0, false), (0.3, true)] {
        let transform = transform(Policy::ResizedCrop, mixup, 0.0)?;
        let options = BatchOptions {
            shuffle: false,
            ..options(2)
        };
        let batches = batches(&split, &transform, options)?;
        assert_eq!(batches.len(), 5);
        for batch in &batches {
            assert_eq!(
                batch.shards[0].inputs.len(),
                batch.shards[0].indices.len() * 768
            );
            assert_eq!(batch.shards[0].targets.len(), batch.shards[0].indices.len());
            assert_eq!(
                matches!(batch.shards[0].targets, Targets::Mixed { .. }),
                mixed
            );
            if batch.number != 2 {
                assert!(batch.unreadable.is_empty());
            }
        }
        let bad = &batches[2];
        assert!(bad.shards[0].inputs.is_empty() && bad.shards[0].targets.is_empty());
        for (image, path) in bad.unreadable.iter().zip(&paths[4..6]) {
            let error = format!("{:#}", image.error);
            let expected = format!("cannot read image `{}`: ", path.display());
            assert!(error.starts_with(&expected), "{error}");
        }
        assert_eq!(bad.unreadable.len(), 2);
        assert_eq!(batches[4].shards[0].indices, [8]);
    }
    Ok(())
}

#[test]
fn a_last_batch_is_smaller_or_dropped() -> Result<()> {
    let split = noise(10, 12, 3);
    let transform = transform(Policy::None, 0.0, 0.0)?;
    let sizes = |batch_size, drop_last| -> Result<Vec<usize>> {
        let options = BatchOptions {
            drop_last,
            ..options(batch_size)
        };
        let batches = batches(&split, &transform, options)?;
        assert_eq!(
            batches.len(),
            EpochBatches::count(10, batch_size, drop_last)
        );
        Ok(batches
            .iter()
            .map(|batch| batch.shards[0].indices.len())
            .collect())
    };
    assert_eq!(sizes(3, false)?, [3, 3, 3, 1]);
    assert_eq!(sizes(3, true)?, [3, 3, 3]);
    assert_eq!(sizes(5, false)?, [5, 5]);
    assert_eq!(sizes(5, true)?, [5, 5]);
    assert_eq!(sizes(11, false)?, [10]);
    assert_eq!(sizes(usize::MAX, false)?, [10]);
    assert!(sizes(11, true)?.is_empty());
    let none = noise(0, 12, 3);
    assert!(
        EpochBatches::new(&none, &transform, options(4))?
            .next()
            .is_none()
    );
    Ok(())
}

#[test]
fn noise_goes_in_as_it_is_and_is_mixed_only_where_that_is_asked_for() -> Result<()> {
    let values: Vec<f32> = (0..7 * 768).map(|at| at as f32).collect();
    let images = ImageStore::Inputs {
        length: 768,
        values: values.clone(),
    };
    let split = Split::new(images, classes(7));
    let options = BatchOptions {
        shuffle: false,
        ..options(7)
    };
    let plain = batches(&split, &transform(Policy::Randaugment, 0.0, 0.0)?, options)?;
    assert_eq!(plain[0].shards[0].inputs, values);
    let mixed = batches(&split, &transform(Policy::None, 1.0, 0.0)?, options)?;
    let Targets::Mixed {
        first,
        second,
        share,
    } = &mixed[0].shards[0].targets
    else {
        panic!("{:?}", mixed[0].shards[0].targets)
    };
    assert_eq!(first, &[0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(second, &[6, 5, 4, 3, 2, 1, 0]);
    let expected = *share as f32 * values[5] + (1.0 - share) as f32 * values[6 * 768 + 5];
    assert_eq!(mixed[0].shards[0].inputs[5].to_bits(), expected.to_bits());
    let eval = EvalTransform::new(&preprocess(16))?;
    let loader = EvalLoader::of(&split, &eval, DecodeOptions::default(), 2)?;
    assert_eq!(loader.collect::<Result<Vec<_>>>()?.concat(), values);
    Ok(())
}

#[test]
fn cut_batches_hold_a_rectangle_of_the_partner() -> Result<()> {
    let split = noise(6, 16, 3);
    let options = BatchOptions {
        shuffle: false,
        ..options(6)
    };
    let without = |cutmix| Augmentation {
        cutmix,
        ..Augmentation::of(Policy::None, true)
    };
    let plain = TrainTransform::new(&preprocess(16), without(0.0))?;
    let cut = TrainTransform::new(&preprocess(16), without(1.0))?;
    let (plain, cut) = (
        &batches(&split, &plain, options)?[0],
        &batches(&split, &cut, options)?[0],
    );
    let Targets::Mixed { share, .. } = cut.shards[0].targets else {
        panic!("{:?}", cut.shards[0].targets)
    };
    let mut own = 0;
    for (at, number) in cut.shards[0].inputs.iter().enumerate() {
        let partner = (5 - at / 768) * 768 + at % 768;
        assert!([plain.shards[0].inputs[at], plain.shards[0].inputs[partner]].contains(number));
        own += usize::from(number.to_bits() == plain.shards[0].inputs[at].to_bits());
    }
    let part = own as f64 / cut.shards[0].inputs.len() as f64;
    // Noise has equal samples here and there.
    assert!((part - share).abs() < 0.01, "{part} {share}");
    Ok(())
}

#[test]
fn dropping_the_batches_early_ends_their_threads_at_once() -> Result<()> {
    let augmentation = Augmentation::of(Policy::ResizedCrop, false);
    let transform = TrainTransform::new(&preprocess(4), augmentation)?;
    // A batch of these takes seconds, and is never finished.
    let split = noise(1, 64, 3).select(&vec![0; 300_000]);
    let batches = EpochBatches::new(&split, &transform, options(300_000))?;
    let start = Instant::now();
    drop(batches);
    assert!(start.elapsed() < Duration::from_secs(1));
    // Nor does anybody wait for room that never comes.
    for taken in 0..3 {
        let mut batches = EpochBatches::new(&split, &transform, options(8))?;
        for _ in 0..taken {
            batches.next().unwrap()?;
        }
        std::thread::sleep(Duration::from_millis(20));
        drop(batches);
    }
    Ok(())
}

#[test]
fn what_no_batch_can_be_made_of_is_refused() -> Result<()> {
    let split = noise(12, 12, 3);
    let crop = transform(Policy::CropFlip, 0.0, 0.0)?;
    let error = EpochBatches::new(&split, &crop, options(0)).unwrap_err();
    assert!(is_usage_error(&error) && hint_of(&error).is_some());
    let few = BatchOptions {
        classes: 5,
        ..options(4)
    };
    let error = EpochBatches::new(&split, &crop, few)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "`noise train 5` is of class 5, the model tells 5 apart"
    );
    let inputs = ImageStore::Inputs {
        length: 3,
        values: vec![0.0; 6],
    };
    let inputs = Split::new(inputs, classes(2));
    let error = EpochBatches::new(&inputs, &crop, options(2)).unwrap_err();
    assert!(error.to_string().contains("3 numbers"), "{error}");
    for change in [
        (|a: &mut Augmentation| a.erase = 1.5) as fn(&mut Augmentation),
        |a| a.erase = f64::NAN,
        |a| a.mixup = -1.0,
        |a| a.cutmix = f64::INFINITY,
    ] {
        let mut augmentation = Augmentation::of(Policy::Flip, true);
        change(&mut augmentation);
        let error = TrainTransform::new(&preprocess(16), augmentation).unwrap_err();
        assert!(is_usage_error(&error) && hint_of(&error).is_some());
    }
    Ok(())
}
