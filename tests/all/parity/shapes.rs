//! The shapes over which the kernels are tested are those of the networks.

use resnet::model::description::ModuleCall;
use resnet::model::{ModelConfig, describe};
use std::collections::BTreeSet;

/// The networks with the paper's and torchvision's shapes, and one of each kind of timm's.
const NETWORKS: [&str; 21] = [
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "wide_resnet50_2",
    "wide_resnet101_2",
    "resnet20",
    "resnet32",
    "resnet44",
    "resnet56",
    "resnet110",
    "resnet26t",
    "resnet50d",
    "resnet50s",
    "resnetrs50",
    "senet154",
    "test_resnet",
];

#[test]
fn the_kernels_are_tested_over_every_convolution_of_these_networks() {
    let mut shapes = BTreeSet::new();
    for name in NETWORKS {
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
