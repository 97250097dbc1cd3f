//! Tests of the kernels against seven nested loops, over all shapes of real networks.

use crate::loops::check;
use resnet_kernels::ConvGeometry;
use std::collections::HashSet;

/// Every convolution of every network of the family at 64 px, one per line. A test of the networks keeps it complete.
const SHAPES: &str = include_str!("real_shapes.csv");

/// Covers all of them with fewer channels, so that seven loops finish in time.
#[test]
fn convolutions_equal_seven_loops_over_the_shapes_of_real_networks() {
    let mut checked = HashSet::new();
    for line in SHAPES.lines().skip(1) {
        let fields: Vec<usize> = line
            .split(',')
            .map(|field| field.parse().unwrap())
            .collect();
        let &[
            in_channels,
            out_channels,
            groups,
            side,
            kernel,
            stride,
            padding,
        ] = fields.as_slice()
        else {
            panic!("{line}");
        };
        let groups = groups.min(4);
        let thin = |channels: usize| {
            (channels / 16)
                .clamp(3.min(channels), 12)
                .next_multiple_of(groups)
        };
        let geometry = ConvGeometry {
            batch: 2,
            in_channels: thin(in_channels),
            out_channels: thin(out_channels),
            groups,
            height: side,
            width: side,
            kernel,
            stride,
            padding,
            dilation: 1,
        };
        let shape = (
            geometry.in_channels,
            geometry.out_channels,
            groups,
            side,
            kernel,
            stride,
        );
        if checked.insert(shape) {
            check(&geometry);
        }
    }
    assert!(checked.len() > 30, "{}", checked.len());
}
