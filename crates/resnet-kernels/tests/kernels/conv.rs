//! Tests of the kernels against seven nested loops, over odd shapes.

use resnet_kernels::blocked::{blocks, from_planar, to_planar};
use resnet_kernels::conv::training::{self, Workspace};
use resnet_kernels::conv::{Algorithm, Convolution, choose, stem, stem_gradient, winograd};
use resnet_kernels::isa::Isa;
use resnet_kernels::simd::Lane;
use resnet_kernels::{ConvGeometry, Held, PoolGeometry, isa, pool};

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
fn lanes(values: &[f32], shape: [usize; 3]) -> Vec<Lane> {
    let mut lanes = vec![[f32::NAN; 16]; blocks(shape[1]) * shape[0] * shape[2]];
    from_planar(values, shape, &mut lanes);
    lanes
}

/// Asserts that blocked values equal `expected`: exactly for sums of integers, and within `limit` of the largest for
/// Winograd's fractions.
fn assert_blocked(lanes: &[Lane], shape: [usize; 3], expected: &[f32], limit: f32, what: &str) {
    let mut values = vec![f32::NAN; expected.len()];
    to_planar(lanes, shape, &mut values);
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
    [input, gradient]: [&[Lane]; 2],
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
    training::grad_weight(input, gradient, geometry, workspace, &mut result);
    assert_near(&result, winograd::gradient::pays(geometry));
    if winograd::fits(geometry) {
        result.fill(f32::NAN);
        training::grad_weight_by_winograd(input, gradient, geometry, workspace, &mut result);
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
    let ended: Vec<f32> = output
        .iter()
        .enumerate()
        .map(|(i, value)| {
            let channel = i / out_pixels % geometry.out_channels;
            (value + bias[channel] + gradient[i]).max(0.0)
        })
        .collect();
    let with_residual: Vec<f32> = grad_input.iter().zip(&input).map(|(a, b)| a + b).collect();
    let (blocked_input, blocked_gradient) = (lanes(&input, shape), lanes(&gradient, out_shape));
    let limit = if winograd::fits(geometry) { 1e-5 } else { 0.0 };
    for isa in isa::available() {
        let what = |part: &str| format!("{part}, {isa:?}, {geometry:?}");
        isa::with(isa, || {
            let workspace = &mut Workspace::default();
            let mut result = blocked_gradient.clone();
            training::forward(&blocked_input, &weight, geometry, workspace, &mut result);
            assert_blocked(&result, out_shape, &output, limit, &what("forward"));
            let mut result = blocked_input.clone();
            training::grad_input(
                &blocked_gradient,
                &weight,
                geometry,
                Held::Nothing,
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
            training::grad_input(
                &blocked_gradient,
                &weight,
                geometry,
                Held::Residual,
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
                &ended,
                limit,
            );
            if stem::fits(geometry) {
                let mut result = blocked_gradient.clone();
                training::forward_on_pictures(&input, &weight, geometry, workspace, &mut result);
                assert_blocked(&result, out_shape, &output, limit, &what("stem"));
                let mut result = vec![f32::NAN; weight.len()];
                stem_gradient::grad_weight_on_pictures(
                    workspace,
                    &blocked_gradient,
                    geometry,
                    &mut result,
                );
                assert_eq!(result, grad_weight, "{}", what("stem's weights' gradient"));
            }
        });
    }
}

/// Checks every algorithm with bias, residual and ReLU.
fn check_algorithms(
    geometry: &ConvGeometry,
    [weight, bias]: [&[f32]; 2],
    [input, residual]: [&[Lane]; 2],
    expected: &[f32],
    limit: f32,
) {
    let shape = [geometry.batch, geometry.out_channels, geometry.out_pixels()];
    for algorithm in Algorithm::fitting(geometry) {
        let convolution = Convolution::new(weight, bias, *geometry, algorithm);
        let mut result = residual.to_vec();
        convolution.run(geometry.batch, input, Held::Residual, true, &mut result);
        let what = format!("{algorithm:?}, {:?}, {geometry:?}", isa::current());
        assert_blocked(&result, shape, expected, limit, &what);
    }
}

#[test]
fn convolutions_equal_seven_loops_over_odd_shapes_in_every_instruction_set() {
    let mut checked = 0;
    for (kernel, padding) in [(1, 0), (1, 1), (2, 0), (3, 0), (3, 1), (3, 2), (7, 3)] {
        for (stride, dilation) in [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2)] {
            for (groups, channels) in [
                (1, [3, 5]),
                (1, [40, 24]),
                (2, [4, 6]),
                (4, [4, 4]),
                (4, [32, 64]),
            ] {
                for (batch, height, width) in
                    [(1, 1, 1), (1, 9, 4), (2, 5, 8), (9, 3, 3), (2, 17, 15)]
                {
                    let geometry = ConvGeometry {
                        batch,
                        in_channels: channels[0],
                        out_channels: channels[1],
                        groups,
                        height,
                        width,
                        kernel,
                        stride,
                        padding,
                        dilation,
                    };
                    if geometry.fits() {
                        check(&geometry);
                        checked += 1;
                    }
                }
            }
        }
    }
    assert!(checked > 600, "{checked}");
}

#[test]
fn kernels_give_the_same_bits_for_any_number_of_threads() {
    for (channels, size, kernel, stride) in [
        ([64, 96], 14, 3, 1),
        ([64, 96], 14, 3, 2),
        ([96, 64], 9, 1, 1),
        ([3, 64], 40, 7, 2),
    ] {
        let geometry = ConvGeometry {
            batch: 5,
            in_channels: channels[0],
            out_channels: channels[1],
            groups: 1,
            height: size,
            width: size,
            kernel,
            stride,
            padding: kernel / 2,
            dilation: 1,
        };
        let fraction = |value: f32| (value * 0.618_034 + 0.1).sin();
        let made = |count, seed| -> Vec<f32> {
            (0..count)
                .map(|i| fraction((i * 7 + seed) as f32))
                .collect()
        };
        let input = made(geometry.batch * geometry.image(), 1);
        let weight = made(geometry.weights(), 2);
        let gradient = made(geometry.batch * geometry.out_image(), 3);
        let input = lanes(&input, [5, channels[0], size * size]);
        let gradient = lanes(&gradient, [5, channels[1], geometry.out_pixels()]);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let workspace = &mut Workspace::default();
                let (mut output, mut of_input) = (gradient.clone(), input.clone());
                let mut of_weight = vec![0.0; weight.len()];
                training::forward(&input, &weight, &geometry, workspace, &mut output);
                training::grad_input(
                    &gradient,
                    &weight,
                    &geometry,
                    Held::Residual,
                    workspace,
                    &mut of_input,
                );
                training::grad_weight(&input, &gradient, &geometry, workspace, &mut of_weight);
                (output, of_input, of_weight)
            })
        };
        let one = run(1);
        for threads in [2, 3, 16] {
            assert!(run(threads) == one, "{threads} threads, {geometry:?}");
        }
    }
}

