//! torchsummary's table, byte for byte: a row for every call of a layer or block, then parameters and sizes.
//!
//! The layout is that of torchsummary 1.5.1, <https://github.com/sksq96/pytorch-summary>.

use super::{SummaryBatch, rows};
use crate::model::Description;
use crate::text::thousands;

const WIDTH: usize = 64;
/// torchsummary calls 1024 x 1024 bytes a megabyte, and counts four bytes a number whatever the type.
const MEGABYTE: f64 = 1024.0 * 1024.0;
const NUMBER_BYTES: usize = 4;

/// The memory of a network, in bytes as torchsummary counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// The input.
    pub input: usize,
    /// Every row's output, twice: once for its gradient.
    pub forward_backward: usize,
    /// The learned numbers.
    pub params: usize,
}

impl Sizes {
    /// Returns the sizes of a forward pass of the description's whole batch.
    pub fn of(description: &Description) -> Self {
        let outputs: usize = rows(description)
            .map(|call| call.output.iter().product::<usize>())
            .sum();
        Self {
            input: description.input.iter().product::<usize>() * NUMBER_BYTES,
            forward_backward: outputs * NUMBER_BYTES * 2,
            params: parameters(description) * NUMBER_BYTES,
        }
    }
}

/// Returns the number of parameters, counted as torchsummary does: row by row.
pub(super) fn parameters(description: &Description) -> usize {
    rows(description).map(|call| call.kind.parameters()).sum()
}

/// Returns the table, as `torchsummary.summary` prints it.
pub fn render(description: &Description, batch: SummaryBatch) -> String {
    let line = |character: &str| character.repeat(WIDTH);
    let row =
        |layer: &str, shape: &str, params: &str| format!("{layer:>20}  {shape:>25} {params:>15}");

    let mut lines = vec![
        line("-"),
        row("Layer (type)", "Output Shape", "Param #"),
        line("="),
    ];
    lines.extend(rows(description).zip(1..).map(|(call, number)| {
        row(
            &format!("{}-{number}", call.kind.type_name()),
            &shape(&call.output, batch),
            &thousands(call.kind.parameters()),
        )
    }));

    let params = thousands(parameters(description));
    let sizes = Sizes::of(description);
    // Every shape has the batch as a factor, so that the division leaves nothing.
    let images = match batch {
        SummaryBatch::Any => description.input[0],
        SummaryBatch::Given => 1,
    };
    let megabytes = |bytes: usize| bytes as f64 / MEGABYTE;
    let input = megabytes(sizes.input / images);
    let forward_backward = megabytes(sizes.forward_backward / images);
    let weights = megabytes(sizes.params);
    lines.extend([
        line("="),
        format!("Total params: {params}"),
        format!("Trainable params: {params}"),
        "Non-trainable params: 0".to_owned(),
        line("-"),
        format!("Input size (MB): {input:.2}"),
        format!("Forward/backward pass size (MB): {forward_backward:.2}"),
        format!("Params size (MB): {weights:.2}"),
        format!(
            "Estimated Total Size (MB): {:.2}",
            weights + forward_backward + input
        ),
        line("-"),
    ]);
    lines.join("\n") + "\n"
}

/// Returns a shape as Python prints a list: `[-1, 64, 112, 112]`.
fn shape(output: &[usize], batch: SummaryBatch) -> String {
    match batch {
        SummaryBatch::Given => format!("{output:?}"),
        SummaryBatch::Any => {
            output[1..]
                .iter()
                .fold("[-1".to_owned(), |text, size| text + &format!(", {size}"))
                + "]"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::tiny;
    use super::*;

    #[test]
    fn the_batch_stands_as_minus_one_or_as_its_number() {
        let table = render(&tiny(2), SummaryBatch::Any);
        assert!(
            table.contains("            Conv2d-1            [-1, 4, 16, 16]             588\n")
        );
        let table = render(&tiny(2), SummaryBatch::Given);
        assert!(
            table.contains("            Conv2d-1             [2, 4, 16, 16]             588\n")
        );
    }

    #[test]
    fn lists_of_modules_and_the_network_have_no_row() {
        let table = render(&tiny(1), SummaryBatch::Any);
        assert!(!table.contains("Sequential"));
        assert!(!table.contains("ResNet"));
        assert!(table.contains("      BasicBlock-8 "));
        assert!(table.contains("          Linear-10 "));
    }

    #[test]
    fn sizes_are_of_one_image_unless_the_batch_is_given() {
        let one = render(&tiny(1), SummaryBatch::Given);
        let footer = |table: &str| table.split_once("Input size").unwrap().1.to_owned();
        assert_eq!(footer(&one), footer(&render(&tiny(3), SummaryBatch::Any)));
        assert_ne!(footer(&one), footer(&render(&tiny(3), SummaryBatch::Given)));
        assert_eq!(Sizes::of(&tiny(3)).input, 3 * Sizes::of(&tiny(1)).input);
    }
}
