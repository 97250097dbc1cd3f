//! The call of a kernel in the instruction set in use.

use super::portable::Portable;
use super::vector::Simd;
#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx512::Avx512};
#[cfg(target_arch = "x86_64")]
use crate::cpu::{self, Isa};

/// Work that is compiled for every set.
pub trait Job {
    /// Result of the work.
    type Output;
    /// Runs the work.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Runs `job` in the set in use.
pub fn dispatch<J: Job>(job: J) -> J::Output {
    #[cfg(target_arch = "x86_64")]
    match cpu::current() {
        Isa::Avx512 => {
            if let Some(simd) = pulp::x86::V4::try_new() {
                return job.run(Avx512(simd));
            }
        }
        Isa::Avx2 => {
            if let Some(simd) = pulp::x86::V3::try_new() {
                return job.run(Avx2(simd));
            }
        }
        Isa::Portable => {}
    }
    job.run(Portable)
}
