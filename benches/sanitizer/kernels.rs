//! The kernels of `resnet` as a crate of their own.

#![deny(unsafe_code)]

#[path = "../../src/kernels/mod.rs"]
pub mod kernels;
