//! A tensor of a file of weights without its data: shape and element type.

use candle_core::DType;

/// Element type of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ElementType {
    /// A floating-point type that weights may have: f16, bf16, f32 or f64.
    Float(DType),
    /// Any other type, by name.
    Other(String),
}

/// A tensor without its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// Element type.
    pub element: ElementType,
}
