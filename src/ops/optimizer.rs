//! In-place optimizer updates of variables, by two backends: over [`resnet_kernels::optimizer`], which has the formulas,
//! and made of candle's tensor operations.

use super::{Backend, with_values};
use candle_core::{CpuStorage, DType, Device, InplaceOp1, Layout, Result, Tensor, Var, bail};
use resnet_kernels::optimizer as kernel;
pub use resnet_kernels::optimizer::{Adam, Lamb, Sgd, Trust};
use std::cell::Cell;

/// Performs one step of SGD or LARS on `parameter`; `momentum` is its buffer, initialized to 0, if momentum is used.
pub fn sgd(parameter: &Var, gradient: &Tensor, momentum: Option<&Var>, step: &Sgd) -> Result<()> {
    sgd_as(Backend::of(parameter), parameter, gradient, momentum, step)
}

/// Implements [`sgd`] by the given backend.
pub fn sgd_as(
    backend: Backend,
    parameter: &Var,
    gradient: &Tensor,
    momentum: Option<&Var>,
    step: &Sgd,
) -> Result<()> {
    same_shape(parameter, gradient)?;
    match (backend, momentum) {
        (Backend::Native, None) => with_values(gradient, |gradient| {
            with_values_mut(parameter, |parameter| {
                kernel::sgd(parameter, gradient, step);
            })
        })?,
        (Backend::Native, Some(momentum)) => with_values(gradient, |gradient| {
            with_values_mut(momentum, |momentum| {
                with_values_mut(parameter, |parameter| {
                    kernel::sgd_with_momentum(parameter, gradient, momentum, step);
                })
            })?
        })?,
        (Backend::Candle, momentum) => {
            let old = parameter.as_detached_tensor();
            let gradient = gradient.detach();
            let mut change = (&gradient + (&old * step.weight_decay)?)?;
            if let Some(trust) = step.trust {
                let [p, g] = [norm(&old)?, norm(&gradient)?];
                let below = ((&g + (&p * step.weight_decay)?)? + trust.eps)?;
                let ratio = ((&p * trust.coefficient)? / below)?;
                change = change.broadcast_mul(&or_one(&ratio, &p, &g)?)?;
            }
            if let Some(momentum) = momentum {
                let moved = ((momentum.as_detached_tensor() * step.momentum)? + &change)?;
                momentum.set(&moved)?;
                change = if step.nesterov {
                    (change + (moved * step.momentum)?)?
                } else {
                    moved
                };
            }
            parameter.set(&(old - (change * step.lr)?)?)
        }
    }
}

/// Performs one step of Adam or `AdamW` on `parameter`; `mean` and `square` are the moving averages of its gradients
/// and of their squares, initialized to 0.
pub fn adam(
    parameter: &Var,
    gradient: &Tensor,
    mean: &Var,
    square: &Var,
    step: &Adam,
) -> Result<()> {
    adam_as(
        Backend::of(parameter),
        parameter,
        gradient,
        [mean, square],
        step,
    )
}

/// Implements [`adam`] by the given backend, with `[mean, square]`.
pub fn adam_as(
    backend: Backend,
    parameter: &Var,
    gradient: &Tensor,
    [mean, square]: [&Var; 2],
    step: &Adam,
) -> Result<()> {
    same_shape(parameter, gradient)?;
    match backend {
        Backend::Native => with_moments(
            parameter,
            gradient,
            [mean, square],
            |parameter, gradient, mean, square| {
                kernel::adam(parameter, gradient, mean, square, step);
            },
        ),
        Backend::Candle => {
            let old = parameter.as_detached_tensor();
            let gradient = (gradient.detach() + (&old * step.coupled_decay())?)?;
            let [mean, square] = moved(mean, square, &gradient, step.betas)?;
            let root = ((square.sqrt()? / step.second_correction())? + step.eps)?;
            let change = ((mean * step.step_size())? / root)?;
            parameter.set(&((old * step.shrink())? - change)?)
        }
    }
}

/// Performs one step of LAMB on `parameter`; `mean` and `square` are the moving averages of its gradients and of their
/// squares, initialized to 0.
pub fn lamb(
    parameter: &Var,
    gradient: &Tensor,
    mean: &Var,
    square: &Var,
    step: &Lamb,
) -> Result<()> {
    lamb_as(
        Backend::of(parameter),
        parameter,
        gradient,
        [mean, square],
        step,
    )
}

/// Implements [`lamb`] by the given backend, with `[mean, square]`.
pub fn lamb_as(
    backend: Backend,
    parameter: &Var,
    gradient: &Tensor,
    [mean, square]: [&Var; 2],
    step: &Lamb,
) -> Result<()> {
    same_shape(parameter, gradient)?;
    match backend {
        Backend::Native => with_moments(
            parameter,
            gradient,
            [mean, square],
            |parameter, gradient, mean, square| {
                kernel::lamb(parameter, gradient, mean, square, step);
            },
        ),
        Backend::Candle => {
            let old = parameter.as_detached_tensor();
            let [mean, square] = moved(mean, square, &gradient.detach(), step.betas)?;
            let [first, second] = step.corrections();
            let root = ((square.sqrt()? / second)? + step.eps)?;
            let mut update = (((mean / first)? / root)? + (&old * step.weight_decay)?)?;
            if step.adapts {
                let [p, u] = [norm(&old)?, norm(&update)?];
                update = update.broadcast_mul(&or_one(&(&p / &u)?, &p, &u)?)?;
            }
            parameter.set(&(old - (update * step.lr)?)?)
        }
    }
}

