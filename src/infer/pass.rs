//! What a forward pass gives: logits, and beside them, where they are wanted, pooled features and what speaks for a class.
//!
//! A [`Heat`] is Grad-CAM (<https://arxiv.org/abs/1610.02391>) at the last stage before its ReLU. Between the last feature map
//! `A` `[C, h, w]` and the logit of class `c` stand the mean over the pixels and one linear layer `W` alone, so the logit's
//! gradient is `W[c, k] / (h w)` at every pixel of channel `k`, and so is its mean over them, the weight that Grad-CAM gives
//! the channel. The heat is `sum_k W[c, k] A_k / (h w)`: no backward pass is needed. The sum of its pixels and the class's bias
//! are the logit.

use super::plan::{Operation, Plan, Step, in_pool};
use crate::kernels::aligned::Lanes;
use crate::kernels::blocked;
use crate::kernels::simd::LANES;
use crate::model::resnet::pool;
use crate::model::{ResNet, top_class};
use candle_core::{DType, Device, Result, Tensor, bail};

/// What a pass is to give beside logits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// The pooled features.
    pub features: bool,
    /// The heat of a class.
    pub heat: Option<HeatOf>,
}

/// Which class's heat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeatOf {
    /// That of each picture's largest logit, the first of equal ones.
    Top,
    /// That of one class for all pictures.
    Class(usize),
}

/// What a pass over N pictures gave.
#[derive(Debug, Clone, Default)]
pub struct Pass {
    /// `[N, classes]`
    pub logits: Vec<f64>,
    /// `[N, features]`, where they were wanted.
    pub features: Vec<f64>,
    /// One a picture, where they were wanted.
    pub heats: Vec<Heat>,
}

/// How much each pixel of the last feature map speaks for a class; what speaks against it is negative.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// The class's number.
    pub class: usize,
    /// Height and width of the last feature map.
    pub size: [usize; 2],
    /// `[height, width]`
    pub values: Vec<f64>,
}

impl HeatOf {
    /// The class, in a picture of these logits.
    ///
    /// # Errors
    /// A class that the net does not have.
    fn class(self, logits: &[f64]) -> Result<usize> {
        match self {
            Self::Top => Ok(top_class(logits)),
            Self::Class(class) if class < logits.len() => Ok(class),
            Self::Class(class) => bail!("there is no class {class} among {}", logits.len()),
        }
    }
}

impl Plan {
    /// [`Plan::run`] of a plan with the classifier, and what else is `wanted` from the same pass.
    ///
    /// # Errors
    /// A class that the net does not have, and pictures of another size.
    pub fn pass(&mut self, pictures: &[f32], wanted: Wanted) -> Result<Pass> {
        self.end()?;
        in_pool(|| {
            let logits = self.run_steps(pictures, |_, _| ())?;
            let mut pass = Pass {
                logits: logits.into_iter().map(f64::from).collect(),
                ..Pass::default()
            };
            if wanted.features {
                pass.features = self.features(pass.logits.len() / self.outputs)?;
            }
            if let Some(of) = wanted.heat {
                pass.heats = self.heats(&pass.logits, of)?;
            }
            Ok(pass)
        })
    }

    /// The steps that pool the last feature map and classify.
    fn end(&self) -> Result<(&Step, &Step)> {
        match self.steps.as_slice() {
            [.., pool, classifier] if self.classifies => Ok((pool, classifier)),
            _ => bail!("the plan has no classifier"),
        }
    }

    /// The pooled features of the last pass, over so many pictures.
    fn features(&self, batch: usize) -> Result<Vec<f64>> {
        let (pool, _) = self.end()?;
        let channels = self.map[0];
        let mut features = vec![0.0; batch * channels];
        let lanes = &self.buffers[pool.output][..batch * pool.size];
        blocked::to_planar(lanes, [batch, channels, 1], &mut features);
        Ok(features.into_iter().map(f64::from).collect())
    }

    /// The heats of the last pass, which gave these logits: the classifier, a convolution of one pixel, goes over the last
    /// feature map.
    fn heats(&self, logits: &[f64], of: HeatOf) -> Result<Vec<Heat>> {
        let (pool, classifier) = self.end()?;
        let Operation::Convolution { convolution, .. } = &classifier.operation else {
            bail!("the plan has no classifier")
        };
        let [channels, height, width] = self.map;
        let pixels = height * width;
        let batch = logits.len() / self.outputs;
        let map = &self.buffers[pool.input][..blocked::blocks(channels) * batch * pixels];
        let mut scores = Lanes::zeros(classifier.size * batch * pixels);
        convolution.run_without_bias(batch * pixels, map, &mut scores);
        let pictures = logits.chunks_exact(self.outputs).enumerate();
        let heat = |(picture, logits)| {
            let class = of.class(logits)?;
            let lanes = &scores[(class / LANES * batch + picture) * pixels..][..pixels];
            let values = lanes.iter().map(|lane| f64::from(lane[class % LANES]));
            Ok(Heat {
                class,
                size: [height, width],
                values: values.map(|value| value / pixels as f64).collect(),
            })
        };
        pictures.map(heat).collect()
    }
}

/// The same of the net itself, for pictures `[N, C, H, W]` of its type on its device.
pub(super) fn of_net(net: &ResNet, x: &Tensor, wanted: Wanted) -> Result<Pass> {
    let map = net.feature_map(x)?; // [N, features, h, w]
    let pooled = pool(&map)?; // [N, features]
    let mut pass = Pass {
        logits: numbers(&net.head().forward(&pooled)?)?,
        ..Pass::default()
    };
    if wanted.features {
        pass.features = numbers(&pooled)?;
    }
    if let Some(of) = wanted.heat {
        let (_, _, height, width) = map.dims4()?;
        for (picture, logits) in pass.logits.chunks(net.config().classes).enumerate() {
            let class = of.class(logits)?;
            let weights = net.head().weight().narrow(0, class, 1)?.contiguous()?; // [1, features]
            let map = map.get(picture)?.flatten_from(1)?.contiguous()?; // [features, h w]
            let values = numbers(&weights.matmul(&map)?)?;
            let pixels = values.len() as f64;
            pass.heats.push(Heat {
                class,
                size: [height, width],
                values: values.into_iter().map(|value| value / pixels).collect(),
            });
        }
    }
    Ok(pass)
}

/// The elements of a tensor on any device; not every device knows f64.
fn numbers(tensor: &Tensor) -> Result<Vec<f64>> {
    let tensor = tensor.detach().flatten_all()?.to_device(&Device::Cpu)?;
    tensor.to_dtype(DType::F64)?.to_vec1()
}
