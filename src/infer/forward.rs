//! Outputs of a forward pass: logits and, on request, pooled features and class activation maps.

use super::cam::{CamTarget, ClassActivationMap};
use super::plan::{Buffers, Plan};
use super::program::Operation;
use crate::model::ResNet;
use crate::model::resnet::global_avg_pool;
use candle_core::{DType, Device, Result, Tensor, bail};
use resnet_kernels::layout::{self, Buffer};
use resnet_kernels::simd::LANES;

/// Outputs that a forward pass returns besides the logits.
#[derive(Debug, Clone, Copy, Default)]
pub struct ForwardOptions {
    /// True to return the pooled features.
    pub features: bool,
    /// Class whose activation map is returned, if any.
    pub cam: Option<CamTarget>,
}

/// Outputs of a forward pass over N images.
#[derive(Debug, Clone, Default)]
pub struct ModelOutput {
    /// Logits, `[N, classes]`.
    pub logits: Vec<f64>,
    /// Pooled features, `[N, features]`, if requested.
    pub features: Vec<f64>,
    /// Class activation maps, one per image, if requested.
    pub cams: Vec<ClassActivationMap>,
}

impl Plan {
    /// Runs a plan with the classifier as [`Plan::run`] does, and returns the other outputs that `options` request from
    /// the same pass.
    ///
    /// # Errors
    /// If the model does not have the class, or the images have another size.
    pub fn forward(&self, images: &[f32], options: ForwardOptions) -> Result<ModelOutput> {
        self.program.head()?;
        self.with_buffers(|buffers| {
            let logits = self.run_steps(images, buffers, |_, _| ())?;
            let mut output = ModelOutput {
                logits: logits.into_iter().map(f64::from).collect(),
                ..ModelOutput::default()
            };
            if options.features {
                let batch = output.logits.len() / self.program.outputs;
                output.features = self.features(batch, buffers)?;
            }
            if let Some(target) = options.cam {
                output.cams = self.cams(&output.logits, target, buffers)?;
            }
            Ok(output)
        })
    }

    /// Returns the pooled features of the pass in `buffers`, over a batch of `batch` images.
    fn features(&self, batch: usize, buffers: &Buffers) -> Result<Vec<f64>> {
        let (pool, _) = self.program.head()?;
        let channels = self.program.map[0];
        let mut features = vec![0.0; batch * channels];
        let lanes = &buffers.slots[pool.output][..batch * pool.size];
        layout::to_planar(lanes, [batch, channels, 1], &mut features);
        Ok(features.into_iter().map(f64::from).collect())
    }

    /// Returns the class activation maps of the pass in `buffers`, which gave these logits: the classifier, a 1x1
    /// convolution, is applied to the last feature map.
    fn cams(
        &self,
        logits: &[f64],
        target: CamTarget,
        buffers: &Buffers,
    ) -> Result<Vec<ClassActivationMap>> {
        let (pool, classifier) = self.program.head()?;
        let Operation::Convolution { convolution, .. } = &classifier.operation else {
            bail!("the plan has no classifier")
        };
        let [channels, height, width] = self.program.map;
        let pixels = height * width;
        let batch = logits.len() / self.program.outputs;
        let map = &buffers.slots[pool.input][..layout::blocks(channels) * batch * pixels];
        let mut scores = Buffer::zeros(classifier.size * batch * pixels);
        convolution.run_without_bias(batch * pixels, map, &mut scores);
        let images = logits.chunks_exact(self.program.outputs).enumerate();
        let cam = |(image, logits)| {
            let class = target.class(logits)?;
            let lanes = &scores[(class / LANES * batch + image) * pixels..][..pixels];
            let scores = lanes.iter().map(|lane| f64::from(lane[class % LANES]));
            Ok(ClassActivationMap::new(class, [height, width], scores))
        };
        images.map(cam).collect()
    }
}

/// Computes the same outputs with the network itself, for images `[N, C, H, W]` of its type on its device.
pub(super) fn network_output(
    network: &ResNet,
    x: &Tensor,
    options: ForwardOptions,
) -> Result<ModelOutput> {
    let map = network.feature_map(x)?; // [N, features, h, w]
    let pooled = global_avg_pool(&map)?; // [N, features]
    let mut output = ModelOutput {
        logits: elements(&network.head().forward(&pooled)?)?,
        ..ModelOutput::default()
    };
    if options.features {
        output.features = elements(&pooled)?;
    }
    if let Some(target) = options.cam {
        let (_, _, height, width) = map.dims4()?;
        for (image, logits) in output.logits.chunks(network.config().classes).enumerate() {
            let class = target.class(logits)?;
            let weights = network.head().weight().narrow(0, class, 1)?.contiguous()?; // [1, features]
            let map = map.get(image)?.flatten_from(1)?.contiguous()?; // [features, h w]
            let scores = elements(&weights.matmul(&map)?)?.into_iter();
            let cam = ClassActivationMap::new(class, [height, width], scores);
            output.cams.push(cam);
        }
    }
    Ok(output)
}

/// Returns the elements of a tensor on any device; not every device supports f64.
fn elements(tensor: &Tensor) -> Result<Vec<f64>> {
    let tensor = tensor.detach().flatten_all()?.to_device(&Device::Cpu)?;
    tensor.to_dtype(DType::F64)?.to_vec1()
}
