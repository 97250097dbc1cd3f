//! Messages that name settings as data: a library user reads them by their keys, the command line shows them as flags.

use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};

/// A message for people. [`Display`] names settings by their keys, as a recipe does: `batch-size = 32`. That is its serialized
/// form, too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Message {
    parts: Vec<Part>,
}

/// A part of a [`Message`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// Plain text.
    Text(String),
    /// A setting.
    Setting(Setting),
    /// A task with its settings.
    Command(Command),
    /// The documentation of the settings of a task.
    Help(Help),
}

/// A setting that a message names, with or without a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Key as in a recipe, such as `batch-size`.
    pub key: &'static str,
    /// Value, if the message gives one.
    pub value: Option<String>,
}

/// A task that a message proposes, such as training with a `resume` setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Name: `train`, `eval`, `predict`...
    pub name: &'static str,
    /// Settings, in the order in which they are shown.
    pub settings: Vec<Setting>,
}

/// The documentation of the settings of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Help {
    /// Name of the task.
    pub command: &'static str,
}

/// Names a setting by its key as in a recipe, such as `batch-size`.
pub fn setting(key: &'static str) -> Setting {
    Setting { key, value: None }
}

/// Names a task: `train`, `eval`, `predict`...
pub fn command(name: &'static str) -> Command {
    Command {
        name,
        settings: Vec::new(),
    }
}

/// Names the documentation of the settings of a task: `train`, `eval`, `predict`...
pub fn help(command: &'static str) -> Help {
    Help { command }
}

/// Joins text (`&str`, `String`), settings, commands and other messages to a [`Message`].
///
/// ```
/// use resnet::error::setting;
///
/// let message = resnet::message!["pass ", setting("optimizer").to("sgd"), ", or fewer ", setting("epochs")];
/// assert_eq!(message.to_string(), "pass optimizer = sgd, or fewer `epochs`");
/// ```
#[macro_export]
macro_rules! message {
    ($($part:expr),+ $(,)?) => {{
        let mut message = $crate::error::Message::default();
        $(message.push($part);)+
        message
    }};
}

impl Setting {
    /// Gives the setting a value.
    #[must_use]
    pub fn to(self, value: impl Display) -> Self {
        Self {
            value: Some(value.to_string()),
            ..self
        }
    }
}

impl Command {
    /// Adds a setting.
    #[must_use]
    pub fn with(mut self, setting: Setting) -> Self {
        self.settings.push(setting);
        self
    }
}

impl Message {
    /// Appends text, a setting, a command or another message.
    pub fn push(&mut self, part: impl Into<Self>) {
        for part in part.into().parts {
            match (self.parts.last_mut(), part) {
                (Some(Part::Text(text)), Part::Text(more)) => text.push_str(&more),
                (_, part) => self.parts.push(part),
            }
        }
    }

    /// Returns the parts, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }
}

impl Display for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Setting(setting) => setting.fmt(f),
            Part::Command(command) => command.fmt(f),
            Part::Help(help) => help.fmt(f),
        })
    }
}

impl Display for Setting {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} = {value}", self.key),
            None => write!(f, "`{}`", self.key),
        }
    }
}

impl Display for Help {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "the documentation of `{}`", self.command)
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        for (index, setting) in self.settings.iter().enumerate() {
            f.write_str(if index == 0 { " with " } else { ", " })?;
            match setting.value {
                Some(_) => setting.fmt(f)?,
                None => f.write_str(setting.key)?,
            }
        }
        Ok(())
    }
}

impl From<Message> for String {
    fn from(message: Message) -> Self {
        message.to_string()
    }
}

impl<T> From<T> for Message
where
    Part: From<T>,
{
    fn from(part: T) -> Self {
        Self {
            parts: vec![part.into()],
        }
    }
}

impl From<&Message> for Message {
    fn from(message: &Message) -> Self {
        message.clone()
    }
}

impl From<&str> for Part {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Part {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Setting> for Part {
    fn from(setting: Setting) -> Self {
        Self::Setting(setting)
    }
}

impl From<Command> for Part {
    fn from(command: Command) -> Self {
        Self::Command(command)
    }
}

impl From<Help> for Part {
    fn from(help: Help) -> Self {
        Self::Help(help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_settings_and_tasks_by_their_keys() {
        let message = message![
            format!("run folder `{}` is not empty: ", "runs/a"),
            command("train")
                .with(setting("resume").to("runs/a"))
                .with(setting("epochs").to(4)),
            " extends it; for a new one pass another ",
            setting("name"),
            " (see ",
            help("train"),
            ")",
        ];
        let text = "run folder `runs/a` is not empty: train with resume = runs/a, epochs = 4 extends it; for a new one pass another `name` (see the documentation of `train`)";
        assert_eq!(message.to_string(), text);
        let json = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), text.into());
    }

    #[test]
    fn neighboring_texts_are_one_part() {
        let message = message!["a", "b".to_owned(), message!["c"], setting("lr"), "d"];
        let text = |text: &str| Part::Text(text.to_owned());
        assert_eq!(
            message.parts(),
            [text("abc"), Part::Setting(setting("lr")), text("d")]
        );
    }
}
