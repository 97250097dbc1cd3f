//! Random numbers in place of images, for timing and dry runs: nothing to decode, resize or augment.

use anyhow::Result;
use rayon::prelude::*;

use super::{Dataset, DatasetKind, ImageStore, Split};
use crate::error::{error_with_hint, setting, usage_error};
use crate::message;
use crate::model::Preprocess;
use crate::random::Random;
use crate::text::pluralize;

/// Values drawn from one stream, so that they depend on their position, not on the thread.
const CHUNK: usize = 1 << 16;
/// Number of equally likely values.
const LEVELS: usize = 1 << 16;

/// Creates `count` training inputs of `[C, H, W]` standard normal numbers in `classes` classes, without a validation set.
///
/// # Errors
/// When there are no images or no classes, or more values than fit into memory.
pub fn fake(count: usize, classes: usize, input: [usize; 3], seed: u64) -> Result<Dataset> {
    if count == 0 || classes == 0 {
        return Err(usage_error(
            format!(
                "{} of {} are no dataset",
                pluralize(count, "image"),
                pluralize(classes, "class")
            ),
            "write `fake:N` or `fake:N:CLASSES`, both at least 1",
        ));
    }
    let [channels, height, width] = input;
    let length = channels * height * width;
    let total = count.saturating_mul(length);
    let mut values: Vec<f32> = Vec::new();
    let has_room =
        u32::try_from(count.max(classes)).is_ok() && values.try_reserve_exact(total).is_ok();
    if !has_room || length == 0 {
        let bytes = total as f64 * size_of::<f32>() as f64;
        return Err(error_with_hint(
            format!(
                "{} of {channels}x{height}x{width}: {:.0} GB of memory, more than there is",
                pluralize(count, "input"),
                bytes / 1e9
            ),
            message![
                "ask for fewer, or for smaller ones by ",
                setting("image-size")
            ],
        ));
    }
    let levels = levels();
    values.resize(total, 0.0);
    values
        .par_chunks_mut(CHUNK)
        .enumerate()
        .for_each(|(chunk, values)| {
            let mut random = Random::at(seed, "fake inputs", &[chunk as u64]);
            for four in values.chunks_mut(4) {
                let mut bits = random.bits();
                for value in four {
                    *value = levels[bits as usize % LEVELS];
                    bits >>= 16;
                }
            }
        });
    let mut random = Random::new(seed, "fake classes");
    let drawn = (0..count).map(|_| random.below(classes) as u32).collect();
    let mut preprocess = Preprocess {
        size: [height, width],
        crop_pct: 1.0,
        ..Preprocess::default()
    };
    if channels != preprocess.mean.len() {
        preprocess.mean = vec![0.5; channels];
        preprocess.std = vec![0.5; channels];
    }
    Ok(Dataset {
        name: format!("fake:{count}:{classes}"),
        labels: (0..classes).map(|class| class.to_string()).collect(),
        train: Some(Split::new(ImageStore::Inputs { length, values }, drawn)),
        val: None,
        test: None,
        has_splits: true,
        kind: DatasetKind::Noise,
        preprocess,
        notes: Vec::new(),
    })
}

/// Returns the quantiles of the normal distribution at (i + 1/2) / [`LEVELS`].
fn levels() -> Vec<f32> {
    (0..LEVELS)
        .map(|level| quantile((level as f64 + 0.5) / LEVELS as f64) as f32)
        .collect()
}

/// Returns the inverse of the normal distribution function with a relative error of 1e-9: P. J. Acklam's rational approximation.
fn quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 5] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    let polynomial =
        |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    if p > 0.5 {
        -quantile(1.0 - p)
    } else if p < 0.024_25 {
        let q = (-2.0 * p.ln()).sqrt();
        polynomial(&C, q) / polynomial(&D, q)
    } else {
        let q = p - 0.5;
        q * polynomial(&A, q * q) / polynomial(&B, q * q)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::is_usage_error;

    fn inputs(data: &Dataset) -> Vec<f32> {
        let train = data.train.as_ref().unwrap();
        let inputs = (0..train.len()).flat_map(|index| train.input(index).unwrap());
        inputs.copied().collect()
    }

    #[test]
    fn quantiles_are_those_of_the_normal_distribution() {
        for (p, expected) in [
            (0.5, 0.0),
            (0.841_344_746_068_543, 1.0),
            (0.022_750_131_948_179, -2.0),
            (0.001_349_898_031_630, -3.0),
            (0.999_968_328_758_167, 4.0),
        ] {
            assert!(
                (quantile(p) - expected).abs() < 1e-8,
                "{p}: {}",
                quantile(p)
            );
        }
    }

    #[test]
    fn noise_is_normal_and_the_same_for_a_seed_with_any_threads() {
        let data = fake(300, 7, [3, 20, 16], 1).unwrap();
        let values = inputs(&data);
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
        let square =
            values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(
            mean.abs() < 0.01 && (square - 1.0).abs() < 0.01,
            "{mean} {square}"
        );
        let one = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        let again = one.install(|| fake(300, 7, [3, 20, 16], 1)).unwrap();
        assert_eq!(inputs(&again), values);
        assert_ne!(inputs(&fake(300, 7, [3, 20, 16], 2).unwrap()), values);
        let classes = data.train.unwrap().classes().to_vec();
        assert!((0..7).all(|class| classes.contains(&class)) && classes.iter().all(|&c| c < 7));
        assert_eq!((data.labels.len(), data.preprocess.size), (7, [20, 16]));
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert!(is_usage_error(&fake(0, 10, [3, 8, 8], 0).unwrap_err()));
        assert!(is_usage_error(&fake(1, 0, [3, 8, 8], 0).unwrap_err()));
        for count in [usize::MAX, 2_000_000_000] {
            let error = fake(count, 10, [3, 224, 224], 0).unwrap_err();
            assert!(error.to_string().contains("GB of memory"), "{error}");
        }
    }
}
