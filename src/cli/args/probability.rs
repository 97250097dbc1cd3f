//! Probabilities on the command line.

/// Parses a probability of the command line: a fraction, or a percentage with its sign.
pub fn probability(text: &str) -> Result<f64, String> {
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse().map(|percent: f64| percent / 100.0),
        None => text.parse(),
    };
    let number = number.ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "must be between 0 and 1, or a percentage such as 50%".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_fractions_or_percentages() {
        for (text, value) in [
            ("0", 0.0),
            ("0.5", 0.5),
            ("50%", 0.5),
            ("100 %", 1.0),
            ("1", 1.0),
        ] {
            assert_eq!(probability(text), Ok(value), "{text}");
        }
        for text in ["50", "-0.1", "101%", "half", "%", "nan", ""] {
            assert!(probability(text).is_err(), "{text}");
        }
    }
}