/// Calls `update` with the values of a parameter, its gradient and its averages `[mean, square]`.
fn with_moments(
    parameter: &Var,
    gradient: &Tensor,
    [mean, square]: [&Var; 2],
    update: impl FnOnce(&mut [f32], &[f32], &mut [f32], &mut [f32]),
) -> Result<()> {
    with_values(gradient, |gradient| {
        with_values_mut(mean, |mean| {
            with_values_mut(square, |square| {
                with_values_mut(parameter, |parameter| {
                    update(parameter, gradient, mean, square);
                })
            })?
        })?
    })?
}

/// Moves the averages of a gradient and of its square by a step with decay rates `betas`, and returns them.
fn moved(mean: &Var, square: &Var, gradient: &Tensor, betas: [f64; 2]) -> Result<[Tensor; 2]> {
    let moved = |average: &Var, value: &Tensor, beta: f64| {
        let new = ((average.as_detached_tensor() * beta)? + (value * (1.0 - beta))?)?;
        average.set(&new)?;
        Ok::<_, candle_core::Error>(new)
    };
    let [first, second] = betas;
    Ok([
        moved(mean, gradient, first)?,
        moved(square, &gradient.sqr()?, second)?,
    ])
}

/// Returns the L2 norm of `x` as a scalar tensor, so that the device is not waited for.
fn norm(x: &Tensor) -> Result<Tensor> {
    x.sqr()?.sum_all()?.sqrt()
}

/// Returns the scalar `ratio`, or 1 if one of the norms `a` and `b` is 0.
fn or_one(ratio: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.minimum(b)?
        .gt(0.0)?
        .where_cond(ratio, &ratio.ones_like()?)
}

/// Computes `average = keep * average + (1 - keep) * value`.
pub fn move_average(average: &Var, value: &Tensor, keep: f64) -> Result<()> {
    move_average_as(Backend::of(average), average, value, keep)
}

/// Implements [`move_average`] by the given backend.
pub fn move_average_as(backend: Backend, average: &Var, value: &Tensor, keep: f64) -> Result<()> {
    same_shape(average, value)?;
    match backend {
        Backend::Native => with_values(value, |value| {
            with_values_mut(average, |average| {
                kernel::move_average(average, value, keep);
            })
        })?,
        Backend::Candle => {
            let old = average.as_detached_tensor();
            let part = ((value.detach() - &old)? * (1.0 - keep))?;
            average.set(&(old + part)?)
        }
    }
}

/// Returns `x * factor`, detached from any graph.
pub fn scaled(x: &Tensor, factor: f64) -> Result<Tensor> {
    match Backend::of(x) {
        Backend::Native => {
            let mut values = with_values(x, <[f32]>::to_vec)?;
            kernel::scale(&mut values, factor);
            Tensor::from_vec(values, x.shape(), x.device())
        }
        Backend::Candle => x.detach() * factor,
    }
}

/// Returns the sum of the squares of `x`, bit-identical for any number of threads.
pub fn sum_of_squares(x: &Tensor) -> Result<f64> {
    sum_of_squares_as(Backend::of(x), x)
}

/// Implements [`sum_of_squares`] by the given backend.
pub fn sum_of_squares_as(backend: Backend, x: &Tensor) -> Result<f64> {
    match backend {
        Backend::Native => with_values(x, kernel::sum_of_squares),
        Backend::Candle => {
            // Half precision would overflow, and not every device supports f64.
            let wide = match x.dtype() {
                DType::F64 => x.detach(),
                _ => x.detach().to_dtype(DType::F32)?,
            };
            let sum = wide.sqr()?.sum_all()?.to_device(&Device::Cpu)?;
            sum.to_dtype(DType::F64)?.to_scalar()
        }
    }
}

fn same_shape(variable: &Var, other: &Tensor) -> Result<()> {
    if variable.dims() != other.dims() || variable.dtype() != other.dtype() {
        bail!(
            "a variable of {:?} {:?} cannot be combined with one of {:?} {:?}",
            variable.dtype(),
            variable.dims(),
            other.dtype(),
            other.dims()
        );
    }
    Ok(())
}

/// Calls `write` with the values of a contiguous f32 variable on the CPU, in place.
fn with_values_mut<T>(variable: &Var, write: impl FnOnce(&mut [f32]) -> T) -> Result<T> {
    let written = Written {
        write: Cell::new(Some(write)),
        result: Cell::new(None),
    };
    variable.inplace_op1(&written)?;
    match written.result.into_inner() {
        Some(result) => Ok(result),
        None => bail!("a variable was not written"),
    }
}

/// An in-place operation: the only way in which candle gives write access to the values of a tensor.
struct Written<F, T> {
    write: Cell<Option<F>>,
    result: Cell<Option<T>>,
}

impl<T, F: FnOnce(&mut [f32]) -> T> InplaceOp1 for Written<F, T> {
    fn name(&self) -> &'static str {
        "optimizer"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(values), Some((start, end)), Some(write)) =
            (storage, layout.contiguous_offsets(), self.write.take())
        else {
            bail!("the kernels only write contiguous f32 variables on the CPU")
        };
        self.result.set(Some(write(&mut values[start..end])));
        Ok(())
    }
}
