//! Pooling of stride 2 other than max-pooling: averages and blurs. Candle provides the gradients of all steps.

use candle_core::{Result, Tensor, bail};

/// The fate of the last row and column of an image with odd height or width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AverageEdge {
    /// They are not averaged (PyTorch's `AvgPool2d(2)`).
    Dropped,
    /// Averages at the edge are of the pixels that there are (PyTorch's `ceil_mode` without padding in the count).
    Partial,
}

/// Averages 2x2 pixels: `[N, C, H, W]` to `[N, C, H / 2, W / 2]`.
///
/// # Errors
/// If nothing is left of the image.
pub fn average_pool2d(x: &Tensor, edge: AverageEdge) -> Result<Tensor> {
    let mut x = x.clone();
    for axis in [2, 3] {
        let length = x.dim(axis)?;
        if length % 2 == 1 {
            x = match edge {
                // A pixel and its copy have the average of the pixel.
                AverageEdge::Partial => x.pad_with_same(axis, 0, 1)?,
                AverageEdge::Dropped if length == 1 => {
                    bail!("the image is too small for the network")
                }
                AverageEdge::Dropped => x.narrow(axis, 0, length - 1)?,
            };
        }
    }
    let (n, c, h, w) = x.dims4()?;
    x.contiguous()?
        .reshape(&[n, c, h / 2, 2, w / 2, 2][..])?
        .mean((3, 5))
}

/// Filters by the binomial `[1, 2, 1] / 4` along both axes with stride 2, reflected at the edges: `[N, C, H, W]` to `[N, C, H', W']`,
/// where `H'` is half of `H`, rounded up.
///
/// # Errors
/// If an edge has one pixel, which cannot be reflected.
pub fn blur_pool2d(x: &Tensor) -> Result<Tensor> {
    let mut x = x.contiguous()?;
    for axis in [2, 3] {
        let length = x.dim(axis)?;
        if length < 2 {
            bail!("the image is too small for the network");
        }
        let outputs = length.div_ceil(2);
        // Position `2 i - 1 + tap`; -1 and `length` are reflected to 1 and `length - 2`.
        let tap = |tap: usize| {
            let positions = (0..outputs).map(|i| {
                let position = (2 * i + tap).abs_diff(1);
                let position = position.min(2 * (length - 1) - position);
                position as u32
            });
            let positions = Tensor::from_iter(positions, x.device())?;
            x.index_select(&positions, axis)
        };
        let outer = ((tap(0)? + tap(2)?)? * 0.25)?;
        x = (outer + (tap(1)? * 0.5)?)?;
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn image(rows: &[&[f32]]) -> Tensor {
        let (height, width) = (rows.len(), rows[0].len());
        let values: Vec<f32> = rows.concat();
        Tensor::from_vec(values, (1, 1, height, width), &Device::Cpu).unwrap()
    }

    fn values(x: &Tensor) -> Vec<Vec<f32>> {
        x.squeeze(0).unwrap().squeeze(0).unwrap().to_vec2().unwrap()
    }

    #[test]
    fn averages_at_an_odd_edge_are_partial_or_dropped() {
        let x = image(&[&[1.0, 3.0, 5.0], &[5.0, 7.0, 9.0], &[2.0, 4.0, 8.0]]);
        let partial = average_pool2d(&x, AverageEdge::Partial).unwrap();
        assert_eq!(values(&partial), [[4.0, 7.0], [3.0, 8.0]]);
        let dropped = average_pool2d(&x, AverageEdge::Dropped).unwrap();
        assert_eq!(values(&dropped), [[4.0]]);
        assert!(average_pool2d(&image(&[&[1.0, 2.0]]), AverageEdge::Dropped).is_err());
    }

    #[test]
    fn a_blur_reflects_at_the_edges() {
        // Columns: (1 + 1) / 4 + 0 / 2, then (1 + 3) / 4 + 2 / 2, then 3 / 2 reflected with 4 / 2.
        let row: &[f32] = &[0.0, 1.0, 2.0, 3.0, 4.0];
        let blurred = blur_pool2d(&image(&[row; 3])).unwrap();
        assert_eq!(values(&blurred), [[0.5, 2.0, 3.5], [0.5, 2.0, 3.5]]);
        let even = blur_pool2d(&image(&[&row[..4]; 2])).unwrap();
        assert_eq!(values(&even), [[0.5, 2.0]]);
        assert!(blur_pool2d(&image(&[&[1.0, 2.0]])).is_err());
    }
}
