//! The `ResNet` family on candle: trains and evaluates models, describes any residual network, loads published checkpoints
//! and classifies images. `train` has an example of training.
//!
//! ```
//! use resnet::Model;
//!
//! # fn main() -> Result<(), resnet::Error> {
//! # let name = "tests/fixtures/weights/bottleneck.safetensors";
//! // A hub name such as `resnet50`, a folder, or a weights file.
//! let model = Model::builder(name).load()?;
//! for prediction in model.classify("assets/images/cat.png", 5)? {
//!     let label = prediction.label.unwrap_or_default();
//!     println!("{:6.2} % {} {label}", 100.0 * prediction.probability, prediction.class);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! One call converts a `.pth` file to safetensors, with its preprocessing and labels in the metadata:
//!
//! ```
//! use resnet::hub::Silent;
//! use resnet::weights::{Checkpoint, Remote};
//!
//! # fn main() -> anyhow::Result<()> {
//! # let folder = tempfile::tempdir()?;
//! # let new = folder.path().join("model.safetensors");
//! Checkpoint::open("tests/fixtures/weights/basic.pth", &Remote::new(&Silent))?.save_safetensors(new)?;
//! # Ok(())
//! # }
//! ```
//!
//! Threads share a [`Model`]; its clones have one copy of the weights. [`Error`] says what went wrong, and its hint what to do.
//!
//! The modules are layers, and each imports only from those below: `cli`; `train` and `embedding`; `report` and [`predict`];
//! [`eval`] and [`explain`]; [`pipeline`]; [`weights`] and `benchmark`; [`data`], [`infer`] and `step`; [`model`]; [`nn`]; [`ops`],
//! [`hub`] and [`distributed`]; `fs` and `run_dir`; [`error`], [`random`] and `text`. Below them is the crate [`resnet_kernels`].
//!
//! # Features
//!
//! All are on by default. Without any, the library loads models from files and the cache of the hub, and classifies images.
//!
//! | feature | adds |
//! |---|---|
//! | `cli` | the binary, and `cli`; implies `train` |
//! | `hub` | downloads from the Hugging Face hub |
//! | `datasets` | datasets in tar shards and parquet files, and of the hub: CIFAR, MNIST and Fashion-MNIST among them |
//! | `train` | `train`: training and fine-tuning; implies `report` |
//! | `report` | `report`: tables, plots and pages |
//! | `png-plots` | plots as PNG beside SVG |
//! | `mpi` | several processes, by an MPI library that is loaded at run time |
//!
//! `cuda`, `cudnn`, `metal`, `accelerate` and `mkl` are off by default, and are candle's. So is `nccl`, which implies `cuda` and `mpi`, and sums
//! gradients from GPU to GPU.

#![deny(unsafe_code)]
#![cfg_attr(
    not(feature = "cli"),
    expect(
        dead_code,
        unused_imports,
        reason = "the command line alone uses some of the library"
    )
)]

#[cfg(feature = "cli")]
mod benchmark;
#[cfg(feature = "cli")]
pub mod cli;
pub mod data;
pub mod distributed;
#[cfg(feature = "cli")]
mod embedding;
pub mod error;
pub mod eval;
pub mod explain;
mod fs;
pub mod hub;
pub mod infer;
pub mod model;
pub mod nn;
pub mod ops;
pub mod pipeline;
pub mod predict;
pub mod random;
#[cfg(feature = "report")]
pub mod report;
mod run_dir;
#[cfg(feature = "train")]
mod step;
mod text;
#[cfg(feature = "train")]
pub mod train;
pub mod weights;

pub use error::Error;
pub use explain::Explanation;
pub use infer::CamTarget;
pub use pipeline::Prediction;
pub use predict::{ImageInput, Model, ModelBuilder};

/// The README's examples, compiled.
#[cfg(all(doctest, feature = "train"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// The examples of docs/library.md, compiled.
#[cfg(all(doctest, feature = "train"))]
#[doc = include_str!("../docs/library.md")]
struct Library;
