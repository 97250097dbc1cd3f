//! The kernels of `resnet` alone.

#![deny(unsafe_code)]

#[path = "../../src/kernels/mod.rs"]
pub mod kernels;
