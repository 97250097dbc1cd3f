//! The training step of a net's body, from the pictures to the pooled features and back, compiled for f32 on the CPU.
//!
//! Autograd would take an operation at a time, allocate each result and add each gradient to zeros. Here the order of
//! everything is known: values stay in the kernels' layout from the stem to the pool, a convolution's gradient takes the
//! place of its output, batch norm comes with its ReLU and its residual, and memory is kept from step to step. The head and
//! the loss, which are small, stay with autograd.

mod block;
mod layer;

use crate::kernels::PoolGeometry;
use crate::kernels::aligned::Lanes;
use crate::kernels::blocked::{self, blocks};
use crate::kernels::conv::stem;
use crate::kernels::conv::training::Workspace;
use crate::kernels::pool_blocked;
use crate::kernels::simd::Lane;
use crate::model::config::StemKind;
use crate::model::resnet::STEM_POOL;
use crate::model::{Frozen, ResNet};
use block::{Block, Buffers};
use candle_core::{Result, Tensor, bail};
use layer::{Layer, Source};

/// A net's body ready to learn from pictures of one size.
#[derive(Debug)]
pub struct Step {
    /// Channels, height and width of a picture.
    picture: [usize; 3],
    /// The pictures in the kernels' layout, where the stem does not read them as they are.
    entered: Lanes,
    stem: Layer,
    pool: Option<Pool>,
    blocks: Vec<Block>,
    means: Lanes,
    /// Pictures of the last forward pass.
    batch: usize,
    workspace: Workspace,
    buffers: Buffers,
}

#[derive(Debug)]
struct Pool {
    /// Of one picture.
    geometry: PoolGeometry,
    output: Lanes,
    /// The gradient of its input.
    gradient: Lanes,
}

impl Pool {
    fn of(&self, batch: usize) -> PoolGeometry {
        PoolGeometry {
            planes: batch * self.geometry.planes,
            ..self.geometry
        }
    }

    fn lanes(&self, batch: usize) -> usize {
        let geometry = self.of(batch);
        geometry.planes * geometry.out_height() * geometry.out_width()
    }
}

impl Step {
    /// The body of `net`, whose parameters are variables, for pictures of `height` by `width`; the `frozen` part evaluates
    /// and gets no gradients.
    ///
    /// # Errors
    /// Pictures too small for the net.
    pub fn new(net: &ResNet, [height, width]: [usize; 2], frozen: Frozen) -> Result<Self> {
        let config = net.config();
        let picture = [config.in_channels, height, width];
        let names = ["conv1", "bn1"].map(str::to_owned);
        let stem = Layer::new(names, net.stem(), picture, !frozen.holds("conv1"))?;
        let mut shape = stem.shape();
        let pool = (config.stem == StemKind::Imagenet).then(|| {
            let [channels, height, width] = shape;
            let [kernel, stride, padding] = STEM_POOL;
            let geometry = PoolGeometry {
                planes: blocks(channels),
                height,
                width,
                kernel,
                stride,
                padding,
            };
            shape = [channels, geometry.out_height(), geometry.out_width()];
            Pool {
                geometry,
                output: Lanes::default(),
                gradient: Lanes::default(),
            }
        });
        let mut built = Vec::new();
        for (stage, modules) in net.stages().iter().enumerate() {
            let learns = !frozen.holds(&format!("layer{}", stage + 1));
            for (i, module) in modules.iter().enumerate() {
                let path = format!("layer{}.{i}", stage + 1);
                let block = Block::new(&path, module, shape, learns)?;
                shape = block.shape();
                built.push(block);
            }
        }
        Ok(Self {
            picture,
            entered: Lanes::default(),
            stem,
            pool,
            blocks: built,
            means: Lanes::default(),
            batch: 0,
            workspace: Workspace::default(),
            buffers: Buffers::default(),
        })
    }

    /// Channels, height and width of a picture.
    pub fn picture(&self) -> [usize; 3] {
        self.picture
    }

