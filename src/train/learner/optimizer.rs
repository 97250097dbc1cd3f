//! SGD, Adam and `AdamW` with PyTorch's updates, LARS and LAMB with timm's, and their state by name for checkpoints.

use crate::error::{Limit, limit, setting, usage_error};
use crate::message;
use crate::ops::optimizer::{Adam, Lamb, Sgd, Trust, adam, lamb, sgd};
use crate::train::learner::gradients::Gradients;
use anyhow::{Context, Result, bail};
use candle_core::{Tensor, Var};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The limit of a momentum and of Adam's β.
pub const BELOW_ONE: Limit = limit(|n| (0.0..1.0).contains(&n), "at least 0 and below 1");
/// The limit of a weight decay and of Adam's ε.
pub const NOT_NEGATIVE: Limit = limit(|n| n.is_finite() && n >= 0.0, "at least 0");

/// The kind of optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Stochastic gradient descent, with or without momentum.
    #[default]
    Sgd,
    /// Adam, with weight decay added to the gradient.
    Adam,
    /// Adam with decoupled weight decay.
    Adamw,
    /// SGD whose gradients are scaled to the norm of each parameter, for large batches.
    Lars,
    /// Adam whose updates are scaled to the norm of each parameter, for large batches.
    Lamb,
}

impl OptimizerKind {
    /// Returns its name in prose.
    pub fn caption(self) -> &'static str {
        match self {
            Self::Sgd => "SGD",
            Self::Adam => "Adam",
            Self::Adamw => "AdamW",
            Self::Lars => "LARS",
            Self::Lamb => "LAMB",
        }
    }

    /// Returns whether it has a momentum, and not moving averages.
    pub fn has_momentum(self) -> bool {
        matches!(self, Self::Sgd | Self::Lars)
    }

    /// Returns whether it scales updates to the norm of each parameter.
    pub fn adapts_layers(self) -> bool {
        matches!(self, Self::Lars | Self::Lamb)
    }

    /// Returns the ε of PyTorch and timm.
    pub fn eps(self) -> f64 {
        match self {
            Self::Sgd | Self::Adam | Self::Adamw | Self::Lars => 1e-8,
            Self::Lamb => 1e-6,
        }
    }
}

/// An optimizer and its parameters, under PyTorch's names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OptimizerConfig {
    /// The kind of optimizer.
    pub kind: OptimizerKind,
    /// The momentum of SGD and LARS, in 0..1.
    pub momentum: f64,
    /// Nesterov momentum for SGD and LARS.
    pub nesterov: bool,
    /// The weight decay.
    pub weight_decay: f64,
    /// Weight decay also for parameters with one axis (batch norm and biases), as in PyTorch; timm excludes them. LARS and
    /// LAMB scale the updates of the parameters that decay.
    pub norm_decay: bool,
    /// β1 and β2 of Adam and LAMB, in 0..1.
    pub betas: [f64; 2],
    /// The ε of Adam, LARS and LAMB; see [`OptimizerKind::eps`].
    pub eps: f64,
    /// LARS's trust coefficient.
    pub trust_coefficient: f64,
}

impl Default for OptimizerConfig {
    /// Returns SGD with momentum 0.9 and no weight decay; PyTorch's β and ε, timm's trust coefficient.
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Sgd,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.0,
            norm_decay: true,
            betas: [0.9, 0.999],
            eps: 1e-8,
            trust_coefficient: 1e-3,
        }
    }
}

impl OptimizerConfig {
    /// Checks the ranges of the parameters.
    ///
    /// # Errors
    /// Wrong usage: a parameter out of range, or Nesterov momentum without momentum.
    pub fn validate(&self) -> Result<()> {
        let [beta1, beta2] = self.betas;
        for (key, value, limit) in [
            ("momentum", self.momentum, BELOW_ONE),
            ("beta1", beta1, BELOW_ONE),
            ("beta2", beta2, BELOW_ONE),
            ("weight-decay", self.weight_decay, NOT_NEGATIVE),
            ("eps", self.eps, NOT_NEGATIVE),
            ("trust-coefficient", self.trust_coefficient, NOT_NEGATIVE),
        ] {
            limit.check("train", key, value)?;
        }
        if self.kind.has_momentum() && self.nesterov && self.momentum <= 0.0 {
            return Err(usage_error(
                "Nesterov momentum needs a momentum above 0",
                message![
                    "pass `",
                    setting("momentum").to(0.9),
                    "`, or leave ",
                    setting("nesterov"),
                    " out",
                ],
            ));
        }
        Ok(())
    }

    /// Returns the names of the tensors that are kept per variable.
    fn kept(&self) -> &'static [&'static str] {
        match self.kind {
            OptimizerKind::Sgd | OptimizerKind::Lars if self.momentum > 0.0 => &["momentum"],
            OptimizerKind::Sgd | OptimizerKind::Lars => &[],
            OptimizerKind::Adam | OptimizerKind::Adamw | OptimizerKind::Lamb => {
                &["exp_avg", "exp_avg_sq"]
            }
        }
    }
}

/// Updates variables with their gradients.
#[derive(Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    variables: Vec<(String, Var)>,
    /// The tensors kept per variable, in the order of `config.kept()`; with its shape and dtype.
    kept: Vec<Vec<Var>>,
    steps: u64,
}

