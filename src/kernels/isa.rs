//! The instruction set in use: the best one that the processor has, or a lower one named by `RESNET_ISA`.
//!
//! The fast matrix product picks its instructions itself, at run time; `portable` replaces it by the plain one of this
//! crate, for tests and comparisons.

use std::sync::OnceLock;

/// An instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// What the compiler makes of plain loops.
    Portable,
    /// The best set found: its name.
    Native(&'static str),
}

static CURRENT: OnceLock<Isa> = OnceLock::new();

/// The best set of this processor.
pub fn detect() -> Isa {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            return Isa::Native("avx512");
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
        {
            return Isa::Native("avx2");
        }
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        return Isa::Native("neon");
    }
    Isa::Portable
}

/// The set in use. The first call decides: what [`select`] chose before, or the best.
pub fn current() -> Isa {
    *CURRENT.get_or_init(detect)
}

/// Chooses the set that `name` means before any kernel has run. The error says which names there are.
pub fn select(name: &str) -> Result<Isa, String> {
    let best = detect();
    let wanted = match name {
        "" => best,
        "portable" => Isa::Portable,
        name if best.name() == name => best,
        _ => {
            return Err(format!(
                "`{name}` cannot be chosen: it is `portable` or this processor's `{}`",
                best.name()
            ));
        }
    };
    Ok(*CURRENT.get_or_init(|| wanted))
}

impl Isa {
    /// The name that `RESNET_ISA` knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Native(name) => name,
        }
    }
}
