//! The module tree as PyTorch's `print(model)` gives it for torchvision's models, byte for byte.
//!
//! The text is that of PyTorch 2.15, which writes batch norm's `bias=True`; older versions leave that out.

use std::fmt::Write;

use crate::model::Description;
use crate::model::config::{BATCH_NORM_EPS, BATCH_NORM_MOMENTUM};
use crate::model::description::{Module, ModuleKind};

/// Returns the tree, as `print(model)` prints it.
pub fn render(description: &Description) -> String {
    let mut text = String::new();
    append(&description.root, 0, &mut text);
    text.push('\n');
    text
}

/// Appends a module without the newline after it; its children stand on lines of their own.
fn append(module: &Module, level: usize, text: &mut String) {
    let name = module.kind.type_name();
    if module.children.is_empty() {
        let _ = write!(text, "{name}({})", arguments(module.kind));
        return;
    }
    let indent = "  ".repeat(level);
    let _ = writeln!(text, "{name}(");
    for child in &module.children {
        let name = child.path.rsplit('.').next().unwrap_or_default();
        let _ = write!(text, "{indent}  ({name}): ");
        append(child, level + 1, text);
        text.push('\n');
    }
    let _ = write!(text, "{indent})");
}

/// Returns what PyTorch writes between the parentheses of a module without children; defaults are omitted where PyTorch
/// omits them.
fn arguments(kind: ModuleKind) -> String {
    match kind {
        ModuleKind::Conv2d {
            channels: [input, output],
            kernel,
            stride,
            padding,
            dilation,
            groups,
        } => {
            let mut text = format!(
                "{input}, {output}, kernel_size=({kernel}, {kernel}), stride=({stride}, {stride})"
            );
            if padding != 0 {
                let _ = write!(text, ", padding=({padding}, {padding})");
            }
            if dilation != 1 {
                let _ = write!(text, ", dilation=({dilation}, {dilation})");
            }
            if groups != 1 {
                let _ = write!(text, ", groups={groups}");
            }
            text + ", bias=False"
        }
        ModuleKind::BatchNorm2d { channels } => {
            format!(
                "{channels}, eps={}, momentum={BATCH_NORM_MOMENTUM}, affine=True, bias=True, track_running_stats=True",
                python_exponent(BATCH_NORM_EPS)
            )
        }
        ModuleKind::GroupNorm { groups, channels } => format!(
            "{groups}, {channels}, eps={}, affine=True",
            python_exponent(BATCH_NORM_EPS)
        ),
        ModuleKind::Relu => "inplace=True".to_owned(),
        ModuleKind::AvgPool2d { ceil_mode } => {
            let ceil_mode = if ceil_mode { "True" } else { "False" };
            format!("kernel_size=2, stride=2, padding=0, ceil_mode={ceil_mode}")
        }
        ModuleKind::MaxPool2d {
            kernel,
            stride,
            padding,
        } => format!(
            "kernel_size={kernel}, stride={stride}, padding={padding}, dilation=1, ceil_mode=False"
        ),
        ModuleKind::PaddedShortcut {
            channels: [input, output],
            stride,
        } => format!("{input}, {output}, stride={stride}"),
        ModuleKind::AdaptiveAvgPool2d => "output_size=(1, 1)".to_owned(),
        ModuleKind::Linear {
            features: [input, output],
        } => format!("in_features={input}, out_features={output}, bias=True"),
        ModuleKind::BlurPool2d { .. }
        | ModuleKind::SeModule { .. }
        | ModuleKind::EcaModule { .. }
        | ModuleKind::Identity
        | ModuleKind::ResNet
        | ModuleKind::Sequential
        | ModuleKind::BasicBlock
        | ModuleKind::Bottleneck => String::new(),
    }
}

/// Returns a small number with the two-digit exponent that Python writes: `1e-05`.
fn python_exponent(number: f64) -> String {
    let text = format!("{number:e}");
    match text.split_once("e-") {
        Some((digits, exponent)) => format!("{digits}e-{exponent:0>2}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::tiny;
    use super::*;

    #[test]
    fn the_tree_is_nested_and_named_as_pytorch_nests_and_names_it() {
        let expected = "\
ResNet(
  (conv1): Conv2d(3, 4, kernel_size=(7, 7), stride=(2, 2), padding=(3, 3), bias=False)
  (maxpool): MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=False)
  (layer1): Sequential(
    (0): BasicBlock(
      (conv1): Conv2d(4, 8, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), bias=False)
      (relu): ReLU(inplace=True)
      (downsample): Sequential(
        (0): Conv2d(4, 8, kernel_size=(1, 1), stride=(2, 2), bias=False)
        (1): BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
      )
    )
  )
  (avgpool): AdaptiveAvgPool2d(output_size=(1, 1))
  (fc): Linear(in_features=8, out_features=10, bias=True)
)
";
        assert_eq!(render(&tiny(1)), expected);
    }

    #[test]
    fn dilation_groups_and_padded_shortcuts_are_written() {
        let kind = ModuleKind::Conv2d {
            channels: [8, 8],
            kernel: 3,
            stride: 1,
            padding: 2,
            dilation: 2,
            groups: 4,
        };
        let expected = "8, 8, kernel_size=(3, 3), stride=(1, 1), padding=(2, 2), dilation=(2, 2), groups=4, bias=False";
        assert_eq!(arguments(kind), expected);
        let kind = ModuleKind::PaddedShortcut {
            channels: [16, 32],
            stride: 2,
        };
        assert_eq!(arguments(kind), "16, 32, stride=2");
    }
}