impl Optimizer {
    /// Creates an optimizer of `variables`.
    ///
    /// # Errors
    /// Those of [`OptimizerConfig::validate`], and if the device lacks memory.
    pub fn new(config: OptimizerConfig, variables: Vec<(String, Var)>) -> Result<Self> {
        config.validate()?;
        let zeros = |variable: &Var| {
            let kept = config.kept().iter();
            kept.map(|_| Var::zeros(variable.shape(), variable.dtype(), variable.device()))
                .collect::<candle_core::Result<Vec<_>>>()
        };
        let kept = variables
            .iter()
            .map(|(_, variable)| zeros(variable))
            .collect::<candle_core::Result<_>>()?;
        Ok(Self {
            config,
            variables,
            kept,
            steps: 0,
        })
    }

    /// Makes one step with learning rate `lr`.
    ///
    /// # Errors
    /// If the gradients are not those of the optimizer's variables.
    pub fn step(&mut self, gradients: &Gradients, lr: f64) -> Result<()> {
        let gradients = gradients.named();
        let same = gradients
            .iter()
            .map(|(name, _)| name)
            .eq(self.variables.iter().map(|(name, _)| name));
        if !same {
            bail!("the gradients are not those of the optimizer's variables");
        }
        let step = self.steps + 1;
        for_each(&self.variables, |index, (name, variable)| {
            let (kept, (_, gradient)) = (&self.kept[index], &gradients[index]);
            self.config
                .update(variable, gradient, kept, lr, step)
                .with_context(|| format!("cannot update `{name}`"))
        })?;
        self.steps = step;
        Ok(())
    }

    /// Returns the number of steps done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Returns copies of the optimizer state: `momentum.<name>`, or `exp_avg.<name>` and `exp_avg_sq.<name>`.
    ///
    /// # Errors
    /// If the device lacks memory.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut state = Vec::new();
        for ((name, _), kept) in self.variables.iter().zip(&self.kept) {
            for (what, tensor) in self.config.kept().iter().zip(kept) {
                state.push((
                    format!("{what}.{name}"),
                    tensor.as_detached_tensor().copy()?,
                ));
            }
        }
        Ok(state)
    }

    /// Restores an [`Optimizer::state`] taken after `steps` steps. Tensors with other names are ignored.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape; nothing is changed then.
    pub fn restore(&mut self, tensors: &HashMap<String, Tensor>, steps: u64) -> Result<()> {
        let kept = self.variables.iter().zip(&self.kept);
        let named = kept.flat_map(|((name, _), kept)| {
            let names = self.config.kept().iter();
            names.map(move |what| format!("{what}.{name}")).zip(kept)
        });
        set_all(named, tensors)?;
        self.steps = steps;
        Ok(())
    }

    /// Returns the variables that it updates, in order.
    pub fn variables(&self) -> &[(String, Var)] {
        &self.variables
    }

    /// Returns the configuration.
    pub fn config(&self) -> &OptimizerConfig {
        &self.config
    }
}

/// Calls `work` with every named variable and its index: in parallel on the CPU, where the variables are independent, so that
/// threads do not change the results, and in order on other devices.
pub(in crate::train) fn for_each(
    variables: &[(String, Var)],
    work: impl Fn(usize, &(String, Var)) -> Result<()> + Sync,
) -> Result<()> {
    let on_cpu = |(_, variable): &(String, Var)| variable.device().is_cpu();
    if variables.iter().all(on_cpu) {
        let variables = variables.par_iter().enumerate();
        variables.try_for_each(|(index, variable)| work(index, variable))
    } else {
        let mut variables = variables.iter().enumerate();
        variables.try_for_each(|(index, variable)| work(index, variable))
    }
}

/// Sets every variable to the tensor with its name, or none if one is missing or has another shape.
pub(in crate::train) fn set_all<'a>(
    variables: impl Iterator<Item = (String, &'a Var)>,
    tensors: &HashMap<String, Tensor>,
) -> Result<()> {
    let mut found = Vec::new();
    for (name, variable) in variables {
        let Some(tensor) = tensors.get(&name) else {
            bail!("tensor `{name}` is missing in the training state")
        };
        if tensor.dims() != variable.dims() {
            bail!(
                "tensor `{name}` of the training state has shape {:?}, not {:?}",
                tensor.dims(),
                variable.dims()
            );
        }
        found.push((variable, tensor));
    }
    for (variable, tensor) in found {
        let tensor = tensor.to_dtype(variable.dtype())?;
        variable.set(&tensor.to_device(variable.device())?)?;
    }
    Ok(())
}

impl OptimizerConfig {
    /// Makes step `step` (from 1) for one variable.
    fn update(
        &self,
        variable: &Var,
        gradient: &Tensor,
        kept: &[Var],
        lr: f64,
        step: u64,
    ) -> candle_core::Result<()> {
        let decays = self.norm_decay || variable.rank() > 1;
        let weight_decay = if decays { self.weight_decay } else { 0.0 };
        match kept {
            [mean, square] if self.kind == OptimizerKind::Lamb => {
                let step = Lamb {
                    lr,
                    betas: self.betas,
                    eps: self.eps,
                    weight_decay,
                    adapts: decays,
                    step,
                };
                lamb(variable, gradient, mean, square, &step)
            }
            [mean, square] => {
                let step = Adam {
                    lr,
                    betas: self.betas,
                    eps: self.eps,
                    weight_decay,
                    decoupled: self.kind == OptimizerKind::Adamw,
                    step,
                };
                adam(variable, gradient, mean, square, &step)
            }
            kept => {
                let adapts = decays && self.kind == OptimizerKind::Lars;
                let step = Sgd {
                    lr,
                    momentum: self.momentum,
                    nesterov: self.nesterov,
                    weight_decay,
                    trust: adapts.then_some(Trust {
                        coefficient: self.trust_coefficient,
                        eps: self.eps,
                    }),
                };
                sgd(variable, gradient, kept.first(), &step)
            }
        }
    }
}
