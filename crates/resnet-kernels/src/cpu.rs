//! The instruction set in use: the best one that the processor has, or a lower one named by `RESNET_ISA`.

use std::cell::Cell;
use std::sync::OnceLock;

/// An instruction set that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Plain loops, as the compiler vectorizes them.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, CD, BW, DQ and VL.
    Avx512,
}

static CURRENT: OnceLock<Isa> = OnceLock::new();

thread_local! {
    /// The set of this thread, if it differs from that of the process.
    static OWN: Cell<Option<Isa>> = const { Cell::new(None) };
}

/// Returns the best set of this processor.
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

/// Returns the set in use. The first call decides: the one that [`select`] chose before, or the best.
pub fn current() -> Isa {
    OWN.get().unwrap_or_else(|| *CURRENT.get_or_init(detect))
}

/// Returns the sets of this processor, the simplest first.
pub fn available() -> impl Iterator<Item = Isa> {
    let best = detect();
    let known = [Isa::Portable, Isa::Avx2, Isa::Avx512];
    known.into_iter().filter(move |&isa| isa <= best)
}

/// Runs `work` with its kernels in one of the [`available`] sets, to compare them.
pub fn with<R>(isa: Isa, work: impl FnOnce() -> R) -> R {
    let before = OWN.replace(Some(isa.min(detect())));
    let result = work();
    OWN.set(before);
    result
}

/// Selects the set called `name`, before any kernel has run; an empty name selects the best. The error lists the
/// available names.
pub fn select(name: &str) -> Result<Isa, String> {
    let best = detect();
    let wanted = match name {
        "" => Some(best),
        name => available().find(|isa| isa.name() == name),
    };
    let Some(wanted) = wanted else {
        let names: Vec<String> = available().map(|isa| format!("`{}`", isa.name())).collect();
        return Err(format!(
            "`{name}` is not available: this processor has {}",
            names.join(", ")
        ));
    };
    Ok(*CURRENT.get_or_init(|| wanted))
}

impl Isa {
    /// Returns the name of the set in `RESNET_ISA`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}
