//! The forward pass of a trained network, compiled for f32 on the CPU: batch norm is folded into the weights; bias,
//! residual and ReLU are part of the last store of each convolution; buffers are reused from pass to pass.

mod cam;
mod compile;
mod engine;
mod forward;
mod plan;
mod program;
mod weights;

pub use cam::{CamTarget, ClassActivationMap};
pub use engine::Engine;
pub use forward::{ForwardOptions, ModelOutput};
pub use plan::Plan;
pub use program::{StepTime, Workload};
pub use weights::Weights;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::{AntiAliasing, NormKind};
    use crate::model::{ModelConfig, ResNet, ShortcutKind, StemKind, StridePlacement};
    use crate::nn::Parameters;
    use candle_core::{DType, Device, Tensor};
    use candle_nn::VarBuilder;
    use resnet_kernels::simd::LANES;

    fn narrow(name: &str, width: usize) -> ModelConfig {
        ModelConfig {
            classes: 7,
            ..ModelConfig::named(name).unwrap().with_width(width)
        }
    }

    /// Returns a seeded network whose batch norms differ from their initial values.
    fn network(config: &ModelConfig) -> ResNet {
        in_both_precisions(config).0
    }

    /// Returns the same network in f32 and in f64.
    fn in_both_precisions(config: &ModelConfig) -> (ResNet, ResNet) {
        let parameters = Parameters::default();
        let network = ResNet::new(config, &parameters.seeded(3, DType::F32, &Device::Cpu)).unwrap();
        let x = images(config, 4, 64, 64);
        for _ in 0..3 {
            network.forward_t(&x, true).unwrap();
        }
        let wide = parameters.all().into_iter().map(|(name, variable)| {
            let tensor = variable.as_detached_tensor();
            (name, tensor.to_dtype(DType::F64).unwrap())
        });
        let vb = VarBuilder::from_tensors(wide.collect(), DType::F64, &Device::Cpu);
        (network, ResNet::new(config, &vb).unwrap())
    }

    fn assert_close(ours: &[f32], expected: &Tensor, what: &str) {
        let expected = expected.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert_eq!(ours.len(), expected.len(), "{what}");
        let largest = expected.iter().fold(0f64, |a, b| a.max(b.abs()));
        for (&ours, expected) in ours.iter().zip(&expected) {
            // Written so that NaN fails.
            assert!(
                (f64::from(ours) - expected).abs() <= 1e-4 * largest,
                "{what}: {ours} {expected} of {largest}"
            );
        }
    }

    fn images(config: &ModelConfig, batch: usize, height: usize, width: usize) -> Tensor {
        let count = batch * config.in_channels * height * width;
        let values: Vec<f32> = (0..count)
            .map(|i| ((i * 7919) % 1009) as f32 / 504.5 - 1.0)
            .collect();
        Tensor::from_vec(
            values,
            (batch, config.in_channels, height, width),
            &Device::Cpu,
        )
        .unwrap()
    }

    #[test]
    fn the_plan_equals_the_network_for_every_kind_of_network_and_batch() {
        let configs = [
            narrow("resnet18", 8),
            narrow("resnet50", 8),
            ModelConfig {
                stem: StemKind::Cifar,
                ..narrow("resnet18", 8)
            },
            ModelConfig {
                stride_placement: StridePlacement::V1,
                ..narrow("resnet50", 8)
            },
            ModelConfig {
                groups: 4,
                width_per_group: 32,
                ..narrow("resnet50", 8)
            },
            ModelConfig {
                dilated: vec![false, false, true, true],
                ..narrow("resnet50", 8)
            },
            ModelConfig {
                in_channels: 5,
                first_stage_stride: 2,
                ..narrow("resnet34", 8)
            },
            narrow("resnet20", 8),
            ModelConfig {
                shortcut: ShortcutKind::None,
                ..narrow("resnet20", 8)
            },
            narrow("resnet50d", 8),
            narrow("resnet26t", 16),
            narrow("seresnet18", 8),
            narrow("ecaresnet26t", 16),
            narrow("seresnetaa50d", 8),
            narrow("resnetblur18", 8),
            narrow("resnetrs50", 8),
            ModelConfig {
                first_reduction: 2,
                projection_kernel: 3,
                ..narrow("seresnet50", 8)
            },
            ModelConfig {
                classes: 7,
                ..ModelConfig::named("test_resnet").unwrap()
            },
            ModelConfig {
                classes: 7,
                stem_channels: 32,
                ..ModelConfig::named("resnet50_gn").unwrap()
            },
        ];
        for config in configs {
            let (network, wide) = in_both_precisions(&config);
            let sizes: &[(usize, usize, usize)] = match (config.anti_aliasing, config.norm) {
                (AntiAliasing::None, NormKind::Batch) => {
                    &[(1, 64, 48), (2, 33, 40), (5, 17, 21), (1, 1, 1)]
                }
                // Averages leave out an odd edge, a blur reflects two pixels at least, and group norm of few equal values loses
                // their digits.
                _ => &[(1, 64, 128), (2, 96, 64)],
            };
            for &(batch, height, width) in sizes {
                let x = images(&config, batch, height, width);
                let images = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                let x = x.to_dtype(DType::F64).unwrap();
                let (logits, features) =
                    (wide.forward_t(&x, false).unwrap(), wide.pooled(&x).unwrap());
                for work in [Workload { batch, images: 1 }, Workload::many(batch)] {
                    let what = format!("{config:?} {height}x{width}, {work:?}");
                    let plan = Plan::new(&network, height, width, work).unwrap();
                    plan.run(&images[..config.in_channels * height * width])
                        .unwrap();
                    let many = plan.run(&images).unwrap();
                    assert_close(&many, &logits, &what);
                    plan.run(&images[..config.in_channels * height * width])
                        .unwrap();
                    assert_eq!(plan.run(&images).unwrap(), many, "{what}");
                    let plan = Plan::of_features(&network, height, width, work).unwrap();
                    assert_close(&plan.run(&images).unwrap(), &features, &what);
                }
            }
        }
    }

    #[test]
    fn a_timed_pass_names_every_step() {
        let config = narrow("resnet18", 8);
        let plan = Plan::new(&network(&config), 32, 32, Workload::many(1)).unwrap();
        let (_, times) = plan.run_timed(&vec![0.5; 3 * 32 * 32]).unwrap();
        assert_eq!(times[0].path, "conv1");
        assert_eq!(times.last().unwrap().path, "fc");
        // stem, pool, 8 blocks of 2, 3 projections, average pool, classifier
        assert_eq!(times.len(), 2 + 16 + 3 + 2);
    }

    #[test]
    fn the_memory_that_a_plan_names_is_what_a_pass_takes() {
        for in_channels in [3, 5] {
            for stem in [StemKind::Imagenet, StemKind::Cifar] {
                let config = ModelConfig {
                    stem,
                    in_channels,
                    ..narrow("resnet50", 8)
                };
                let plan = Plan::new(&network(&config), 33, 40, Workload::many(2)).unwrap();
                let images = vec![0.5; 2 * in_channels * 33 * 40];
                plan.run(&images).unwrap();
                let buffers = plan.with_buffers(|buffers| {
                    let slots: usize = buffers.slots.iter().map(|slot| slot.len()).sum();
                    slots * LANES + buffers.stem.len()
                });
                let numbers = buffers + images.len();
                assert_eq!(plan.bytes(2), numbers * size_of::<f32>(), "{config:?}");
            }
        }
    }

    #[test]
    fn images_of_another_size_are_refused() {
        let network = network(&narrow("resnet18", 8));
        let plan = Plan::new(&network, 32, 32, Workload::many(1)).unwrap();
        assert!(
            plan.run(&[0.0; 100])
                .unwrap_err()
                .to_string()
                .contains("do not form images")
        );
        assert!(plan.run(&[]).is_err());
    }
}
