//! The instruction set in use: the best one that the processor has, or a lower one named by `RESNET_ISA`.

use std::sync::OnceLock;

/// An instruction set that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// What the compiler makes of plain loops.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, CD, BW, DQ and VL.
    Avx512,
}

static CURRENT: OnceLock<Isa> = OnceLock::new();

/// The best set of this processor.
pub fn detect() -> Isa {
    #[cfg(target_arch = "x86_64")]
    {
        if pulp::x86::V4::try_new().is_some() {
            return Isa::Avx512;
        }
        if pulp::x86::V3::try_new().is_some() {
            return Isa::Avx2;
        }
    }
    Isa::Portable
}

/// The set in use. The first call decides: what [`select`] chose before, or the best.
pub fn current() -> Isa {
    *CURRENT.get_or_init(detect)
}

/// Chooses the set that `name` means before any kernel has run; nothing means the best. The error says which names there
/// are.
pub fn select(name: &str) -> Result<Isa, String> {
    let best = detect();
    let known = [Isa::Portable, Isa::Avx2, Isa::Avx512];
    let mut there = known.into_iter().filter(|&isa| isa <= best);
    let wanted = match name {
        "" => Some(best),
        name => there.clone().find(|isa| isa.name() == name),
    };
    let Some(wanted) = wanted else {
        let names: Vec<String> = there
            .by_ref()
            .map(|isa| format!("`{}`", isa.name()))
            .collect();
        return Err(format!(
            "`{name}` cannot be chosen: this processor has {}",
            names.join(", ")
        ));
    };
    Ok(*CURRENT.get_or_init(|| wanted))
}

impl Isa {
    /// The name that `RESNET_ISA` knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}
