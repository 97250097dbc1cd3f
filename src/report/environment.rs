//! The program and the machine that made a report.

use std::fs;

use resnet_kernels::cpu;

/// Returns the program, the instruction set, the threads and the system; `device` is the device that ran the model.
pub fn environment(device: &str) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("resnet", env!("CARGO_PKG_VERSION").to_owned()),
        ("device", device.to_owned()),
        ("instruction set", cpu::current().name().to_owned()),
        ("threads", rayon::current_num_threads().to_string()),
        (
            "system",
            format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        ),
    ];
    facts.extend(processor().map(|name| ("processor", name)));
    facts
}

/// Returns the processor's name, if the system has it.
fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