    /// Pooled features `[N, features]` of pictures `[N, C, H, W]`. Batch norm takes the batch's statistics and moves its running
    /// ones, but for the frozen part.
    ///
    /// # Errors
    /// Values that make no pictures; a batch norm that would see one value a channel.
    pub fn forward(&mut self, pictures: &[f32]) -> Result<Vec<f32>> {
        let [channels, height, width] = self.picture;
        let size = channels * height * width;
        if pictures.is_empty() || !pictures.len().is_multiple_of(size) {
            bail!(
                "{} values do not make pictures of {:?}",
                pictures.len(),
                self.picture
            );
        }
        let batch = pictures.len() / size;
        self.batch = batch;
        let source = if stem::fits(&self.stem.of(1)) {
            Source::Pictures(pictures)
        } else {
            self.entered
                .reserve(blocks(channels) * batch * height * width);
            let entered = &mut self.entered[..blocks(channels) * batch * height * width];
            blocked::from_planar(pictures, [batch, channels, height * width], entered);
            Source::Blocks(entered)
        };
        self.stem
            .forward(batch, source, None, true, &mut self.workspace)?;
        if let Some(pool) = &mut self.pool {
            let lanes = pool.lanes(batch);
            pool.output.reserve(lanes);
            let geometry = pool.of(batch);
            pool_blocked::maxima(
                self.stem.output(batch),
                &geometry,
                &mut pool.output[..lanes],
            );
        }
        for i in 0..self.blocks.len() {
            let (before, rest) = self.blocks.split_at_mut(i);
            let input = input_of(before, &self.stem, self.pool.as_ref(), batch);
            rest[0].forward(batch, input, &mut self.workspace)?;
        }
        let output = input_of(&self.blocks, &self.stem, self.pool.as_ref(), batch);
        let [features, height, width] = self.features();
        let lanes = blocks(features) * batch;
        self.means.reserve(lanes);
        pool_blocked::means(output, height * width, &mut self.means[..lanes]);
        let mut result = vec![0.0; batch * features];
        blocked::to_planar(&self.means[..lanes], [batch, features, 1], &mut result);
        Ok(result)
    }

    /// Features, and height and width before they are pooled.
    fn features(&self) -> [usize; 3] {
        self.blocks
            .last()
            .map_or_else(|| self.stem.shape(), Block::shape)
    }

    /// The gradients of the parameters that are not frozen, by their names, given that of the features of the last
    /// [`Step::forward`].
    ///
    /// # Errors
    /// A gradient of another size.
    pub fn backward(&mut self, gradient: &[f32]) -> Result<Vec<(String, Tensor)>> {
        let batch = self.batch;
        let [features, height, width] = self.features();
        if gradient.len() != batch * features || batch == 0 {
            bail!(
                "{} gradients for {batch} pictures of {features} features",
                gradient.len()
            );
        }
        let Self {
            stem,
            pool,
            blocks: built,
            workspace,
            buffers,
            means,
            ..
        } = self;
        let lanes = blocks(features) * batch;
        blocked::from_planar(gradient, [batch, features, 1], &mut means[..lanes]);
        buffers.gradient.reserve(lanes * height * width);
        let spread = &mut buffers.gradient[..lanes * height * width];
        pool_blocked::grad_means(&means[..lanes], height * width, spread);
        let mut gradients = Vec::new();
        for i in (0..built.len()).rev() {
            let (before, rest) = built.split_at_mut(i);
            if !rest[0].learns {
                return Ok(gradients);
            }
            let wants_input = before.last().map_or(stem.learns, |block| block.learns);
            let input = input_of(before, stem, pool.as_ref(), batch);
            rest[0].backward(
                batch,
                input,
                wants_input,
                buffers,
                workspace,
                &mut gradients,
            )?;
        }
        if !stem.learns {
            return Ok(gradients);
        }
        let lanes = stem.lanes(batch);
        if let Some(pool) = pool {
            let out_lanes = pool.lanes(batch);
            pool.gradient.reserve(lanes);
            let geometry = pool.of(batch);
            let of_input = &mut pool.gradient[..lanes];
            pool_blocked::grad_maxima(
                stem.output(batch),
                &pool.output[..out_lanes],
                &buffers.gradient[..out_lanes],
                &geometry,
                of_input,
            );
            stem.grad_norm(batch, of_input, true, &mut gradients)?;
        } else {
            stem.grad_norm(batch, &mut buffers.gradient[..lanes], true, &mut gradients)?;
        }
        let source = if stem::fits(&stem.of(1)) {
            Source::Pictures(&[])
        } else {
            let [channels, height, width] = self.picture;
            Source::Blocks(&self.entered[..blocks(channels) * batch * height * width])
        };
        stem.grad_weight(batch, source, workspace, &mut gradients)?;
        Ok(gradients)
    }
}

