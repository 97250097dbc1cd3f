//! What a report says of the program and the machine that made it.

use std::fs;

use crate::kernels::isa;

/// The program, the instruction set, the threads and the system; `device` is where the net was computed.
pub fn environment(device: &str) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("resnet", env!("CARGO_PKG_VERSION").to_owned()),
        ("device", device.to_owned()),
        ("instruction set", isa::current().name().to_owned()),
        ("threads", rayon::current_num_threads().to_string()),
        (
            "system",
            format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        ),
    ];
    facts.extend(processor().map(|name| ("processor", name)));
    facts
}

/// The processor's name, where the system says it.
fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
