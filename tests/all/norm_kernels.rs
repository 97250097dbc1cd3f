//! Batch norm's kernels: every instruction set against the portable one, over few and many pixels and over odd numbers of them.

use resnet::kernels::isa::{self, Isa};
use resnet::kernels::norm::{affine, apply, gradients, statistics};
use resnet::kernels::simd::Lane;

const EPS: f64 = 1e-5;

/// Numbers around 1, none like its neighbours.
fn lanes(count: usize, seed: usize) -> Vec<Lane> {
    let value = |i: usize| (((i + 1) * 7919 + seed * 104_729) % 1009) as f32 / 252.0 - 1.0;
    let lane = |start: usize| std::array::from_fn(|j| value(16 * start + j));
    (0..count).map(lane).collect()
}

/// Everything that the kernels give for `blocks` of `pixels`, one number after the other.
fn all(blocks: usize, pixels: usize, has_residual: bool, relu: bool) -> Vec<f32> {
    let count = blocks * pixels;
    let mut input = lanes(count, 1);
    let mut gradient = lanes(count, 2);
    let residual = lanes(count, 3);
    let (weight, bias) = (lanes(blocks, 4), lanes(blocks, 5));
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
    for lanes in [output, input, gradient] {
        numbers.extend(lanes.as_flattened());
    }
    numbers
}

#[test]
fn batch_norm_is_the_same_in_every_instruction_set() {
    for (blocks, pixels) in [(1, 2), (2, 3), (1, 63), (3, 65), (2, 4097), (1, 8193)] {
        for (residual, relu) in [(false, false), (true, true)] {
            let portable = isa::with(Isa::Portable, || all(blocks, pixels, residual, relu));
            let largest = portable.iter().fold(0.0_f32, |most, n| most.max(n.abs()));
            for isa in isa::available() {
                let numbers = isa::with(isa, || all(blocks, pixels, residual, relu));
                assert_eq!(numbers.len(), portable.len());
                for (ours, theirs) in numbers.iter().zip(&portable) {
                    let near = (ours - theirs).abs() <= 1e-5 * largest;
                    assert!(near, "{isa:?}, {blocks} x {pixels}: {ours} {theirs}");
                }
            }
        }
    }
}
