//! The forward pass of a trained net, compiled for f32 on the CPU: batch norm folded into the weights, bias, residual and
//! ReLU in one sweep after each convolution, and buffers that one pass after the other reuses.

mod compile;
mod engine;
mod plan;

pub use engine::Engine;
pub use plan::{Plan, StepTime, Work};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ModelConfig, ResNet, ShortcutKind, StemKind, StridePlacement};
    use crate::nn::Parameters;
    use candle_core::{DType, Device, Tensor};

    fn narrow(name: &str, width: usize) -> ModelConfig {
        ModelConfig {
            classes: 7,
            ..ModelConfig::named(name).unwrap().with_width(width)
        }
    }

    /// A seeded net whose batch norms have moved off their start.
    fn net(config: &ModelConfig) -> ResNet {
        let vb = Parameters::default().seeded(3, DType::F32, &Device::Cpu);
        let net = ResNet::new(config, &vb).unwrap();
        let x = pictures(config, 4, 33, 40);
        for _ in 0..3 {
            net.forward_t(&x, true).unwrap();
        }
        net
    }

    fn pictures(config: &ModelConfig, batch: usize, height: usize, width: usize) -> Tensor {
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
    fn the_plan_equals_the_net_for_every_kind_of_net_and_batch() {
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
        ];
        for config in configs {
            let net = net(&config);
            for (batch, height, width) in [(1, 64, 48), (2, 33, 40), (5, 17, 21), (1, 1, 1)] {
                let x = pictures(&config, batch, height, width);
                let expected = net
                    .forward_t(&x, false)
                    .unwrap()
                    .flatten_all()
                    .unwrap()
                    .to_vec1::<f32>()
                    .unwrap();
                for work in [Work { batch, pictures: 1 }, Work::many(batch)] {
                    let mut plan = Plan::new(&net, height, width, work).unwrap();
                    let pictures = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                    plan.run(&pictures[..config.in_channels * height * width])
                        .unwrap();
                    let logits = plan.run(&pictures).unwrap();
                    let largest = expected.iter().fold(0f32, |a, b| a.max(b.abs()));
                    let difference = logits
                        .iter()
                        .zip(&expected)
                        .map(|(a, b)| (a - b).abs())
                        .fold(0f32, f32::max);
                    assert!(
                        difference <= 1e-4 * largest,
                        "{config:?} {height}x{width}, {work:?}: {difference} of {largest}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_timed_pass_names_every_step() {
        let config = narrow("resnet18", 8);
        let mut plan = Plan::new(&net(&config), 32, 32, Work::many(1)).unwrap();
        let (_, times) = plan.run_timed(&vec![0.5; 3 * 32 * 32]).unwrap();
        assert_eq!(times[0].path, "conv1");
        assert_eq!(times.last().unwrap().path, "fc");
        // stem, pool, 8 blocks of 2, 3 projections, average pool, classifier
        assert_eq!(times.len(), 2 + 16 + 3 + 2);
    }

    #[test]
    fn pictures_of_another_size_are_refused() {
        let net = net(&narrow("resnet18", 8));
        let mut plan = Plan::new(&net, 32, 32, Work::many(1)).unwrap();
        assert!(
            plan.run(&[0.0; 100])
                .unwrap_err()
                .to_string()
                .contains("do not make pictures")
        );
        assert!(plan.run(&[]).is_err());
    }
}
