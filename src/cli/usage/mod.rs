//! Usage errors in the form of all others: what is wrong, and the way out.

mod suggest;

use crate::cli::help::{TOPICS, Topic};
use crate::text::thousands;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Arg, Command};
use suggest::{Line, nearest, suggest_command, suggest_option};

/// Returns the message and the hint for a command line that clap refused; `arguments` are without the program's name.
pub fn explain(error: &Error, arguments: &[String], parser: &Command) -> (String, Option<String>) {
    let line = Line::new(arguments, parser);
    let argument = strings(error, ContextKind::InvalidArg);
    let argument = argument.first().map(String::as_str).unwrap_or_default();
    let value = strings(error, ContextKind::InvalidValue);
    let value = value.first().map(String::as_str).unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let message = if argument.starts_with('-') {
                format!("unknown option `{argument}`")
            } else {
                format!("unexpected argument `{argument}`")
            };
            let hint = suggest_option(argument, &line).unwrap_or_else(|| more(&line, "options"));
            (message, Some(hint))
        }
        ErrorKind::InvalidSubcommand => {
            let command = strings(error, ContextKind::InvalidSubcommand).concat();
            let hint = suggest_command(&command, &line)
                .unwrap_or_else(|| "`resnet --help` lists the commands".to_owned());
            (format!("unknown command `{command}`"), Some(hint))
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => (
            "a command is missing".to_owned(),
            Some("`resnet --help` lists the commands".to_owned()),
        ),
        ErrorKind::MissingRequiredArgument => {
            let names = strings(error, ContextKind::InvalidArg);
            let missing = quoted(&names);
            let topic = TOPICS
                .iter()
                .find(|topic| Some(topic.command) == line.command());
            let example = topic.map(|topic| {
                let mut lines = topic.examples.iter().map(|(line, _)| *line);
                let shown =
                    lines.find(|line| names.iter().any(|name| has(line, name, topic, parser)));
                format!("for example `{}`", shown.unwrap_or(topic.examples[0].0))
            });
            (format!("missing {missing}"), example)
        }
        ErrorKind::ArgumentConflict => {
            let others = strings(error, ContextKind::PriorArg);
            let message = match others.as_slice() {
                [] => format!("`{argument}` cannot be used here"),
                others => format!("`{argument}` cannot be used with {}", quoted(others)),
            };
            (message, Some("leave one of them out".to_owned()))
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            let hint = choices(error).map(|choices| format!("pass {choices}"));
            (
                format!("`{argument}` needs a value"),
                hint.or_else(|| Some(more(&line, "options"))),
            )
        }
        ErrorKind::InvalidValue => {
            let possible = strings(error, ContextKind::ValidValue);
            let hint = match nearest(value, possible.iter().map(String::as_str)) {
                Some(near) => Some(format!("did you mean `{near}`?")),
                None => choices(error).map(|choices| format!("pass {choices}")),
            };
            (format!("invalid value `{value}` for `{argument}`"), hint)
        }
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error).map(|why| wanted(&why.to_string()));
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            (
                format!("invalid value `{value}` for `{argument}`{why}"),
                None,
            )
        }
        _ => {
            let text = error.render().to_string();
            let message = text.split("\n\n").next().unwrap_or_default();
            let message = message.strip_prefix("error: ").unwrap_or(message);
            let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
            (message.replace('\'', "`"), Some(more(&line, "options")))
        }
    }
}

/// Returns true if the example `line` of `topic` has the option that clap calls `name`, such as `--output <DIR>`.
fn has(line: &str, name: &str, topic: &Topic, parser: &Command) -> bool {
    let command = parser.find_subcommand(topic.command);
    let mut arguments = command.into_iter().flat_map(Command::get_arguments);
    let long = name.split(' ').next().unwrap_or_default();
    let option = arguments.find(|argument| argument.get_long() == long.strip_prefix("--"));
    let short = option
        .and_then(Arg::get_short)
        .map(|short| format!("-{short}"));
    let mut words = line.split(' ');
    option.is_some() && words.any(|word| word == long || Some(word) == short.as_deref())
}

/// Returns clap's reason as a requirement: `0 is not in 1..=1024` becomes `must be 1 to 1,024`.
fn wanted(reason: &str) -> String {
    let bounds = reason.split_once(" is not in ");
    let bounds = bounds.and_then(|(_, range)| range.split_once("..="));
    let bounds =
        bounds.and_then(|(low, high)| Some((low.parse::<u64>().ok()?, high.parse::<u64>().ok()?)));
    match (bounds, reason) {
        (Some((low, high)), _) if high >= u64::from(u32::MAX) => {
            format!("must be at least {}", thousands(low))
        }
        (Some((low, high)), _) => format!("must be {} to {}", thousands(low), thousands(high)),
        (None, "invalid digit found in string") => "must be a whole number".to_owned(),
        (None, reason) => reason.to_owned(),
    }
}

/// Returns the command that lists all options or commands.
fn more(line: &Line, what: &str) -> String {
    match line.command() {
        Some(command) => format!("`resnet {command} --help` lists the {what}"),
        None => format!("`resnet --help` lists the {what}"),
    }
}

/// Returns the allowed values as in a sentence: `a`, `b` or `c`.
fn choices(error: &Error) -> Option<String> {
    let mut values: Vec<String> = strings(error, ContextKind::ValidValue)
        .iter()
        .map(|value| format!("`{value}`"))
        .collect();
    let last = values.pop()?;
    Some(match values.as_slice() {
        [] => last,
        values => format!("{} or {last}", values.join(", ")),
    })
}

/// Returns the arguments, each in backticks.
fn quoted(arguments: &[String]) -> String {
    let quoted: Vec<String> = arguments
        .iter()
        .map(|argument| format!("`{argument}`"))
        .collect();
    quoted.join(" and ")
}

/// Returns the strings that clap attaches to an error.
fn strings(error: &Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}
