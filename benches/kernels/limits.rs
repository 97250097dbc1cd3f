//! The limits of the machine.

use rayon::prelude::*;
use resnet_kernels::simd::{ChannelBlock, Job, LANES, Simd, dispatch};
use std::fmt;
use std::hint::black_box;
use std::time::Instant;

/// The limits of all threads together.
pub struct Limits {
    /// Billions of additions and multiplications per second.
    pub gflops: f64,
    /// Gigabytes per second read from memory.
    pub gbytes: f64,
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "limits: {:.0} GFLOP/s in registers, {:.1} GB/s from memory",
            self.gflops, self.gbytes
        )
    }
}

/// Number of vectors that are summed at once.
const CHAINS: usize = 12;
/// Number of repetitions.
const TURNS: usize = 4_000_000;

struct Sums;

impl Job for Sums {
    type Output = ();

    fn run<S: Simd>(self, simd: S) {
        // Unrolled, so that all stay in registers.
        macro_rules! sum {
            ($x:ident, $y:ident, $($sum:ident)*) => {
                $(let mut $sum = $x;)*
                for _ in 0..TURNS {
                    $($sum = simd.mul_add($x, $y, $sum);)*
                }
                let mut lane = [0.0; LANES];
                $(simd.store(&mut lane, $sum); black_box(&lane);)*
            };
        }
        simd.vectorize(
            #[inline(always)]
            || {
                let (x, y) = (simd.splat(black_box(0.5)), simd.splat(black_box(0.25)));
                // Two times six if a vector takes two of sixteen registers.
                if S::BLOCKS > 1 {
                    sum!(x, y, a b c d e f g h i j k l);
                } else {
                    sum!(x, y, a b c d e f);
                    sum!(x, y, g h i j k l);
                }
            },
        );
    }
}

/// Returns the fastest of five runs.
fn fastest(mut work: impl FnMut()) -> f64 {
    let times = (0..5).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}

pub fn measure() -> Limits {
    let threads = rayon::current_num_threads();
    let seconds = fastest(|| {
        rayon::broadcast(|_| dispatch(Sums));
    });
    let operations = 2 * threads * TURNS * CHAINS * LANES;
    let memory: Vec<ChannelBlock> = vec![[1.0; LANES]; 4 << 20];
    let reading = fastest(|| {
        let sums = memory
            .par_chunks(memory.len().div_ceil(8 * threads))
            .map(|part| {
                let mut sum = [0.0; LANES];
                for lane in part {
                    for (sum, value) in sum.iter_mut().zip(lane) {
                        *sum += value;
                    }
                }
                sum[0]
            });
        black_box(sums.sum::<f32>());
    });
    Limits {
        gflops: operations as f64 / seconds / 1e9,
        gbytes: size_of_val(memory.as_slice()) as f64 / reading / 1e9,
    }
}
