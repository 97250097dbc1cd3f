//! Numbers on the command line, with messages that say what is wanted; what a run can do with them it says itself.

use std::str::FromStr;

/// A count, or a seed.
pub fn whole<T: FromStr>(text: &str) -> Result<T, String> {
    let number = text.parse().ok();
    number.ok_or_else(|| "it is a whole number of 0 or more".to_owned())
}

/// Any number but infinity.
pub fn finite(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| "it is a finite number, such as 0.1".to_owned())
}

/// The part of the training pictures that is put aside.
pub fn part_aside(text: &str) -> Result<f64, String> {
    let part = text.parse().ok().filter(|&part| part > 0.0 && part < 1.0);
    part.ok_or_else(|| {
        "it is above 0 and below 1, such as 0.1; nothing is put aside without it where there are val/ or test/".to_owned()
    })
}
