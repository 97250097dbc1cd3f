//! Numbers on the command line, with messages that say what is wanted. Their ranges are checked later.

use std::str::FromStr;

/// Parses a count or a seed.
pub fn whole<T: FromStr>(text: &str) -> Result<T, String> {
    let number = text.parse().ok();
    number.ok_or_else(|| "must be a whole number, 0 or more".to_owned())
}

/// Parses any finite number.
pub fn finite(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| "must be a finite number, such as 0.1".to_owned())
}

/// Parses the fraction of the training images that is held out.
pub fn held_out(text: &str) -> Result<f64, String> {
    let fraction = text.parse().ok().filter(|&part| part > 0.0 && part < 1.0);
    fraction.ok_or_else(|| "must be above 0 and below 1, such as 0.1".to_owned())
}
