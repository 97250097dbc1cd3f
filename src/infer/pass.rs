//! Outputs of a forward pass: logits and, on request, pooled features and class activation maps.
//!
//! A [`Heat`] is Grad-CAM (<https://arxiv.org/abs/1610.02391>) at the last stage before its ReLU. Between the last
//! feature map `A` `[C, h, w]` and the logit of class `c` there are only the mean over the pixels and one linear layer
//! `W`, so the gradient of the logit is `W[c, k] / (h w)` at every pixel of channel `k`, and so is its mean over them,
//! the weight that Grad-CAM gives the channel. The map is `sum_k W[c, k] A_k / (h w)`: no backward pass is needed. The
//! sum of its pixels plus the bias of the class is the logit.

use super::plan::{Operation, Plan, Step, in_pool};
use crate::model::resnet::pool;
use crate::model::{ResNet, top_class};
use candle_core::{DType, Device, Result, Tensor, bail};
use resnet_kernels::layout::{self, Buffer};
use resnet_kernels::simd::LANES;

/// Outputs that a pass returns besides the logits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// True to return the pooled features.
    pub features: bool,
    /// Class whose activation map is returned, if any.
    pub heat: Option<HeatOf>,
}

/// The target class of a class activation map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeatOf {
    /// The class of each image's largest logit, the first of equal ones.
    Top,
    /// One class for all images.
    Class(usize),
}

/// Outputs of a pass over N images.
#[derive(Debug, Clone, Default)]
pub struct Pass {
    /// Logits, `[N, classes]`.
    pub logits: Vec<f64>,
    /// Pooled features, `[N, features]`, if requested.
    pub features: Vec<f64>,
    /// Class activation maps, one per image, if requested.
    pub heats: Vec<Heat>,
}

/// A class activation map: the contribution of each pixel of the last feature map to a class; evidence against it is
/// negative.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// Index of the class.
    pub class: usize,
    /// Height and width of the last feature map.
    pub size: [usize; 2],
    /// Values, `[height, width]`.
    pub values: Vec<f64>,
}

impl HeatOf {
    /// Returns the class for an image with these logits.
    ///
    /// # Errors
    /// If the model does not have the class.
    fn class(self, logits: &[f64]) -> Result<usize> {
        match self {
            Self::Top => Ok(top_class(logits)),
            Self::Class(class) if class < logits.len() => Ok(class),
            Self::Class(class) => bail!("there is no class {class} among {}", logits.len()),
        }
    }
}

impl Plan {
    /// Runs a plan with the classifier as [`Plan::run`] does, and returns the other outputs `wanted` from the same
    /// pass.
    ///
    /// # Errors
    /// If the model does not have the class, or the images have another size.
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

    /// Returns the steps that pool the last feature map and classify.
    fn end(&self) -> Result<(&Step, &Step)> {
        match self.steps.as_slice() {
            [.., pool, classifier] if self.classifies => Ok((pool, classifier)),
            _ => bail!("the plan has no classifier"),
        }
    }

    /// Returns the pooled features of the last pass, over a batch of `batch` images.
    fn features(&self, batch: usize) -> Result<Vec<f64>> {
        let (pool, _) = self.end()?;
        let channels = self.map[0];
        let mut features = vec![0.0; batch * channels];
        let lanes = &self.buffers[pool.output][..batch * pool.size];
        layout::to_planar(lanes, [batch, channels, 1], &mut features);
        Ok(features.into_iter().map(f64::from).collect())
    }

    /// Returns the class activation maps of the last pass, which gave these logits: the classifier, a 1x1 convolution,
    /// is applied to the last feature map.
    fn heats(&self, logits: &[f64], of: HeatOf) -> Result<Vec<Heat>> {
        let (pool, classifier) = self.end()?;
        let Operation::Convolution { convolution, .. } = &classifier.operation else {
            bail!("the plan has no classifier")
        };
        let [channels, height, width] = self.map;
        let pixels = height * width;
        let batch = logits.len() / self.outputs;
        let map = &self.buffers[pool.input][..layout::blocks(channels) * batch * pixels];
        let mut scores = Buffer::zeros(classifier.size * batch * pixels);
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

/// Computes the same outputs with the network itself, for images `[N, C, H, W]` of its type on its device.
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

/// Returns the elements of a tensor on any device; not every device supports f64.
fn numbers(tensor: &Tensor) -> Result<Vec<f64>> {
    let tensor = tensor.detach().flatten_all()?.to_device(&Device::Cpu)?;
    tensor.to_dtype(DType::F64)?.to_vec1()
}
