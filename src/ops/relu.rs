//! ReLU. Its gradient at 0 is 0, as in PyTorch; candle's own is 1.

use super::record::{Computed, record1};
use super::{Form, with_values};
use crate::kernels;
use candle_core::{Result, Tensor};

/// `max(x, 0)`, any shape.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    relu_as(Form::of(x), x)
}

/// [`relu`] in the form asked for.
pub fn relu_as(form: Form, x: &Tensor) -> Result<Tensor> {
    let result = match form {
        Form::Kernels => {
            let mut values = with_values(x, <[f32]>::to_vec)?;
            kernels::relu::forward(&mut values);
            Computed::Values(values, x.shape().clone())
        }
        // Candle's own ReLU turns NaN into 0 on the CPU and so hides a diverged training.
        Form::Portable => {
            let x = x.detach();
            Computed::Tensor(x.lt(0.0)?.where_cond(&x.zeros_like()?, &x)?)
        }
    };
    record1("relu", x, result, move |_, output, gradient| {
        let gradient = match form {
            Form::Kernels => {
                let mut values = with_values(gradient, <[f32]>::to_vec)?;
                with_values(output, |output| {
                    kernels::relu::grad_input(&mut values, output);
                })?;
                Tensor::from_vec(values, gradient.shape(), gradient.device())?
            }
            Form::Portable => {
                let zeros = gradient.zeros_like()?;
                output
                    .detach()
                    .le(0.0)?
                    .where_cond(&zeros, &gradient.detach())?
            }
        };
        Ok([Some(gradient)])
    })
}
