//! Parsers of the values of flags, with messages that say what is wanted.

use crate::data::dataset::stratified::FRACTION;
use crate::error::{Limit, limit};
use crate::model::config::{self, CIFAR_DEPTHS, IMAGENET_DEPTHS};
use crate::model::{Frozen, Preprocess};
use crate::text::thousands;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Deserializer};
use std::num::{IntErrorKind, ParseIntError};
use std::str::FromStr;

/// The limit of the fraction of the resized image that the crop keeps.
pub const CROPPED: Limit = limit(|n| n > 0.0 && n <= 1.0, "above 0 and at most 1");

/// The result of a parser: the value, or what it must be.
type Parsed<T> = Result<T, String>;

/// Parses a count or a seed; its range is checked later.
pub fn whole<T: FromStr>(text: &str) -> Parsed<T> {
    let number = text.parse().ok();
    number.ok_or_else(|| "must be a whole number, 0 or more".to_owned())
}

/// Parses a whole number from 1 to `MOST`.
pub fn up_to<const MOST: i64>(text: &str) -> Parsed<usize> {
    let number: i64 = text
        .parse()
        .map_err(|error: ParseIntError| match error.kind() {
            IntErrorKind::InvalidDigit => "must be a whole number".to_owned(),
            _ => error.to_string(),
        })?;
    let number = usize::try_from(number)
        .ok()
        .filter(|_| (1..=MOST).contains(&number));
    number.ok_or_else(|| format!("must be 1 to {}", thousands(MOST)))
}

/// Parses any finite number; its range is checked later.
pub fn finite(text: &str) -> Parsed<f64> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| "must be a finite number, such as 0.1".to_owned())
}

/// Parses the fraction of the training images that is held out.
pub fn held_out(text: &str) -> Parsed<f64> {
    let fraction = text.parse().ok().filter(|&part| (FRACTION.allows)(part));
    fraction.ok_or_else(|| format!("must be {}, such as 0.1", FRACTION.is))
}

/// Parses the fraction of the resized image that the crop keeps.
pub fn cropped(text: &str) -> Parsed<f64> {
    let part = text.parse().ok().filter(|&part| (CROPPED.allows)(part));
    part.ok_or_else(|| format!("must be {}", CROPPED.is))
}

/// Parses the name of an architecture, without a tag; an old name becomes today's.
pub fn arch(text: &str) -> Parsed<String> {
    let name = text.trim().to_lowercase();
    if let Some(known) = config::canonical_name(&name) {
        return Ok(known.to_owned());
    }
    let near = config::names().min_by_key(|known| strsim::levenshtein(&name, known));
    Err(format!(
        "must be a name of timm's, such as {}",
        near.unwrap_or("resnet50d")
    ))
}

/// Parses a number of layers.
pub fn depth(text: &str) -> Parsed<usize> {
    let known = |depth: &usize| IMAGENET_DEPTHS.contains(depth) || CIFAR_DEPTHS.contains(depth);
    text.parse().ok().filter(known).ok_or_else(|| {
        let depths = IMAGENET_DEPTHS.iter().chain(&CIFAR_DEPTHS);
        let depths: Vec<String> = depths.map(ToString::to_string).collect();
        format!("must be one of {}", depths.join(", "))
    })
}

/// Parses a part of a network to freeze, in any case.
pub fn frozen(text: &str) -> Parsed<Frozen> {
    text.to_lowercase().parse()
}

/// Parses a word as a recipe does, in any case.
pub fn word<T: DeserializeOwned>(text: &str) -> Parsed<T> {
    serde_json::from_value(text.to_lowercase().into()).map_err(|error| error.to_string())
}

/// Parses `true` or `false`.
pub fn switch(text: &str) -> Parsed<bool> {
    text.parse().map_err(|_| "must be true or false".to_owned())
}

/// Parses values separated by commas.
pub fn list<T>(text: &str, each: fn(&str) -> Parsed<T>) -> Parsed<Vec<T>> {
    text.split(',').map(each).collect()
}

/// Parses the mean of a channel.
pub fn level(text: &str) -> Parsed<f32> {
    let number: Option<f32> = text.parse().ok().filter(|number: &f32| number.is_finite());
    match number {
        None => Err("must be a number for each channel".to_owned()),
        Some(number) if number.abs() > Preprocess::LARGEST_LEVEL => {
            Err("images are scaled to 0..1: divide it by 255".to_owned())
        }
        Some(number) => Ok(number),
    }
}

/// Parses the standard deviation of a channel.
pub fn positive_level(text: &str) -> Parsed<f32> {
    let number = level(text)?;
    if number > 0.0 {
        Ok(number)
    } else {
        Err("must be a number above 0 for each channel".to_owned())
    }
}

/// Deserializes one of a few words in any case, as flags take them.
pub fn any_case<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let word = String::deserialize(deserializer)?.to_lowercase();
    T::deserialize(word.into_deserializer()).map(Some)
}
