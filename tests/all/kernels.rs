//! The kernels against seven nested loops, over odd shapes and over all shapes of real nets.

use resnet::kernels::{ConvGeometry, PoolGeometry, convolution, pool};
use resnet::model::description::ModuleKind;
use resnet::model::{ModelConfig, describe};
use std::collections::HashSet;

/// Small whole numbers: every sum is exact in f32, so that any order gives the same.
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

fn check(geometry: &ConvGeometry) {
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
    assert_eq!(
        convolution::forward(&input, &weight, geometry),
        output,
        "forward {geometry:?}"
    );
    assert_eq!(
        convolution::grad_input(&gradient, &weight, geometry),
        grad_input,
        "input's gradient {geometry:?}"
    );
    assert_eq!(
        convolution::grad_weight(&input, &gradient, geometry),
        grad_weight,
        "weights' gradient {geometry:?}"
    );
}

#[test]
fn convolution_and_its_gradients_equal_seven_loops_over_odd_shapes() {
    let mut checked = 0;
    for (kernel, padding) in [(1, 0), (1, 1), (2, 0), (3, 0), (3, 1), (3, 2), (7, 3)] {
        for stride in [1, 2, 3] {
            for dilation in [1, 2] {
                for (groups, channels) in [(1, [3, 5]), (2, [4, 6]), (4, [4, 4])] {
                    for (batch, height, width) in [
                        (1, 1, 1),
                        (1, 9, 4),
                        (2, 5, 8),
                        (9, 3, 3),
                        (13, 8, 8),
                        (5, 17, 17),
                    ] {
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
    }
    assert!(checked > 300, "{checked}");
}

/// Every convolution of every net of the family at 64 px, its channels thinned so that seven loops end today.
#[test]
fn convolution_and_its_gradients_equal_seven_loops_over_the_shapes_of_real_nets() {
    let mut shapes = HashSet::new();
    for name in resnet::model::config::NAMES {
        let config = ModelConfig::named(name).unwrap();
        for call in describe(&config, [2, 3, 64, 64]).unwrap().calls {
            if let ModuleKind::Conv2d {
                channels,
                kernel,
                stride,
                padding,
                dilation,
                groups,
            } = call.kind
            {
                let groups = groups.min(4);
                let thin = |channels: usize| {
                    (channels / 16)
                        .clamp(3.min(channels), 12)
                        .next_multiple_of(groups)
                };
                let geometry = ConvGeometry {
                    batch: call.input[0],
                    in_channels: thin(channels[0]),
                    out_channels: thin(channels[1]),
                    groups,
                    height: call.input[2],
                    width: call.input[3],
                    kernel,
                    stride,
                    padding,
                    dilation,
                };
                let shape = (
                    geometry.in_channels,
                    geometry.out_channels,
                    groups,
                    geometry.height,
                    kernel,
                    stride,
                );
                if shapes.insert(shape) {
                    check(&geometry);
                }
            }
        }
    }
    assert!(shapes.len() > 30, "{}", shapes.len());
}

#[test]
fn max_pooling_gives_each_gradient_to_the_first_of_equal_maxima() {
    // Two equal maxima in the overlap of all four windows.
    let input = [0.0, 0.0, 0.0, 0.0, 5.0, 5.0, 0.0, 0.0, 0.0];
    let geometry = PoolGeometry {
        planes: 1,
        height: 3,
        width: 3,
        kernel: 3,
        stride: 2,
        padding: 1,
    };
    let (maxima, places) = pool::forward(&input, &geometry);
    assert_eq!(maxima, [5.0, 5.0, 5.0, 5.0]);
    assert_eq!(places, [4, 4, 4, 4]);
    let gradient = pool::grad_input(&[1.0, 2.0, 3.0, 4.0], &places, &geometry);
    assert_eq!(gradient, [0.0, 0.0, 0.0, 0.0, 10.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn an_image_of_many_tiles_and_merged_images_equal_seven_loops_with_any_threads() {
    let shapes = [
        (1, 70, 45, 1, 3),
        (2, 64, 64, 2, 3),
        (5, 40, 33, 1, 3),
        (3, 50, 41, 1, 1),
        (21, 8, 8, 1, 3),
    ];
    for threads in [1, 2, 8] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        for (batch, height, width, stride, kernel) in shapes {
            let geometry = ConvGeometry {
                batch,
                in_channels: 4,
                out_channels: 6,
                groups: 2,
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