/// What follows `before` reads: the last block's output, or the stem's.
fn input_of<'a>(
    before: &'a [Block],
    stem: &'a Layer,
    pool: Option<&'a Pool>,
    batch: usize,
) -> &'a [Lane] {
    match (before.last(), pool) {
        (Some(block), _) => block.output(batch),
        (None, Some(pool)) => &pool.output[..pool.lanes(batch)],
        (None, None) => stem.output(batch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ModelConfig, ShortcutKind, StridePlacement};
    use crate::nn::Parameters;
    use candle_core::{DType, Device, Var};
    use std::collections::HashMap;

    fn narrow(name: &str) -> ModelConfig {
        ModelConfig {
            classes: 7,
            ..ModelConfig::named(name).unwrap().with_width(8)
        }
    }

    fn kinds() -> Vec<ModelConfig> {
        vec![
            narrow("resnet18"),
            narrow("resnet50"),
            ModelConfig {
                stem: StemKind::Cifar,
                ..narrow("resnet18")
            },
            ModelConfig {
                stride_placement: StridePlacement::V1,
                ..narrow("resnet50")
            },
            ModelConfig {
                groups: 4,
                width_per_group: 32,
                ..narrow("resnet50")
            },
            ModelConfig {
                dilated: vec![false, false, true, true],
                ..narrow("resnet50")
            },
            ModelConfig {
                in_channels: 5,
                ..narrow("resnet18")
            },
            ModelConfig::named("resnet20").unwrap(),
            ModelConfig {
                shortcut: ShortcutKind::None,
                ..narrow("resnet20")
            },
        ]
    }

    /// Gives every even channel a bias that keeps it positive and every odd one a bias that keeps it negative: a value whose
    /// rounding error carried it over ReLU's edge would change all gradients before it.
    fn keep_from_relus_edge(parameters: &Parameters) {
        for (name, variable) in parameters.trainable() {
            if name.contains("bn") && name.ends_with("bias") || name.ends_with("downsample.1.bias")
            {
                let signs =
                    (0..variable.elem_count()).map(|i| if i % 2 == 0 { 8f32 } else { -8.0 });
                let signs = Tensor::from_iter(signs, &Device::Cpu).unwrap();
                variable.set(&signs).unwrap();
            }
        }
    }

    /// The logits, the gradients of all parameters but the head's, and the running statistics afterwards, by autograd.
    fn by_autograd(
        config: &ModelConfig,
        parameters: &Parameters,
        x: &Tensor,
        weights: &Tensor,
        dtype: DType,
    ) -> HashMap<String, Tensor> {
        let own = Parameters::default();
        let net = ResNet::new(config, &own.seeded(3, dtype, &Device::Cpu)).unwrap();
        for ((_, variable), (_, from)) in own.all().iter().zip(parameters.all()) {
            variable.set(&from.to_dtype(dtype).unwrap()).unwrap();
        }
        let logits = net.forward_t(&x.to_dtype(dtype).unwrap(), true).unwrap();
        let loss = (&logits * weights.to_dtype(dtype).unwrap()).unwrap();
        let mut store = loss.sum_all().unwrap().backward().unwrap();
        let trained = own.trainable().into_iter();
        let trained = trained.filter(|(name, _)| !name.starts_with("fc"));
        let mut named: HashMap<_, _> = trained
            .map(|(name, variable)| (name, store.remove(&variable).unwrap()))
            .collect();
        let running = own.all().into_iter();
        let running = running.filter(|(name, _)| name.contains("running"));
        named.extend(running.map(|(name, variable)| (name, variable.as_detached_tensor())));
        named.insert("logits".to_owned(), logits);
        named
    }

    fn norm(values: &[f64]) -> f64 {
        values.iter().map(|value| value * value).sum::<f64>().sqrt()
    }

    /// The distance of some numbers from others, over the others' norm.
    fn distance(ours: &Tensor, expected: &Tensor) -> f64 {
        let numbers = |tensor: &Tensor| -> Vec<f64> {
            let flat = tensor.flatten_all().unwrap();
            flat.to_dtype(DType::F64).unwrap().to_vec1().unwrap()
        };
        assert_eq!(ours.dims(), expected.dims());
        let (ours, expected) = (numbers(ours), numbers(expected));
        let differences: Vec<f64> = ours.iter().zip(&expected).map(|(a, b)| a - b).collect();
        norm(&differences) / norm(&expected)
    }

    #[test]
    fn a_step_gives_the_gradients_of_autograd_for_every_kind_of_net() {
        for config in kinds() {
            let name = format!("{config:?}");
            let parameters = Parameters::default();
            let vb = parameters.seeded(3, DType::F32, &Device::Cpu);
            let net = ResNet::new(&config, &vb).unwrap();
            keep_from_relus_edge(&parameters);
            let (batch, height, width) = (6, 40, 33);
            let count = batch * config.in_channels * height * width;
            let values: Vec<f32> = (0..count)
                .map(|i| ((i * 7919) % 1009) as f32 / 504.5 - 1.0)
                .collect();
            let shape = (batch, config.in_channels, height, width);
            let x = Tensor::from_vec(values.clone(), shape, &Device::Cpu).unwrap();
            let weights = (0..batch * config.classes).map(|i| ((i * 31) % 17) as f32 / 8.0 - 1.0);
            let weights = Tensor::from_iter(weights, &Device::Cpu).unwrap();
            let weights = weights.reshape((batch, config.classes)).unwrap();
            let expected = by_autograd(&config, &parameters, &x, &weights, DType::F64);
            let rounded = by_autograd(&config, &parameters, &x, &weights, DType::F32);

            let mut step = Step::new(&net, [height, width], Frozen::Nothing).unwrap();
            let features = step.forward(&values).unwrap();
            let shape = (batch, config.features());
            let features = Tensor::from_vec(features, shape, &Device::Cpu).unwrap();
            let features = Var::from_tensor(&features).unwrap();
            let logits = net.head().forward(&features).unwrap();
            let loss = (&logits * &weights).unwrap().sum_all().unwrap();
            let gradient = loss.backward().unwrap().remove(&features).unwrap();
            let gradient: Vec<f32> = gradient.flatten_all().unwrap().to_vec1().unwrap();
            let mut ours: HashMap<String, Tensor> =
                step.backward(&gradient).unwrap().into_iter().collect();
            let running = parameters.all().into_iter();
            let running = running.filter(|(name, _)| name.contains("running"));
            ours.extend(running.map(|(name, variable)| (name, variable.as_detached_tensor())));
            ours.insert("logits".to_owned(), logits);

            assert_eq!(ours.len(), expected.len(), "{name}");
            for (tensor, expected) in &expected {
                let error = distance(&ours[tensor], expected);
                // Some gradients nearly vanish: autograd shows what f32 can say of them. Winograd's sums round a few times as
                // much.
                let rounding = distance(&rounded[tensor], expected);
                assert!(
                    error < 20.0 * rounding + 1e-6,
                    "{name}: {tensor}: {error:e}, autograd {rounding:e}"
                );
            }
        }
    }

    #[test]
    fn a_frozen_part_evaluates_and_has_no_gradients() {
        let config = narrow("resnet18");
        let parameters = Parameters::default();
        let vb = parameters.seeded(3, DType::F32, &Device::Cpu);
        let net = ResNet::new(&config, &vb).unwrap();
        let values: Vec<f32> = (0..4 * 3 * 33 * 33)
            .map(|i| (i % 61) as f32 / 30.0 - 1.0)
            .collect();
        let x = Tensor::from_vec(values.clone(), (4, 3, 33, 33), &Device::Cpu).unwrap();
        for (frozen, first) in [
            (Frozen::Stem, "layer1.0.conv1.weight"),
            (Frozen::Stage(2), "layer3.0.conv1.weight"),
        ] {
            let mut step = Step::new(&net, [33, 33], frozen).unwrap();
            let before: Vec<f32> = running_mean(&parameters, "bn1");
            let features = step.forward(&values).unwrap();
            assert_eq!(running_mean(&parameters, "bn1"), before);
            let features =
                Tensor::from_vec(features, (4, config.features()), &Device::Cpu).unwrap();
            let logits = net.head().forward(&features).unwrap();
            let expected = net.forward_frozen(&x, frozen, true).unwrap();
            assert!(distance(&logits, &expected) < 1e-5, "{frozen}");
            let gradients = step.backward(&vec![1.0; 4 * config.features()]).unwrap();
            let names: Vec<&str> = gradients.iter().map(|(name, _)| name.as_str()).collect();
            assert!(names.contains(&first), "{frozen}");
            assert!(
                names.iter().all(|name| !frozen.holds(name)),
                "{frozen}: {names:?}"
            );
        }
    }

    fn running_mean(parameters: &Parameters, norm: &str) -> Vec<f32> {
        let all: HashMap<_, _> = parameters.all().into_iter().collect();
        all[&format!("{norm}.running_mean")].to_vec1().unwrap()
    }
}
