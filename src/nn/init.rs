//! Sources of a model's parameters: a seed, tensors that were read, or none (names and shapes only).
//!
//! Candle's CPU generator cannot be seeded, so [`crate::random`] is used: the values of a tensor are a function of the
//! seed and its name, whatever the order in which the layers are built.

use crate::random::Random;
use candle_core::{DType, Device, Result, Shape, Tensor, Var, bail};
use candle_nn::VarBuilder;
use candle_nn::init::{Init, NormalOrUniform};
use candle_nn::var_builder::SimpleBackend;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Variables = BTreeMap<String, Var>;

/// The variables of a model in training, by name, in name order.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    variables: Arc<Mutex<Variables>>,
}

impl Parameters {
    /// Returns a builder whose new tensors are initialized from `seed`; they are kept here as variables.
    pub fn seeded(&self, seed: u64, dtype: DType, device: &Device) -> VarBuilder<'static> {
        let source = Seeded {
            seed,
            parameters: self.clone(),
        };
        VarBuilder::from_backend(Box::new(source), dtype, device.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Variables> {
        unpoisoned(&self.variables)
    }

    /// Returns every variable, including the running statistics, sorted by name.
    pub fn all(&self) -> Vec<(String, Var)> {
        let variables = self.lock();
        variables
            .iter()
            .map(|(name, variable)| (name.clone(), variable.clone()))
            .collect()
    }

    /// Returns the variables that the optimizer updates: all but the running statistics.
    pub fn trainable(&self) -> Vec<(String, Var)> {
        let mut all = self.all();
        all.retain(|(name, _)| !is_statistic(name));
        all
    }

    /// Returns the running statistics, sorted by name.
    pub fn statistics(&self) -> Vec<(String, Var)> {
        let mut all = self.all();
        all.retain(|(name, _)| is_statistic(name));
        all
    }

    /// Sets every variable to the tensor of its name. Returns an error if one is missing or has another shape.
    pub fn set_all(&self, tensors: &std::collections::HashMap<String, Tensor>) -> Result<()> {
        for (name, variable) in self.all() {
            let Some(tensor) = tensors.get(&name) else {
                bail!("tensor `{name}` is missing")
            };
            variable.set(
                &tensor
                    .to_dtype(variable.dtype())?
                    .to_device(variable.device())?,
            )?;
        }
        Ok(())
    }
}

/// Locks a mutex whose content cannot be half written, even if a holder panicked.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Seeded {
    seed: u64,
    parameters: Parameters,
}

impl SimpleBackend for Seeded {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let mut variables = self.parameters.lock();
        if let Some(variable) = variables.get(name) {
            if variable.shape() != &shape {
                bail!(
                    "tensor `{name}` has shape {:?}, not {shape:?}",
                    variable.shape()
                );
            }
            return Ok(variable.as_tensor().clone());
        }
        let values = draw(self.seed, name, &shape, init)?;
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?
            .to_dtype(dtype)?
            .to_device(device)?;
        let variable = Var::from_tensor(&tensor)?;
        variables.insert(name.to_owned(), variable.clone());
        Ok(variable.as_tensor().clone())
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        bail!("tensor `{name}` was requested without a shape")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

/// Returns the initial values of the tensor `name`, in f64, so that every dtype rounds the same values.
fn draw(seed: u64, name: &str, shape: &Shape, init: Init) -> Result<Vec<f64>> {
    let count = shape.elem_count();
    let mut random = Random::new(seed, name);
    let values = match init {
        Init::Const(value) => vec![value; count],
        Init::Randn { mean, stdev } => (0..count).map(|_| mean + stdev * random.normal()).collect(),
        Init::Uniform { lo, up } => (0..count)
            .map(|_| lo + (up - lo) * random.uniform())
            .collect(),
        Init::Kaiming {
            dist: NormalOrUniform::Normal,
            fan,
            non_linearity,
        } => {
            // fan-out is C_out * k * k, groups or not, as PyTorch counts it
            let std = non_linearity.gain() / (fan.for_shape(shape) as f64).sqrt();
            (0..count).map(|_| std * random.normal()).collect()
        }
        Init::Kaiming {
            dist: NormalOrUniform::Uniform,
            ..
        } => bail!("`{name}`: no layer uses Kaiming uniform initialization"),
    };
    Ok(values)
}

/// Names and shapes of the tensors that a model requests.
pub type TensorShapes = Vec<(String, Vec<usize>)>;

/// Runs `build` with a builder that returns tensors without memory; returns the result of `build` and the names and
/// shapes that it requested, in order.
pub fn without_memory<T>(build: impl FnOnce(VarBuilder) -> Result<T>) -> Result<(T, TensorShapes)> {
    let shapes = Arc::new(Mutex::new(Vec::new()));
    let source = Shapes {
        shapes: shapes.clone(),
    };
    let built = build(VarBuilder::from_backend(
        Box::new(source),
        DType::F32,
        Device::Cpu,
    ))?;
    let shapes = std::mem::take(&mut *unpoisoned(&shapes));
    Ok((built, shapes))
}

struct Shapes {
    shapes: Arc<Mutex<TensorShapes>>,
}

impl SimpleBackend for Shapes {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let mut shapes = unpoisoned(&self.shapes);
        shapes.push((name.to_owned(), shape.dims().to_vec()));
        Tensor::zeros((), dtype, device)?.broadcast_as(shape)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        bail!("tensor `{name}` was requested without a shape")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

/// Returns true if `name` is that of a running statistic.
fn is_statistic(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_seed_give_the_same_numbers_in_any_order() {
        let init = Init::Randn {
            mean: 0.0,
            stdev: 1.0,
        };
        let build = |names: [&str; 2]| {
            let parameters = Parameters::default();
            let vb = parameters.seeded(7, DType::F32, &Device::Cpu);
            for name in names {
                vb.get_with_hints(5, name, init).unwrap();
            }
            parameters
                .all()
                .iter()
                .map(|(_, v)| v.to_vec1::<f32>().unwrap())
                .collect::<Vec<_>>()
        };
        let values = build(["a", "b"]);
        assert_eq!(values, build(["b", "a"]));
        assert_ne!(values[0], values[1]);
    }
}
