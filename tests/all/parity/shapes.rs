//! The shapes over which the kernels are tested are those of the networks.

use resnet::model::description::ModuleCall;
use resnet::model::{ModelConfig, describe};
use std::collections::BTreeSet;

#[test]
fn the_kernels_are_tested_over_every_convolution_of_every_network() {
    let mut shapes = BTreeSet::new();
    for name in resnet::model::config::NAMES {
        let config = ModelConfig::named(name).unwrap();
        let calls = describe(&config, [2, 3, 64, 64]).unwrap().calls;
        for shape in calls.iter().filter_map(ModuleCall::convolution) {
            assert_eq!((shape.height, shape.dilation), (shape.width, 1), "{name}");
            shapes.insert([
                shape.in_channels,
                shape.out_channels,
                shape.groups,
                shape.height,
                shape.kernel,
                shape.stride,
                shape.padding,
            ]);
        }
    }
    let header = "in_channels,out_channels,groups,side,kernel,stride,padding".to_owned();
    let rows = shapes
        .iter()
        .map(|shape| shape.map(|field| field.to_string()).join(","));
    let table = std::iter::once(header).chain(rows).collect::<Vec<_>>();
    let table = table.join("\n") + "\n";
    let tested = include_str!("../../../crates/resnet-kernels/tests/kernels/real_shapes.csv");
    assert!(table == tested, "the table should be:\n{table}");
}