#[test]
fn max_pooling_gives_each_gradient_to_the_first_of_equal_maxima() {
    let geometry = PoolGeometry {
        planes: 1,
        height: 3,
        width: 3,
        kernel: 3,
        stride: 2,
        padding: 1,
    };
    // Each channel with two equal maxima in the overlap of all four windows, and one with two that are no numbers in the first
    // and of which the third sees one.
    let mut input = vec![[0.0f32; 16]; 9];
    for pixel in [4, 5] {
        input[pixel][..15].fill(5.0);
    }
    for pixel in [0, 3] {
        input[pixel][15] = f32::NAN;
    }
    let gradient = [[1.0; 16], [2.0; 16], [3.0; 16], [4.0; 16]];
    for isa in isa::available() {
        isa::with(isa, || {
            let (mut maxima, mut result) = (vec![[0.0; 16]; 4], vec![[f32::NAN; 16]; 9]);
            pool::maxima(&input, &geometry, &mut maxima);
            assert!(maxima[0][15].is_nan() && maxima[3][15] == 0.0, "{isa:?}");
            assert!(maxima.iter().all(|lane| lane[..15] == [5.0; 15]), "{isa:?}");
            pool::grad_maxima(&input, &maxima, &gradient, &geometry, &mut result);
            let of =
                |channel: usize| -> Vec<f32> { result.iter().map(|lane| lane[channel]).collect() };
            let expected = [0.0, 0.0, 0.0, 0.0, 10.0, 0.0, 0.0, 0.0, 0.0];
            assert_eq!(of(0), expected, "{isa:?}");
            let expected = [0.0, 2.0, 0.0, 4.0, 4.0, 0.0, 0.0, 0.0, 0.0];
            assert_eq!(of(15), expected, "{isa:?}");
        });
    }
}

