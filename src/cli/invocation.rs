//! The arguments of this process, before they are parsed and as text.

use crate::text::shell_word;
use clap::ValueEnum;

/// Returns the command line as it can be typed again.
pub fn typed() -> String {
    let arguments = std::env::args_os().skip(1);
    let words = arguments.map(|argument| shell_word(&argument.to_string_lossy()).into_owned());
    std::iter::once("resnet".to_owned())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Returns the last value of `flag`, if it is valid.
pub fn asked_for<T: ValueEnum>(flag: &str) -> Option<T> {
    // Up to the first argument that is not UTF-8.
    let arguments = std::env::args_os().skip(1);
    let mut arguments = arguments.map_while(|argument| argument.into_string().ok());
    let mut choice = None;
    while let Some(argument) = arguments.next() {
        match argument.split_once('=') {
            Some((name, value)) if name == flag => choice = T::from_str(value, true).ok(),
            None if argument == flag => {
                choice = arguments
                    .next()
                    .and_then(|value| T::from_str(&value, true).ok());
            }
            _ => {}
        }
    }
    choice
}
