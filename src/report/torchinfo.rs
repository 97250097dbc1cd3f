//! torchinfo's tree with output shapes, parameters and mult-adds, three levels deep.
//!
//! The layout is that of torchinfo 1.8.0, <https://github.com/TylerYep/torchinfo>, except that the unit of the
//! mult-adds is its letter: `(G)`.

use std::fmt::Write;

use crate::model::Description;
use crate::model::description::{ModuleCall, ModuleKind};
use crate::text::thousands;

/// Levels shown below the network; deeper ones are counted and not shown.
const DEPTH: usize = 3;
const COLUMN: usize = 25;
/// Columns beside the name: output shape and parameters.
const COLUMNS: usize = 2;
const NAME: usize = 40;
/// Columns by which a level shifts a name, and the step in which the name column widens.
const STEP: usize = 5;
const NUMBER_BYTES: usize = 4;

/// A call with the calls that it makes.
struct Node<'a> {
    call: &'a ModuleCall,
    children: Vec<Node<'a>>,
}

/// A call in the order in which the calls begin.
struct Row<'a> {
    call: &'a ModuleCall,
    depth: usize,
    /// Its place among the rows of its depth, from 1.
    index: usize,
    is_leaf: bool,
    /// Parameters of the module and all below it.
    params: usize,
}

/// Returns the tree, as `torchinfo.summary` prints it for the description's input.
pub fn render(description: &Description) -> String {
    let rows = rows(description);
    let widest = rows
        .iter()
        .map(|row| row.name().len() + row.depth * STEP + 1)
        .max();
    // torchinfo widens the column as soon as a name fills it.
    let name_width = widest
        .filter(|widest| *widest >= NAME)
        .map_or(NAME, |widest| widest.next_multiple_of(STEP));
    let divider = "=".repeat(name_width + COLUMNS * COLUMN);

    let line = |name: &str, shape: &str, params: &str| {
        let line = format!("{name:<name_width$} {shape:<COLUMN$} {params}");
        line.trim_end().to_owned()
    };
    let mut lines = vec![
        divider.clone(),
        line("Layer (type:depth-idx)", "Output Shape", "Param #"),
        divider.clone(),
    ];
    lines.extend(rows.iter().filter(|row| row.depth <= DEPTH).map(|row| {
        line(
            &format!("{}{}", branch(row.depth), row.name()),
            &format!("{:?}", row.call.output),
            &row.params_column(),
        )
    }));

    let leaves = || rows.iter().filter(|row| row.is_leaf);
    // A module called twice (ReLU) has no parameters, so that no parameter is counted twice.
    let params: usize = leaves().map(|row| row.params).sum();
    let mult_adds: u64 = leaves().map(|row| mult_adds(row.call)).sum();
    let outputs: usize = leaves()
        .filter(|row| row.params > 0)
        .map(|row| row.call.output.iter().product::<usize>())
        .sum();
    let input = description.input.iter().product::<usize>() * NUMBER_BYTES;
    let forward_backward = outputs * NUMBER_BYTES * 2;
    let weights = params * NUMBER_BYTES;
    let megabytes = |bytes: usize| bytes as f64 / 1e6;
    lines.extend([
        divider.clone(),
        format!("Total params: {}", thousands(params)),
        format!("Trainable params: {}", thousands(params)),
        "Non-trainable params: 0".to_owned(),
        format!("Total mult-adds{}", with_unit(mult_adds)),
        divider.clone(),
        format!("Input size (MB): {:.2}", megabytes(input)),
        format!(
            "Forward/backward pass size (MB): {:.2}",
            megabytes(forward_backward)
        ),
        format!("Params size (MB): {:.2}", megabytes(weights)),
        format!(
            "Estimated Total Size (MB): {:.2}",
            megabytes(input + forward_backward + weights)
        ),
        divider,
    ]);
    lines.join("\n") + "\n"
}

impl Row<'_> {
    fn name(&self) -> String {
        let mut name = self.call.kind.type_name().to_owned();
        if self.depth > 0 {
            let _ = write!(name, ": {}-{}", self.depth, self.index);
        }
        name
    }

    /// A leaf has its own parameters, a module at the last level shown those below it too, the others show none.
    fn params_column(&self) -> String {
        if self.params > 0 && (self.is_leaf || self.depth == DEPTH) {
            thousands(self.params)
        } else {
            "--".to_owned()
        }
    }
}

/// Returns what torchinfo draws before a name of that depth.
fn branch(depth: usize) -> String {
    match depth {
        0 => String::new(),
        1 => "├─".to_owned(),
        _ => "│    ".repeat(depth - 1) + "└─",
    }
}

/// Multiplications as torchinfo counts them: batch norm by its parameters, biases included.
fn mult_adds(call: &ModuleCall) -> u64 {
    match call.kind {
        ModuleKind::Conv2d { .. } => call.mult_adds(),
        kind => (call.output[0] * kind.parameters()) as u64,
    }
}

