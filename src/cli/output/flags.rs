//! Messages of the library as the command line shows them: settings as flags.

use crate::error::{Command, Message, Part, Setting, hint_of, message_of};
use crate::text::shell_word;
use std::borrow::Cow;

/// Returns `message` with its settings as flags and its tasks as command lines.
pub fn with_flags(message: &Message) -> String {
    let part = |part: &Part| match part {
        Part::Setting(setting) => flag(setting, |value| value.into()),
        Part::Command(command) => line(command),
        Part::Help(help) => format!("`resnet {} --help`", help.command),
        other => Message::from(other.clone()).to_string(),
    };
    message.parts().iter().map(part).collect()
}

/// Returns the causes of `error` on one line, outermost first.
pub fn error_line(error: &anyhow::Error) -> String {
    with_flags(&message_of(error))
}

/// Returns the hint of `error`, if it has one.
pub fn hint_line(error: &anyhow::Error) -> Option<String> {
    hint_of(error).map(with_flags)
}

/// Returns the flag of a setting; three are better known by their letter.
fn flag(setting: &Setting, written: impl Fn(&str) -> Cow<'_, str>) -> String {
    let name = match setting.key {
        "model" => "-m".to_owned(),
        "data" => "-d".to_owned(),
        "output" => "-o".to_owned(),
        key => format!("--{key}"),
    };
    match &setting.value {
        Some(value) => format!("{name} {}", written(value)),
        None => name,
    }
}

fn line(command: &Command) -> String {
    let flags = command.settings.iter();
    let flags = flags.map(|setting| format!(" {}", flag(setting, shell_word)));
    format!("resnet {}{}", command.name, flags.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{command, help, setting};
    use crate::message;

    #[test]
    fn settings_are_flags_and_tasks_are_command_lines() {
        let message = message![
            "pass ",
            setting("optimizer").to("sgd"),
            " or another ",
            setting("data"),
            "; `",
            command("train").with(setting("resume").to("my runs/a")),
            "` resumes it; see ",
            help("train"),
        ];
        assert_eq!(
            with_flags(&message),
            "pass --optimizer sgd or another -d; `resnet train --resume 'my runs/a'` resumes it; see `resnet train --help`"
        );
    }
}
