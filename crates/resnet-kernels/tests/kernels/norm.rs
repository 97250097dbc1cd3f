//! Tests of the batch norm kernels: every instruction set against the portable one, over few and many pixels, and odd
//! numbers of them.

use resnet_kernels::cpu::{self, Isa};
use resnet_kernels::norm::{
    affine, apply, grad_input, grad_parameters, gradient_sums, gradients, statistics,
};
use resnet_kernels::simd::ChannelBlock;

const EPS: f64 = 1e-5;

/// Returns numbers around 1, each different from its neighbors.
fn channel_blocks(count: usize, seed: usize) -> Vec<ChannelBlock> {
    let value = |i: usize| (((i + 1) * 7919 + seed * 104_729) % 1009) as f32 / 252.0 - 1.0;
    let lane = |start: usize| std::array::from_fn(|j| value(16 * start + j));
    (0..count).map(lane).collect()
}

/// Returns all outputs of the kernels for `blocks` of `pixels`, concatenated.
fn all(blocks: usize, pixels: usize, has_residual: bool, relu: bool) -> Vec<f32> {
    let count = blocks * pixels;
    let mut input = channel_blocks(count, 1);
    let mut gradient = channel_blocks(count, 2);
    let residual = channel_blocks(count, 3);
    let (weight, bias) = (channel_blocks(blocks, 4), channel_blocks(blocks, 5));
    let found = statistics(&input, pixels);
    let by = affine(&found, &weight, &bias, EPS);
    let mut output = vec![[f32::NAN; 16]; count];
    let residual = has_residual.then_some(residual.as_slice());
    apply(&input, &by, residual, relu, &mut output);
    let of_relu = relu.then_some(output.as_slice());
    let of_parameters = gradients(&mut input, &mut gradient, of_relu, &found, &weight, EPS);
    let found = found.iter().flat_map(|found| [found.mean, found.variance]);
    let mut numbers = of_parameters.concat();
    numbers.extend(found.flatten());
    for blocks in [output, input, gradient] {
        numbers.extend(blocks.as_flattened());
    }
    numbers
}

#[test]
fn batch_norm_is_the_same_in_every_instruction_set() {
    for (blocks, pixels) in [(1, 2), (2, 3), (1, 63), (3, 65), (2, 4097), (1, 8193)] {
        for (residual, relu) in [(false, false), (true, true)] {
            let portable = cpu::with(Isa::Portable, || all(blocks, pixels, residual, relu));
            let largest = portable.iter().fold(0.0_f32, |most, n| most.max(n.abs()));
            for isa in cpu::available() {
                let numbers = cpu::with(isa, || all(blocks, pixels, residual, relu));
                assert_eq!(numbers.len(), portable.len());
                for (ours, theirs) in numbers.iter().zip(&portable) {
                    let near = (ours - theirs).abs() <= 1e-5 * largest;
                    assert!(near, "{isa:?}, {blocks} x {pixels}: {ours} {theirs}");
                }
            }
        }
    }
}

/// Returns mean and biased variance of one channel, in f64.
fn exact(input: &[ChannelBlock], channel: usize) -> [f64; 2] {
    let values = || input.iter().map(|lane| f64::from(lane[channel]));
    let count = input.len() as f64;
    let mean = values().sum::<f64>() / count;
    [
        mean,
        values().map(|x| (x - mean).powi(2)).sum::<f64>() / count,
    ]
}

#[test]
fn statistics_are_right_beside_large_means_and_outliers() {
    let pixels = 20_000;
    // Mean, half the width, and the first pixel.
    for (mean, width, first) in [
        (0.0, 1.0, 0.5),
        (1000.0, 1.0, 999.5),
        (-3e4, 0.5, -3e4),
        (0.3, 1.0, 20.0),
        (0.3, 1.0, 200.0),
        (0.123, 0.0, 30.0),
        (1.0, 1e-3, 1e4),
    ] {
        let mut input = channel_blocks(pixels, 6);
        for lane in &mut input {
            *lane = lane.map(|value| mean + width * (value - 1.0) / 2.0);
        }
        // The other channels of the block have nothing of it.
        input[0][3] = first;
        for isa in cpu::available() {
            let found = cpu::with(isa, || statistics(&input, pixels))[0];
            for channel in [0, 3] {
                let [mean, variance] = exact(&input, channel);
                let of_mean = (f64::from(found.mean[channel]) - mean).abs();
                let of_variance = (f64::from(found.variance[channel]) - variance).abs();
                assert!(
                    of_mean <= 1e-6 * (mean.abs() + variance.sqrt())
                        && of_variance <= 2e-4 * variance,
                    "{isa:?}, channel {channel} of {mean}, first {first}: {found:?}, {variance}"
                );
            }
        }
    }
}

#[test]
fn channels_with_nan_or_infinity_have_no_finite_statistics() {
    for isa in cpu::available() {
        for value in [f32::NAN, f32::INFINITY] {
            for place in [0, 70] {
                let mut input = channel_blocks(100, 6);
                input[place][3] = value;
                let found = cpu::with(isa, || statistics(&input, 100))[0];
                assert!(!found.mean[3].is_finite(), "{isa:?}, {value} at {place}");
                assert!(found.variance[3].is_nan(), "{isa:?}, {value} at {place}");
                assert!(found.variance[2].is_finite() && found.mean[2].is_finite());
            }
        }
    }
}

#[test]
fn gradients_of_parts_with_their_common_sums_are_those_of_the_whole() {
    // Pixels are summed in chunks of 4,096 in any case.
    let (pixels, cut) = (7000, 4096);
    let input = channel_blocks(pixels, 1);
    let gradient = channel_blocks(pixels, 2);
    let output = channel_blocks(pixels, 3);
    let weight = channel_blocks(1, 4);
    for isa in cpu::available() {
        cpu::with(isa, || {
            let of_all = statistics(&input, pixels);
            let mut whole = input.clone();
            let of_parameters = gradients(
                &mut whole,
                &mut gradient.clone(),
                Some(&output),
                &of_all,
                &weight,
                EPS,
            );

            let mut parts = [0..cut, cut..pixels].map(|part| {
                let mut gradient = gradient[part.clone()].to_vec();
                let input = input[part.clone()].to_vec();
                let sums = gradient_sums(&input, &mut gradient, Some(&output[part]), &of_all);
                (input, gradient, sums)
            });
            let mut sums = parts[0].2.clone();
            for (sum, other) in sums
                .as_flattened_mut()
                .iter_mut()
                .zip(parts[1].2.as_flattened())
            {
                *sum = std::array::from_fn(|j| sum[j] + other[j]);
            }
            for (input, gradient, _) in &mut parts {
                grad_input(input, gradient, &of_all, &weight, EPS, &sums, pixels);
            }
            assert_eq!(
                [&parts[0].0[..], &parts[1].0[..]].concat(),
                whole,
                "{isa:?}"
            );
            assert_eq!(
                grad_parameters(&sums, &of_all, EPS),
                of_parameters,
                "{isa:?}"
            );
        });
    }
}
