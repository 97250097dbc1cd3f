//! Random numbers as a pure function of a seed and a purpose, so that a run can be repeated and resumed.
//!
//! Candle's CPU generator cannot be seeded, so this module has its own: `SplitMix64`, from Fast Splittable Pseudorandom
//! Number Generators, <https://doi.org/10.1145/2660193.2660195>. Every use draws from its own stream, named by its
//! purpose and by numbers such as epoch and image: no draw depends on earlier draws elsewhere.

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Creates the stream of `purpose` under `seed`.
    pub fn new(seed: u64, purpose: &str) -> Self {
        // FNV-1a spreads the name over the state.
        let hash = purpose
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        let mut random = Self { state: seed };
        random.state = random.bits() ^ hash;
        random
    }

    /// Creates the stream of `purpose` for one position in a run, such as `[epoch, image]`.
    pub fn at(seed: u64, purpose: &str, place: &[u64]) -> Self {
        let mut random = Self::new(seed, purpose);
        for &number in place {
            random.state = random.bits() ^ number;
        }
        random
    }

    /// Returns 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number uniformly distributed in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Returns a number uniformly distributed in [low, high).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Returns an integer below `bound`, uniformly distributed up to a bias of 2^-64.
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "no number is below 0");
        ((u128::from(self.bits()) * bound as u128) >> 64) as usize
    }

    /// Returns true with probability `probability`.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Returns a normally distributed number with mean 0 and standard deviation 1, by the Box-Muller transform.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Returns a Beta(a, b) distributed number, with `a` and `b` above 0: in 0..=1, with mean a / (a + b).
    pub fn beta(&mut self, a: f64, b: f64) -> f64 {
        // The first gamma variate's share of the sum of two, computed from logarithms, because those of small shapes
        // underflow.
        let difference = self.log_gamma(b) - self.log_gamma(a);
        1.0 / (1.0 + difference.exp())
    }

    /// Returns the logarithm of a gamma variate of shape `a`: A Simple Method for Generating Gamma Variables (Marsaglia
    /// and Tsang), <https://doi.org/10.1145/358407.358414>.
    fn log_gamma(&mut self, a: f64) -> f64 {
        if a < 1.0 {
            let above = self.log_gamma(a + 1.0);
            return above + (1.0 - self.uniform()).ln() / a;
        }
        let d = a - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            let u = 1.0 - self.uniform();
            if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return (d * v).ln();
            }
        }
    }

    /// Shuffles `items` (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_mean_zero_and_std_one() {
        let mut random = Random::new(1, "x");
        let values: Vec<f64> = (0..100_000).map(|_| random.normal()).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(
            mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02,
            "{mean} {variance}"
        );
    }

    #[test]
    fn beta_numbers_have_the_mean_and_the_variance_of_their_shapes() {
        for (a, b) in [(1.0, 1.0), (0.2, 0.2), (2.0, 5.0), (0.5, 3.0)] {
            let mut random = Random::new(1, "x");
            let values: Vec<f64> = (0..50_000).map(|_| random.beta(a, b)).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let variance =
                values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
            let expected = a * b / ((a + b) * (a + b) * (a + b + 1.0));
            assert!((mean - a / (a + b)).abs() < 0.005, "{a} {b}: {mean}");
            assert!((variance - expected).abs() < 0.003, "{a} {b}: {variance}");
        }
        let mut random = Random::new(1, "x");
        let mut ends = (0..1000).map(|_| random.beta(1e-9, 1e-9));
        assert!(ends.all(|v| [0.0, 1.0].contains(&v)));
    }

    #[test]
    fn places_purposes_and_seeds_have_streams_of_their_own() {
        let mut firsts = vec![
            Random::new(0, "a").bits(),
            Random::new(1, "a").bits(),
            Random::new(0, "b").bits(),
            Random::at(0, "a", &[0]).bits(),
            Random::at(0, "a", &[1]).bits(),
            Random::at(0, "a", &[0, 1]).bits(),
            Random::at(0, "a", &[1, 0]).bits(),
        ];
        assert_eq!(firsts[0], Random::new(0, "a").bits());
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 7);
    }

    #[test]
    fn a_shuffle_keeps_every_item_and_numbers_stay_below_their_bound() {
        let mut random = Random::new(3, "x");
        let mut items: Vec<usize> = (0..100).collect();
        random.shuffle(&mut items);
        assert!(!items.is_sorted());
        items.sort_unstable();
        assert!(items.into_iter().eq(0..100));
        let mut counts = [0; 5];
        for _ in 0..5000 {
            counts[random.below(5)] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)));
    }
}
