//! Matrix products `C = A B` and `C += A B` of row-major or transposed f32 matrices.
//!
//! The fast form is the `gemm` crate's. Its blocks over the summed dimension depend on shapes and caches, never on the
//! number of threads, so neither do its bits.

use super::isa::{self, Isa};
use std::ops::Range;

/// A matrix inside a slice: element (r, c) is `values[r * row_stride + c * column_stride]`.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// `rows` times `columns` values, row after row, rows `row_stride` apart.
    ///
    /// # Panics
    /// Where the slice is too short for them.
    pub fn strided(values: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(rows == 0 || columns == 0 || (rows - 1) * row_stride + columns <= values.len());
        Self {
            values,
            rows,
            columns,
            row_stride,
            column_stride: 1,
        }
    }

    /// `rows` times `columns` values, row after row.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, rows, columns, columns)
    }

    /// The columns of `range`.
    fn columns(self, range: Range<usize>) -> Self {
        assert!(range.end <= self.columns);
        Self {
            values: &self.values[range.start * self.column_stride..],
            columns: range.len(),
            ..self
        }
    }

    /// The same with rows and columns exchanged.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// Terms that are summed in one go where rounding errors matter.
const PART: usize = 128;

/// What becomes of what `C` held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// `C = A B`
    Overwrite,
    /// `C += A B`
    Add,
}

/// Who computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// This thread alone.
    One,
    /// All threads of rayon's pool.
    All,
}

/// `C = A B` or `C += A B`, with `C` of `a.rows` rows that are `row_stride` apart in `c`.
///
/// # Panics
/// Where the inner dimensions differ or `c` is too short.
pub fn matmul(
    c: &mut [f32],
    row_stride: usize,
    a: Matrix,
    b: Matrix,
    store: Store,
    threads: Threads,
) {
    let (rows, columns, depth) = (a.rows, b.columns, a.columns);
    assert_eq!(depth, b.rows, "the inner dimensions of a product are equal");
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(columns <= row_stride && (rows - 1) * row_stride + columns <= c.len());
    match isa::current() {
        Isa::Portable => plain(c, row_stride, a, b, store),
        _ => fast(c, row_stride, a, b, store, threads),
    }
}

/// `C = A B`, the sums cut into parts of 128 terms that are then added up: rounding errors are about half of those of
/// one long sum (1.5e-7 to 1.8e-7 of the result's norm for 576 to 4608 terms, where [`matmul`] has 2.2e-7 to 2.9e-7), which
/// is as exact as oneDNN's convolutions, for a few percent of time at most.
///
/// A net's first digits do not need it, but its gradients feel it: each value whose error carries it over ReLU's edge
/// changes them at once.
///
/// # Panics
/// As [`matmul`].
pub fn matmul_by_parts(c: &mut [f32], row_stride: usize, a: Matrix, b: Matrix, threads: Threads) {
    if a.columns <= PART || a.rows == 0 || b.columns == 0 {
        return matmul(c, row_stride, a, b, Store::Overwrite, threads);
    }
    assert_eq!(
        a.columns, b.rows,
        "the inner dimensions of a product are equal"
    );
    let mut store = Store::Overwrite;
    for start in (0..a.columns).step_by(PART) {
        let part = start..(start + PART).min(a.columns);
        let rows = b.transposed().columns(part.clone()).transposed();
        matmul(c, row_stride, a.columns(part), rows, store, threads);
        store = Store::Add;
    }
}

