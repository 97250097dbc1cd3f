//! The predicted class of an image.

/// Returns the class of the largest of `logits`, the first of equal ones, as `torch.argmax` does; 0 if there are none.
pub fn top_class(logits: &[f64]) -> usize {
    let mut top = 0;
    for (class, &logit) in logits.iter().enumerate() {
        if logit > logits[top] {
            top = class;
        }
    }
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_logits_the_first_is_taken() {
        assert_eq!(top_class(&[-1.0, 2.0, 0.5, 2.0]), 1);
        assert_eq!(top_class(&[-0.0, 0.0]), 0);
        assert_eq!(top_class(&[f64::NEG_INFINITY, -1e300]), 1);
        assert_eq!(top_class(&[]), 0);
    }
}
