//! Tests of the kernels against plain loops.

pub mod conv;
pub mod norm;
pub mod real_shapes;
