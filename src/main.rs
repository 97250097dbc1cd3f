//! The `resnet` binary.
fn main() {}
