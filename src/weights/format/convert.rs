//! Tensor elements as bytes: conversion to f32 and the check for values that are not finite.

use candle_core::DType;
use half::{bf16, f16};

/// Returns true if an element of `bytes` is infinite or NaN.
pub fn has_not_finite(bytes: &[u8], dtype: DType) -> bool {
    /// Evaluates to true if every bit of `mask` (the exponent) is set in one of the elements.
    macro_rules! any {
        ($type:ty, $width:literal, $mask:expr) => {
            bytes.as_chunks::<$width>().0.chunks(4096).any(|block| {
                block
                    .iter()
                    .map(|element| <$type>::from_le_bytes(*element) & $mask == $mask)
                    .fold(false, std::ops::BitOr::bitor)
            })
        };
    }
    match dtype {
        DType::F16 => any!(u16, 2, 0x7c00),
        DType::BF16 => any!(u16, 2, 0x7f80),
        DType::F32 => any!(u32, 4, 0x7f80_0000),
        DType::F64 => any!(u64, 8, 0x7ff0_0000_0000_0000),
        _ => false,
    }
}

/// Converts `bytes`, elements of type `dtype`, as candle does.
pub fn to_f32(bytes: &[u8], dtype: DType, numbers: &mut [f32]) {
    macro_rules! convert {
        ($width:literal, $convert:expr) => {
            for (number, element) in numbers.iter_mut().zip(bytes.as_chunks::<$width>().0) {
                *number = $convert(*element);
            }
        };
    }
    match dtype {
        DType::F16 => convert!(2, |element| f16::from_le_bytes(element).to_f32()),
        DType::BF16 => convert!(2, |element| bf16::from_le_bytes(element).to_f32()),
        DType::F64 => convert!(8, |element| f64::from_le_bytes(element) as f32),
        _ => convert!(4, f32::from_le_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinities_and_nan_are_found_in_every_type() {
        for value in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            let encoded = [
                (
                    DType::F16,
                    half::f16::from_f32(value).to_le_bytes().to_vec(),
                ),
                (
                    DType::BF16,
                    half::bf16::from_f32(value).to_le_bytes().to_vec(),
                ),
                (DType::F32, value.to_le_bytes().to_vec()),
                (DType::F64, f64::from(value).to_le_bytes().to_vec()),
            ];
            for (dtype, element) in encoded {
                let mut bytes = vec![1; element.len() * 5000];
                assert!(!has_not_finite(&bytes, dtype));
                bytes.extend(&element);
                assert!(has_not_finite(&bytes, dtype), "{value} as {dtype:?}");
            }
        }
        assert!(!has_not_finite(&f32::MAX.to_le_bytes(), DType::F32));
    }
}
