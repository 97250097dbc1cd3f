//! The transforms of a tile: of its inputs, of a kernel, and of its products.
//!
//! They follow from points `p` at which polynomials are multiplied, the last of which is infinity. A kernel is
//! evaluated at the points, the inputs are multiplied with `prod (x - q) / (x - p)` over the finite points q, and the
//! products are summed with powers of the points.

use crate::simd::Simd;

/// The tile of `OUT` by `OUT` outputs and `IN` by `IN` inputs.
pub struct Square<const OUT: usize, const IN: usize>;

/// The transforms along one axis.
pub trait Transform<const OUT: usize, const IN: usize> {
    /// The finite points.
    const FINITE: &[f64];

    /// Computes `B^T d`.
    fn inputs<S: Simd>(simd: S, d: [S::V; IN]) -> [S::V; IN];

    /// Computes `A^T m`.
    fn outputs<S: Simd>(simd: S, m: [S::V; IN]) -> [S::V; OUT];

    /// Returns `G`: one row per point.
    fn kernel() -> [[f32; 3]; IN] {
        let points = Self::FINITE;
        let mut rows = [[0.0, 0.0, 1.0f64]; IN];
        for (i, &point) in points.iter().enumerate() {
            let others = points.iter().enumerate().filter(|&(j, _)| j != i);
            let scale: f64 = others.map(|(_, &other)| point - other).product();
            rows[i] = [1.0 / scale, point / scale, point * point / scale];
        }
        rows.map(|row| row.map(|value| value as f32))
    }
}

impl Transform<2, 4> for Square<2, 4> {
    const FINITE: &[f64] = &[0.0, 1.0, -1.0];

    #[inline(always)]
    fn inputs<S: Simd>(simd: S, d: [S::V; 4]) -> [S::V; 4] {
        [
            simd.sub(d[2], d[0]),
            simd.add(d[2], d[1]),
            simd.sub(d[2], d[1]),
            simd.sub(d[3], d[1]),
        ]
    }

    #[inline(always)]
    fn outputs<S: Simd>(simd: S, m: [S::V; 4]) -> [S::V; 2] {
        [
            simd.add(m[0], simd.add(m[1], m[2])),
            simd.add(simd.sub(m[1], m[2]), m[3]),
        ]
    }
}

/// The first pair of points of the large tile, and its square.
const A: f32 = std::f32::consts::FRAC_1_SQRT_2;
const A2: f32 = 0.5;
/// The second pair, and its square: `a² b²` is 1.
const B: f32 = std::f32::consts::SQRT_2;
const B2: f32 = 2.0;

/// The points differ from the usual 0, ±1, ±2: with `a² = ½`, `b² = 2` there are as many operations, and the rounding
/// errors are about a third.
impl Transform<4, 6> for Square<4, 6> {
    const FINITE: &[f64] = &[
        0.0,
        std::f64::consts::FRAC_1_SQRT_2,
        -std::f64::consts::FRAC_1_SQRT_2,
        std::f64::consts::SQRT_2,
        -std::f64::consts::SQRT_2,
    ];

    #[inline(always)]
    fn inputs<S: Simd>(simd: S, d: [S::V; 6]) -> [S::V; 6] {
        let constant = |value: f32| simd.splat(value);
        let sum = A2 + B2;
        // Even and odd parts of the rows of a pair.
        let even_a = simd.mul_add(d[2], constant(-B2), d[4]);
        let odd_a = simd.mul_add(d[1], constant(-B2), d[3]);
        let even_b = simd.mul_add(d[2], constant(-A2), d[4]);
        let odd_b = simd.mul_add(d[1], constant(-A2), d[3]);
        [
            simd.add(simd.mul_add(d[2], constant(-sum), d[4]), d[0]),
            simd.mul_add(odd_a, constant(A), even_a),
            simd.mul_add(odd_a, constant(-A), even_a),
            simd.mul_add(odd_b, constant(B), even_b),
            simd.mul_add(odd_b, constant(-B), even_b),
            simd.add(simd.mul_add(d[3], constant(-sum), d[5]), d[1]),
        ]
    }

    #[inline(always)]
    fn outputs<S: Simd>(simd: S, m: [S::V; 6]) -> [S::V; 4] {
        let constant = |value: f32| simd.splat(value);
        let (sum_a, difference_a) = (simd.add(m[1], m[2]), simd.sub(m[1], m[2]));
        let (sum_b, difference_b) = (simd.add(m[3], m[4]), simd.sub(m[3], m[4]));
        [
            simd.add(simd.add(m[0], sum_a), sum_b),
            simd.mul_add(
                difference_a,
                constant(A),
                simd.mul(difference_b, constant(B)),
            ),
            simd.mul_add(sum_a, constant(A2), simd.mul(sum_b, constant(B2))),
            simd.add(
                simd.mul_add(
                    difference_a,
                    constant(A * A2),
                    simd.mul(difference_b, constant(B * B2)),
                ),
                m[5],
            ),
        ]
    }
}

impl Square<4, 6> {
    /// Computes `A e`: the transpose of `outputs`.
    #[inline(always)]
    pub fn gradients<S: Simd>(simd: S, e: [S::V; 4]) -> [S::V; 6] {
        let constant = |value: f32| simd.splat(value);
        // Even and odd powers of the points of a pair.
        let even_a = simd.mul_add(e[2], constant(A2), e[0]);
        let odd_a = simd.mul_add(e[3], constant(A2), e[1]);
        let even_b = simd.mul_add(e[2], constant(B2), e[0]);
        let odd_b = simd.mul_add(e[3], constant(B2), e[1]);
        [
            e[0],
            simd.mul_add(odd_a, constant(A), even_a),
            simd.mul_add(odd_a, constant(-A), even_a),
            simd.mul_add(odd_b, constant(B), even_b),
            simd.mul_add(odd_b, constant(-B), even_b),
            e[3],
        ]
    }
}
