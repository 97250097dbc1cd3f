//! The function that turns the logits of a network into its answer, by what the network was trained for.

use serde::{Deserialize, Serialize};

/// The function of the logits that answers for each class, chosen as
/// [transformers' pipeline](https://huggingface.co/docs/transformers/main_classes/pipelines#transformers.ImageClassificationPipeline)
/// chooses its `function_to_apply`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputFunction {
    /// Softmax over all classes: an image has one class.
    #[default]
    Softmax,
    /// The logistic function of each logit alone: an image has any number of the classes.
    Sigmoid,
    /// The logit itself: regression.
    None,
}

impl OutputFunction {
    /// Returns the function of a network with this number of logits that was trained for `problem`, if that is known.
    pub fn new(problem: Option<ProblemType>, logits: usize) -> Self {
        match problem {
            Some(ProblemType::Regression) => Self::None,
            Some(ProblemType::MultiLabelClassification) => Self::Sigmoid,
            // Softmax of a single logit is 1 whatever the image shows.
            Some(ProblemType::SingleLabelClassification) | None if logits == 1 => Self::Sigmoid,
            Some(ProblemType::SingleLabelClassification) | None => Self::Softmax,
        }
    }

    /// Returns the problem that a network with this function of `logits` numbers was trained for; `None` if the number
    /// of logits alone tells the function.
    pub fn problem_type(self, logits: usize) -> Option<ProblemType> {
        match self {
            _ if self == Self::new(None, logits) => None,
            Self::Softmax => Some(ProblemType::SingleLabelClassification),
            Self::Sigmoid => Some(ProblemType::MultiLabelClassification),
            Self::None => Some(ProblemType::Regression),
        }
    }

    /// Returns the values of the function, one per logit.
    pub fn apply(self, logits: &[f64]) -> Vec<f64> {
        match self {
            Self::Softmax => softmax(logits),
            Self::Sigmoid => logits.iter().copied().map(sigmoid).collect(),
            Self::None => logits.to_vec(),
        }
    }

    /// Returns the name: `softmax`, `sigmoid` or `none`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Softmax => "softmax",
            Self::Sigmoid => "sigmoid",
            Self::None => "none",
        }
    }
}

/// The task that a network was trained for, by transformers' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemType {
    /// An image has one class.
    SingleLabelClassification,
    /// An image has any number of the classes.
    MultiLabelClassification,
    /// The outputs are numbers, not classes.
    Regression,
}

/// Returns `exp(x_c) / Σ_k exp(x_k)`, from the largest logit on.
fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

/// Returns the logistic function of x, the inverse of `1 + e` to the power of minus x.
fn sigmoid(logit: f64) -> f64 {
    (1.0 + (-logit).exp()).recip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_logit_and_several_labels_take_the_sigmoid_and_regression_the_number() {
        use OutputFunction::{None as Bare, Sigmoid, Softmax};
        use ProblemType::{MultiLabelClassification, Regression, SingleLabelClassification};
        for (problem, logits, function) in [
            (None, 3, Softmax),
            (None, 1, Sigmoid),
            (Some(SingleLabelClassification), 2, Softmax),
            (Some(SingleLabelClassification), 1, Sigmoid),
            (Some(MultiLabelClassification), 2, Sigmoid),
            (Some(MultiLabelClassification), 1, Sigmoid),
            (Some(Regression), 3, Bare),
            (Some(Regression), 1, Bare),
        ] {
            let chosen = OutputFunction::new(problem, logits);
            assert_eq!(chosen, function, "{problem:?} of {logits}");
            let problem = chosen.problem_type(logits);
            assert_eq!(OutputFunction::new(problem, logits), function);
        }
    }

    #[test]
    fn the_functions_have_torchs_values() {
        let logits = [-0.3968, -0.8102, -1.1111];
        let near = |function: OutputFunction, expected: [f64; 3]| {
            let values = function.apply(&logits);
            let mut pairs = values.iter().zip(expected);
            assert!(pairs.all(|(a, b)| (a - b).abs() < 1e-4), "{values:?}");
        };
        near(OutputFunction::Sigmoid, [0.4021, 0.3078, 0.2477]);
        near(OutputFunction::Softmax, [0.4649, 0.3075, 0.2276]);
        near(OutputFunction::None, logits);
        assert_eq!(OutputFunction::Sigmoid.apply(&[-1e4, 1e4]), [0.0, 1.0]);
    }
}
