//! The text of `--version`: the release, the features built in and the instruction set in use.

use resnet_kernels::cpu;
use std::sync::LazyLock;

/// Returns the release.
pub fn short() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Returns the release, the features beyond the default ones and those missing of these, and the instruction set.
pub fn long() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(text);
    &TEXT
}

fn text() -> String {
    let features: Vec<&str> = [
        ("accelerate", cfg!(feature = "accelerate")),
        ("cuda", cfg!(feature = "cuda")),
        ("cudnn", cfg!(feature = "cudnn")),
        ("metal", cfg!(feature = "metal")),
        ("mkl", cfg!(feature = "mkl")),
        ("nccl", cfg!(feature = "nccl")),
    ]
    .into_iter()
    .filter_map(|(name, built)| built.then_some(name))
    .collect();
    let features = if features.is_empty() {
        "none".to_owned()
    } else {
        features.join(", ")
    };
    let missing: Vec<&str> = [
        ("datasets", cfg!(feature = "datasets")),
        ("hub", cfg!(feature = "hub")),
        ("mpi", cfg!(feature = "mpi")),
        ("png-plots", cfg!(feature = "png-plots")),
    ]
    .into_iter()
    .filter_map(|(name, built)| (!built).then_some(name))
    .collect();
    let missing = if missing.is_empty() {
        String::new()
    } else {
        format!("; without {}", missing.join(", "))
    };
    let isa = cpu::current().name();
    format!(
        "{}\nfeatures: {features}{missing}\ninstruction set: {isa}",
        short()
    )
}
