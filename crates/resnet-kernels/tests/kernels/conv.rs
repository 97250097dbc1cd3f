//! Convolutions and their gradients, compared with seven nested loops over odd shapes, and with themselves on other numbers of threads.

use crate::loops::{blocked, check};
use resnet_kernels::conv::{self, Workspace};
use resnet_kernels::{ConvGeometry, OutputInit};

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
                // The stem's kernel reads images.
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
        let input = blocked(&input, [5, channels[0], size * size]);
        let gradient = blocked(&gradient, [5, channels[1], geometry.out_pixels()]);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let workspace = &mut Workspace::default();
                let (mut output, mut of_input) = (gradient.clone(), input.clone());
                let mut of_weight = vec![0.0; weight.len()];
                conv::forward(&input, &weight, &geometry, workspace, &mut output);
                conv::grad_input(
                    &gradient,
                    &weight,
                    &geometry,
                    OutputInit::Residual,
                    workspace,
                    &mut of_input,
                );
                conv::grad_weight(&input, &gradient, &geometry, workspace, &mut of_weight);
                (output, of_input, of_weight)
            })
        };
        let one = run(1);
        for threads in [2, 3, 16] {
            assert!(run(threads) == one, "{threads} threads, {geometry:?}");
        }
    }
}
