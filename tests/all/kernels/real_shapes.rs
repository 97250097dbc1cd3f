//! Tests of the kernels against seven nested loops, over all shapes of real networks.

use crate::kernels::conv::check;
use resnet::kernels::ConvGeometry;
use resnet::model::description::Call;
use resnet::model::{ModelConfig, describe};
use std::collections::HashSet;

/// Covers every convolution of every network of the family at 64 px, with fewer channels, so that seven loops finish in
/// time.
#[test]
fn convolutions_equal_seven_loops_over_the_shapes_of_real_nets() {
    let mut shapes = HashSet::new();
    for name in resnet::model::config::NAMES {
        let config = ModelConfig::named(name).unwrap();
        let calls = describe(&config, [2, 3, 64, 64]).unwrap().calls;
        for real in calls.iter().filter_map(Call::convolution) {
            let groups = real.groups.min(4);
            let thin = |channels: usize| {
                (channels / 16)
                    .clamp(3.min(channels), 12)
                    .next_multiple_of(groups)
            };
            let geometry = ConvGeometry {
                in_channels: thin(real.in_channels),
                out_channels: thin(real.out_channels),
                groups,
                ..real
            };
            let shape = (
                geometry.in_channels,
                geometry.out_channels,
                groups,
                geometry.height,
                geometry.kernel,
                geometry.stride,
            );
            if shapes.insert(shape) {
                check(&geometry);
            }
        }
    }
    assert!(shapes.len() > 30, "{}", shapes.len());
}