/// Returns the end of the line of mult-adds: millions, billions or trillions, without decimals where there are none.
fn with_unit(number: u64) -> String {
    let (unit, divisor) = match number {
        1_000_000_000_000.. => ("T", 1e12),
        1_000_000_000.. => ("G", 1e9),
        _ => ("M", 1e6),
    };
    let value = number as f64 / divisor;
    if value.fract() == 0.0 {
        return format!(" ({unit}): {}", thousands(value as usize));
    }
    // Commas are for the whole part, rounded with its decimals.
    let text = format!("{value:.2}");
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, "00"));
    let whole = whole
        .parse::<usize>()
        .map_or_else(|_| whole.to_owned(), thousands);
    format!(" ({unit}): {whole}.{decimals}")
}

/// Returns the calls in the order in which they begin, numbered depth by depth.
fn rows(description: &Description) -> Vec<Row<'_>> {
    let mut rows = Vec::with_capacity(description.calls.len());
    let mut numbers = Vec::new();
    for root in nest(&description.calls) {
        append(&root, 0, &mut numbers, &mut rows);
    }
    rows
}

/// Nests calls listed in the order of their returns: a call takes in the calls before it that lie under its path.
fn nest(calls: &[ModuleCall]) -> Vec<Node<'_>> {
    let mut open: Vec<Node> = Vec::new();
    for call in calls {
        let is_below = |node: &Node| {
            let rest = node.call.path.strip_prefix(&call.path);
            call.path.is_empty() || rest.is_some_and(|rest| rest.starts_with('.'))
        };
        let first = open
            .iter()
            .rposition(|node| !is_below(node))
            .map_or(0, |last| last + 1);
        let children = open.split_off(first);
        open.push(Node { call, children });
    }
    open
}

/// Appends `node` and all below it; returns their parameters.
fn append<'a>(
    node: &Node<'a>,
    depth: usize,
    numbers: &mut Vec<usize>,
    rows: &mut Vec<Row<'a>>,
) -> usize {
    if numbers.len() <= depth {
        numbers.resize(depth + 1, 0);
    }
    numbers[depth] += 1;
    let place = rows.len();
    rows.push(Row {
        call: node.call,
        depth,
        index: numbers[depth],
        is_leaf: node.children.is_empty(),
        params: 0,
    });
    let below: usize = node
        .children
        .iter()
        .map(|child| append(child, depth + 1, numbers, rows))
        .sum();
    rows[place].params = below + node.call.kind.parameters();
    rows[place].params
}

#[cfg(test)]
mod tests {
    use super::super::tests::tiny;
    use super::*;

    #[test]
    fn the_tree_shows_three_levels_and_sums_what_lies_below() {
        let tree = render(&tiny(2));
        assert!(tree.contains("\nResNet                                   [2, 10]                   --\n├─Conv2d: 1-1   "));
        assert!(
            tree.contains(
                "\n│    └─BasicBlock: 2-1                   [2, 8, 4, 4]              --\n"
            )
        );
        assert!(
            tree.contains(
                "\n│    │    └─Sequential: 3-3              [2, 8, 4, 4]              48\n"
            )
        );
        assert!(tree.contains("\n│    │    └─ReLU: 3-4 "));
        assert!(!tree.contains(": 4-"));
        assert!(
            tree.contains(
                "\n├─Linear: 1-5                            [2, 10]                   90\n"
            )
        );
    }

    #[test]
    fn what_is_not_shown_is_counted() {
        let total = 3 * 4 * 49 + 4 * 8 * 9 + 4 * 8 + 16 + 90;
        assert!(render(&tiny(1)).contains(&format!("Total params: {}\n", thousands(total))));
    }

    #[test]
    fn mult_adds_have_torchinfos_units() {
        assert_eq!(with_unit(445_180_000), " (M): 445.18");
        assert_eq!(with_unit(500), " (M): 0.00");
        assert_eq!(with_unit(0), " (M): 0");
        assert_eq!(with_unit(2_000_000), " (M): 2");
        assert_eq!(with_unit(8_178_000_000), " (G): 8.18");
        assert_eq!(with_unit(1_234_500_000_000_000), " (T): 1,234.50");
    }

    #[test]
    fn a_wide_name_widens_its_column_in_steps_of_five() {
        let mut description = tiny(1);
        // As many rows at depth 4 as make the name of the last reach the column's end: 21 + 19 letters.
        let norm = description.calls[5].clone();
        for _ in 0..1000 {
            description.calls.insert(5, norm.clone());
        }
        let first = render(&description).lines().next().unwrap().len();
        assert_eq!(first, NAME + COLUMNS * COLUMN);
        let mut deeper = description.clone();
        for _ in 0..10_000 {
            deeper.calls.insert(5, norm.clone());
        }
        // 21 + 20 letters.
        let first = render(&deeper).lines().next().unwrap().len();
        assert_eq!(first, NAME + STEP + COLUMNS * COLUMN);
    }
}
