//! Tests of the kernels against plain loops.

mod conv;
mod norm;
mod real_shapes;
