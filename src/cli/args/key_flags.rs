//! The flags of recipe keys, made of the table of keys.

use crate::train::Recipe;
use crate::train::config::key::{Form, Group, Key};
use crate::train::config::recipe::KEYS;
use clap::builder::{PossibleValue, PossibleValuesParser, ValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

/// Defines the flags of the keys of some groups, which are parsed into a recipe.
macro_rules! key_flags {
    ($($(#[doc = $doc:literal])* $name:ident: $($group:ident)*;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone)]
        pub struct $name(pub Recipe);

        impl $name {
            const GROUPS: &[Group] = &[$(Group::$group,)*];
        }

        impl FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
                recipe(matches, Self::GROUPS).map(Self)
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
                self.0 = recipe(matches, Self::GROUPS)?.or(std::mem::take(&mut self.0));
                Ok(())
            }
        }

        impl Args for $name {
            fn augment_args(command: Command) -> Command {
                command.args(keys(Self::GROUPS).map(flag))
            }

            fn augment_args_for_update(command: Command) -> Command {
                Self::augment_args(command)
            }
        }
    )*};
}

key_flags! {
    /// The dataset and the pretrained model.
    SourceFlags: Source;
    /// The architecture.
    ArchitectureFlags: Architecture;
    /// The settings of training.
    TrainingFlags: Start Optimization Run Augmentation Reading;
    /// The size of the model's input.
    InputSizeFlags: InputSize;
    /// The rest of the preprocessing.
    PreprocessingFlags: Preprocessing;
}

/// Returns the keys of `groups`, in this order.
fn keys(groups: &[Group]) -> impl Iterator<Item = &'static Key> {
    groups.iter().flat_map(|&group| {
        let keys = KEYS.iter();
        keys.filter(move |key| key.flag.group == group)
    })
}

/// Returns the flag of a key.
fn flag(key: &'static Key) -> Arg {
    let paragraphs = help(key);
    let mut flag = Arg::new(key.id)
        .long(key.name)
        .value_name(key.flag.value_name)
        .help_heading(key.flag.group.heading())
        .value_parser(parser(key))
        .action(ArgAction::Set);
    if let [help, rest @ ..] = paragraphs.as_slice() {
        flag = flag.help(help.clone());
        if !rest.is_empty() {
            flag = flag.long_help(paragraphs.join("\n\n"));
        }
    }
    if let Some(short) = key.flag.short {
        flag = flag.short(short);
    }
    if key.flag.group == Group::InputSize {
        flag = flag.conflicts_with("test_size");
    }
    match key.flag.form {
        Form::Switch => flag
            .num_args(0..=1)
            .default_missing_value("true")
            .require_equals(true),
        Form::Number => flag.allow_negative_numbers(true),
        Form::Numbers => flag
            .allow_negative_numbers(true)
            .value_delimiter(',')
            .action(ArgAction::Append),
        Form::Text | Form::Word(..) => flag,
    }
}

/// Returns the paragraphs of the help, with the keys that they name as flags.
pub fn help(key: &Key) -> Vec<String> {
    let paragraphs = key.paragraphs();
    paragraphs.iter().map(|text| with_flags(text)).collect()
}

/// Returns `text` with the keys between backticks as flags. Every command builds all flags when it starts, so one pass over the
/// text suffices.
fn with_flags(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (index, part) in text.split('`').enumerate() {
        let is_quoted = index % 2 == 1;
        if is_quoted && KEYS.iter().any(|key| key.name == part) {
            shown.push_str("--");
            shown.push_str(part);
        } else if is_quoted {
            shown.extend(["`", part, "`"]);
        } else {
            shown.push_str(part);
        }
    }
    shown
}

/// Returns the parser of the key's values, or of each of them: it checks a value and leaves it as it is written.
fn parser(key: &'static Key) -> ValueParser {
    match key.flag.form {
        Form::Switch => ValueParser::bool(),
        Form::Word(words, meanings) => {
            let values = words.iter().enumerate().map(|(index, word)| {
                let value = PossibleValue::new(*word);
                match meanings.get(index) {
                    Some(meaning) => value.help(*meaning),
                    None => value,
                }
            });
            PossibleValuesParser::new(values.collect::<Vec<_>>()).into()
        }
        Form::Text | Form::Number | Form::Numbers => ValueParser::new(move |text: &str| {
            Recipe::default().set(key.id, text)?;
            Ok::<_, String>(text.to_owned())
        }),
    }
}

/// Returns the recipe of the keys of `groups` that are given.
fn recipe(matches: &ArgMatches, groups: &[Group]) -> Result<Recipe, Error> {
    let mut recipe = Recipe::default();
    for key in keys(groups) {
        let text = match key.flag.form {
            Form::Switch => matches.get_one::<bool>(key.id).map(bool::to_string),
            _ => matches.get_many::<String>(key.id).map(|values| {
                let values: Vec<&str> = values.map(String::as_str).collect();
                values.join(",")
            }),
        };
        if let Some(text) = text {
            recipe
                .set(key.id, &text)
                .map_err(|why| Error::raw(ErrorKind::ValueValidation, why))?;
        }
    }
    Ok(recipe)
}
