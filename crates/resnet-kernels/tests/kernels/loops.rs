//! The oracle: seven nested loops over integers, with which each algorithm is compared in each instruction set.

use resnet_kernels::conv::{self, Algorithm, Convolution, Workspace, stem, winograd};
use resnet_kernels::layout::{blocks, from_planar, to_planar};
use resnet_kernels::simd::ChannelBlock;
use resnet_kernels::{ConvGeometry, OutputInit, cpu};

/// Returns small integers: every sum is exact in f32, so any order gives the same result.
fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count)
        .map(|i| (((i + 1) * 7919 + seed * 104_729) % 7) as f32 - 3.0)
        .collect()
}

/// Calls `visit(output, input, weight)` with the three positions of every multiplication.
fn every_multiplication(g: &ConvGeometry, mut visit: impl FnMut(usize, usize, usize)) {
    let (out_height, out_width) = (g.out_height(), g.out_width());
    let (group_inputs, group_outputs) = (g.in_channels / g.groups, g.out_channels / g.groups);
    for n in 0..g.batch {
        for o in 0..g.out_channels {
            for y in 0..out_height {
                for x in 0..out_width {
                    for c in 0..group_inputs {
                        for i in 0..g.kernel {
                            for j in 0..g.kernel {
                                let (row, column) =
                                    (y * g.stride + i * g.dilation, x * g.stride + j * g.dilation);
                                let inside = (g.padding..g.height + g.padding).contains(&row)
                                    && (g.padding..g.width + g.padding).contains(&column);
                                if inside {
                                    let channel = o / group_outputs * group_inputs + c;
                                    let input = ((n * g.in_channels + channel) * g.height + row
                                        - g.padding)
                                        * g.width
                                        + column
                                        - g.padding;
                                    let output =
                                        ((n * g.out_channels + o) * out_height + y) * out_width + x;
                                    let weight =
                                        ((o * group_inputs + c) * g.kernel + i) * g.kernel + j;
                                    visit(output, input, weight);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A convolution of integers and its gradients, computed by seven loops.
struct Loops {
    input: Vec<f32>,
    weight: Vec<f32>,
    gradient: Vec<f32>,
    output: Vec<f32>,
    grad_input: Vec<f32>,
    grad_weight: Vec<f32>,
}

impl Loops {
    fn over(geometry: &ConvGeometry) -> Self {
        let input = values(geometry.batch * geometry.image(), 1);
        let weight = values(geometry.weights(), 2);
        let gradient = values(geometry.batch * geometry.out_image(), 3);
        let (mut output, mut grad_input) = (vec![0.0; gradient.len()], vec![0.0; input.len()]);
        let mut grad_weight = vec![0.0; weight.len()];
        every_multiplication(geometry, |o, i, w| {
            output[o] += input[i] * weight[w];
            grad_input[i] += gradient[o] * weight[w];
            grad_weight[w] += gradient[o] * input[i];
        });
        Self {
            input,
            weight,
            gradient,
            output,
            grad_input,
            grad_weight,
        }
    }
}

/// Converts planar values to the blocked layout.
pub fn blocked(values: &[f32], shape: [usize; 3]) -> Vec<ChannelBlock> {
    let mut blocked = vec![[f32::NAN; 16]; blocks(shape[1]) * shape[0] * shape[2]];
    from_planar(values, shape, &mut blocked);
    blocked
}

/// Asserts that blocked values equal `expected`: exactly for sums of integers, and within `limit` of the largest for
/// Winograd's fractions.
fn assert_blocked(
    blocked: &[ChannelBlock],
    shape: [usize; 3],
    expected: &[f32],
    limit: f32,
    what: &str,
) {
    let mut values = vec![f32::NAN; expected.len()];
    to_planar(blocked, shape, &mut values);
    let largest = expected.iter().fold(1f32, |a, b| a.max(b.abs()));
    for (value, expected) in values.iter().zip(expected) {
        // Written so that NaN fails.
        assert!(
            (value - expected).abs() <= limit * largest,
            "{what}: {value} {expected}"
        );
    }
}

/// Compares the weight gradient, and that by Winograd if supported, with the same loops.
fn check_grad_weight(
    [input, gradient]: [&[ChannelBlock]; 2],
    geometry: &ConvGeometry,
    expected: &[f32],
    workspace: &mut Workspace,
    what: &str,
) {
    // Rounding grows with the root of the tiles that are summed; whole numbers may cancel each other, it does not.
    let terms = (geometry.batch * geometry.out_pixels()) as f32;
    let largest = expected.iter().fold(terms, |a, b| a.max(b.abs()));
    let rounding = 1e-6 * (terms / 16.0).sqrt().max(10.0);
    let assert_near = |result: &[f32], by_winograd: bool| {
        let limit = if by_winograd { rounding * largest } else { 0.0 };
        for (value, expected) in result.iter().zip(expected) {
            assert!(
                (value - expected).abs() <= limit,
                "{what}, by Winograd: {by_winograd}: {value} {expected}"
            );
        }
    };
    let mut result = vec![f32::NAN; expected.len()];
    conv::grad_weight(input, gradient, geometry, workspace, &mut result);
    assert_near(&result, winograd::gradient::applies(geometry));
    if winograd::applies(geometry) {
        result.fill(f32::NAN);
        conv::grad_weight_by_winograd(input, gradient, geometry, workspace, &mut result);
        assert_near(&result, true);
    }
}

/// Compares the kernels with the same loops, in every instruction set.
pub fn check(geometry: &ConvGeometry) {
    let (pixels, out_pixels) = (geometry.height * geometry.width, geometry.out_pixels());
    let shape = [geometry.batch, geometry.in_channels, pixels];
    let out_shape = [geometry.batch, geometry.out_channels, out_pixels];
    let Loops {
        input,
        weight,
        gradient,
        output,
        grad_input,
        grad_weight,
    } = Loops::over(geometry);
    // With a bias, the gradient as residual, and ReLU.
    let bias = values(geometry.out_channels, 4);
    let finished: Vec<f32> = output
        .iter()
        .enumerate()
        .map(|(i, value)| {
            let channel = i / out_pixels % geometry.out_channels;
            (value + bias[channel] + gradient[i]).max(0.0)
        })
        .collect();
    let with_residual: Vec<f32> = grad_input.iter().zip(&input).map(|(a, b)| a + b).collect();
    let (blocked_input, blocked_gradient) = (blocked(&input, shape), blocked(&gradient, out_shape));
    let limit = if winograd::applies(geometry) {
        1e-5
    } else {
        0.0
    };
    for isa in cpu::available() {
        let what = |part: &str| format!("{part}, {isa:?}, {geometry:?}");
        cpu::with(isa, || {
            let workspace = &mut Workspace::default();
            let mut result = blocked_gradient.clone();
            conv::forward(&blocked_input, &weight, geometry, workspace, &mut result);
            assert_blocked(&result, out_shape, &output, limit, &what("forward"));
            let mut result = blocked_input.clone();
            conv::grad_input(
                &blocked_gradient,
                &weight,
                geometry,
                OutputInit::Overwrite,
                workspace,
                &mut result,
            );
            assert_blocked(
                &result,
                shape,
                &grad_input,
                limit,
                &what("input's gradient"),
            );
            let mut result = blocked_input.clone();
            conv::grad_input(
                &blocked_gradient,
                &weight,
                geometry,
                OutputInit::Residual,
                workspace,
                &mut result,
            );
            assert_blocked(
                &result,
                shape,
                &with_residual,
                limit,
                &what("input's gradient and residual"),
            );
            check_grad_weight(
                [&blocked_input, &blocked_gradient],
                geometry,
                &grad_weight,
                workspace,
                &what("weights' gradient"),
            );
            check_algorithms(
                geometry,
                [&weight, &bias],
                [&blocked_input, &blocked_gradient],
                &finished,
                limit,
            );
            if stem::applies(geometry) {
                let mut result = blocked_gradient.clone();
                conv::forward_on_images(&input, &weight, geometry, workspace, &mut result);
                assert_blocked(&result, out_shape, &output, limit, &what("stem"));
                let mut result = vec![f32::NAN; weight.len()];
                stem::grad_weight_on_images(workspace, &blocked_gradient, geometry, &mut result);
                assert_eq!(result, grad_weight, "{}", what("stem's weights' gradient"));
            }
        });
    }
}

/// Checks every algorithm with bias, residual and ReLU.
fn check_algorithms(
    geometry: &ConvGeometry,
    [weight, bias]: [&[f32]; 2],
    [input, residual]: [&[ChannelBlock]; 2],
    expected: &[f32],
    limit: f32,
) {
    let shape = [geometry.batch, geometry.out_channels, geometry.out_pixels()];
    for algorithm in Algorithm::applicable(geometry) {
        let convolution = Convolution::new(weight, bias, *geometry, algorithm);
        let mut result = residual.to_vec();
        convolution.run(
            geometry.batch,
            input,
            OutputInit::Residual,
            true,
            &mut result,
        );
        let what = format!("{algorithm:?}, {:?}, {geometry:?}", cpu::current());
        assert_blocked(&result, shape, expected, limit, &what);
    }
}
