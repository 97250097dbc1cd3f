//! A described model as JSON, for programs.

use serde::Serialize;
use serde_json::{Value, json};

use super::rows;
use super::torchsummary::{Sizes, parameters};
use crate::model::Description;
use crate::model::description::ModuleCall;

/// Times of forward passes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timing {
    /// Milliseconds of each timed run, in order.
    pub forward_ms: Vec<f64>,
    /// Images per second at the median run.
    pub images_per_second: f64,
}

/// Returns the model as data: one layer per call in torchsummary's order, the totals (bytes as torchsummary counts them, mult-adds of
/// convolutions and linear layers for the whole batch), and the timing where there is one.
pub fn value(description: &Description, timing: Option<&Timing>) -> Value {
    let params = parameters(description);
    let sizes = Sizes::of(description);
    let mut value = json!({
        "model": description.name,
        "input": description.input,
        "layers": rows(description).map(layer).collect::<Vec<_>>(),
        "total_params": params,
        "trainable_params": params,
        "mult_adds": rows(description).map(ModuleCall::mult_adds).sum::<u64>(),
        "input_bytes": sizes.input,
        "forward_backward_bytes": sizes.forward_backward,
        "params_bytes": sizes.params,
    });
    if let Some(timing) = timing {
        value["timing"] = json!(timing);
    }
    value
}

/// Returns a call as data; it is trainable if it has parameters, none being frozen in a summary.
fn layer(call: &ModuleCall) -> Value {
    let params = call.kind.parameters();
    json!({
        "name": call.path,
        "type": call.kind.type_name(),
        "output": call.output,
        "params": params,
        "trainable": params > 0,
        "mult_adds": call.mult_adds(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::tiny;
    use super::*;

    #[test]
    fn the_contracts_keys_stand_in_its_order() {
        let timing = Timing {
            forward_ms: vec![2.5, 2.0],
            images_per_second: 444.0,
        };
        let value = value(&tiny(2), Some(&timing));
        let keys: Vec<_> = value.as_object().unwrap().keys().collect();
        let expected = [
            "model",
            "input",
            "layers",
            "total_params",
            "trainable_params",
            "mult_adds",
            "input_bytes",
            "forward_backward_bytes",
            "params_bytes",
            "timing",
        ];
        assert_eq!(keys, expected);
        assert_eq!(
            value["timing"],
            json!({"forward_ms": [2.5, 2.0], "images_per_second": 444.0})
        );
        assert_eq!(
            value["layers"][2],
            json!({"name": "layer1.0.conv1", "type": "Conv2d", "output": [2, 8, 4, 4], "params": 288, "trainable": true,
                "mult_adds": 2 * 288 * 16})
        );
        assert_eq!(value["layers"].as_array().unwrap().len(), 10);
    }

    #[test]
    fn times_that_were_not_measured_are_left_out() {
        assert!(value(&tiny(1), None).get("timing").is_none());
    }

    #[test]
    fn totals_are_those_of_the_whole_batch() {
        let (one, three) = (value(&tiny(1), None), value(&tiny(3), None));
        for key in ["mult_adds", "input_bytes", "forward_backward_bytes"] {
            assert_eq!(
                three[key].as_u64().unwrap(),
                3 * one[key].as_u64().unwrap(),
                "{key}"
            );
        }
        assert_eq!(one["input_bytes"], 3 * 32 * 32 * 4);
        assert_eq!(one["total_params"], three["total_params"]);
    }
}