#[expect(unsafe_code, reason = "the product of `gemm` takes pointers")]
fn fast(c: &mut [f32], row_stride: usize, a: Matrix, b: Matrix, store: Store, threads: Threads) {
    let parallelism = match threads {
        Threads::One => gemm::Parallelism::None,
        Threads::All => gemm::Parallelism::Rayon(rayon::current_num_threads()),
    };
    let add = store == Store::Add;
    // SAFETY: `Matrix::strided` has checked that the last element of `a` and of `b` lies in its slice and `matmul` the
    // same of `c`; strides are not negative; `c` is borrowed mutably, so it overlaps neither.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            c.as_mut_ptr(),
            1,
            row_stride as isize,
            add,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            if add { 1.0 } else { 0.0 },
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// The plain form and the oracle of the fast one: one row of `C` at a time, so that the inner loop runs along rows.
fn plain(c: &mut [f32], row_stride: usize, a: Matrix, b: Matrix, store: Store) {
    for (row, target) in c.chunks_mut(row_stride).take(a.rows).enumerate() {
        let target = &mut target[..b.columns];
        if store == Store::Overwrite {
            target.fill(0.0);
        }
        for depth in 0..a.columns {
            let factor = a.values[row * a.row_stride + depth * a.column_stride];
            let start = depth * b.row_stride;
            if b.column_stride == 1 {
                let values = &b.values[start..start + b.columns];
                for (sum, &value) in target.iter_mut().zip(values) {
                    *sum += factor * value;
                }
            } else {
                for (column, sum) in target.iter_mut().enumerate() {
                    *sum += factor * b.values[start + column * b.column_stride];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: usize, seed: usize) -> Vec<f32> {
        (0..count)
            .map(|i| ((i * 37 + seed * 11) % 23) as f32 - 11.0)
            .collect()
    }

    #[test]
    fn a_product_by_parts_is_the_product_and_is_more_exact() {
        // Whole numbers: all sums are exact.
        for (m, n, k) in [(3, 5, 127), (3, 5, 128), (16, 33, 129), (5, 17, 400)] {
            let (a, b) = (values(m * k, 1), values(n * k, 2));
            let (a, b) = (Matrix::new(&a, m, k), Matrix::new(&b, n, k).transposed());
            let (mut parts, mut whole) = (values(m * n, 3), values(m * n, 4));
            matmul_by_parts(&mut parts, n, a, b, Threads::One);
            matmul(&mut whole, n, a, b, Store::Overwrite, Threads::One);
            assert_eq!(parts, whole, "{m} x {n} x {k}");
        }
        let (m, n, k) = (16, 16, 4608);
        let fraction = |value: f32| (value * 0.618_034).fract();
        let a: Vec<f32> = values(m * k, 1).into_iter().map(fraction).collect();
        let b: Vec<f32> = values(k * n, 2).into_iter().map(fraction).collect();
        let mut output = vec![0.0; m * n];
        let mut error = |by_parts: bool| {
            let (left, right) = (Matrix::new(&a, m, k), Matrix::new(&b, k, n));
            if by_parts {
                matmul_by_parts(&mut output, n, left, right, Threads::One);
            } else {
                matmul(&mut output, n, left, right, Store::Overwrite, Threads::One);
            }
            let errors = output.iter().enumerate().map(|(place, &value)| {
                let (row, column) = (place / n, place % n);
                let terms = (0..k)
                    .map(|depth| f64::from(a[row * k + depth]) * f64::from(b[depth * n + column]));
                (f64::from(value) - terms.sum::<f64>()).powi(2)
            });
            errors.sum::<f64>().sqrt()
        };
        let (parts, whole) = (error(true), error(false));
        let is_native = isa::current() != Isa::Portable;
        assert!(
            parts <= whole * if is_native { 0.8 } else { 1.0 },
            "{parts} {whole}"
        );
    }

    #[test]
    fn fast_and_plain_products_agree_for_every_orientation_and_tail() {
        for (m, n, k) in [(1, 1, 1), (3, 5, 7), (16, 33, 9), (64, 49, 40), (70, 1, 65)] {
            for (a_transposed, b_transposed) in [(false, false), (true, false), (false, true)] {
                for store in [Store::Overwrite, Store::Add] {
                    let (a, b) = (values(m * k, 1), values(k * n, 2));
                    let a = if a_transposed {
                        Matrix::new(&a, k, m).transposed()
                    } else {
                        Matrix::new(&a, m, k)
                    };
                    let b = if b_transposed {
                        Matrix::new(&b, n, k).transposed()
                    } else {
                        Matrix::new(&b, k, n)
                    };
                    let row_stride = n + 2;
                    let (mut left, mut right) =
                        (values(m * row_stride, 3), values(m * row_stride, 3));
                    fast(&mut left, row_stride, a, b, store, Threads::All);
                    plain(&mut right, row_stride, a, b, store);
                    // Whole numbers: both are exact.
                    assert_eq!(left, right, "{m} x {n} x {k}");
                }
            }
        }
    }
}