#[test]
fn an_image_of_many_tiles_and_merged_images_equal_seven_loops_with_any_threads() {
    let shapes = [
        (1, 70, 45, 1, 3, 2),
        (2, 64, 64, 2, 3, 2),
        (5, 40, 33, 1, 3, 1),
        (3, 50, 41, 1, 1, 2),
        (21, 8, 8, 1, 3, 1),
        (21, 8, 8, 1, 3, 2),
        (2, 70, 45, 2, 7, 1),
        (2, 132, 130, 1, 3, 1),
    ];
    for threads in [1, 2, 8] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        for (batch, height, width, stride, kernel, groups) in shapes {
            let geometry = ConvGeometry {
                batch,
                // The stem's kernel reads pictures.
                in_channels: if kernel == 7 { 3 } else { 4 },
                out_channels: 6,
                groups,
                height,
                width,
                kernel,
                stride,
                padding: kernel / 2,
                dilation: 1,
            };
            pool.install(|| check(&geometry));
        }
    }
}

#[test]
fn sums_over_more_channels_than_are_added_in_one_go_equal_seven_loops() {
    // (kernel, channels, side)
    for (kernel, channels, side) in [
        (1, [144, 80], 9),
        (1, [300, 20], 15),
        (3, [144, 48], 5),
        (3, [128, 144], 9),
    ] {
        check(&ConvGeometry {
            batch: 2,
            in_channels: channels[0],
            out_channels: channels[1],
            groups: 1,
            height: side,
            width: side,
            kernel,
            stride: 1,
            padding: kernel / 2,
            dilation: 1,
        });
    }
}

#[test]
fn algorithms_are_chosen_by_shape_and_instruction_set() {
    use Algorithm::{Direct, Winograd};
    use winograd::Tile::{Four, Two};
    // (batch, channels, side, what AVX-512, AVX2 and the portable loops take), kernel 3 and stride 1.
    for (batch, channels, side, taken) in [
        (1, 64, 56, [Winograd(Four); 3]),
        (1, 256, 14, [Winograd(Two), Winograd(Four), Winograd(Four)]),
        (1, 512, 7, [Direct, Winograd(Two), Winograd(Four)]),
        (8, 512, 7, [Winograd(Four); 3]),
        (128, 64, 32, [Winograd(Four); 3]),
        (1, 512, 1, [Direct; 3]),
    ] {
        let geometry = ConvGeometry {
            batch,
            in_channels: channels,
            out_channels: channels,
            groups: 1,
            height: side,
            width: side,
            kernel: 3,
            stride: 1,
            padding: 1,
            dilation: 1,
        };
        for isa in isa::available() {
            let chosen = isa::with(isa, || choose(&geometry));
            let set = match isa {
                Isa::Avx512 => 0,
                Isa::Avx2 => 1,
                Isa::Portable => 2,
            };
            assert_eq!(chosen, taken[set], "{isa:?}, {geometry:?}");
            // What Winograd cannot do is done directly.
            for other in [
                ConvGeometry {
                    stride: 2,
                    ..geometry
                },
                ConvGeometry {
                    groups: 2,
                    ..geometry
                },
                ConvGeometry {
                    kernel: 1,
                    padding: 0,
                    ..geometry
                },
            ] {
                assert_eq!(isa::with(isa, || choose(&other)), Direct, "{other:?}");
            }
        }
    }
}
