//! Tests of the kernels against plain loops.

mod conv;
mod loops;
mod norm;
mod pool;
mod real_shapes;
mod select;
