//! The definition of a recipe key, which is also a flag of `resnet train`: its help, the form of its value and its range.
//!
//! The keys are data: the command line makes its flags, help, man page and completions of them.

use crate::error::Limit;
use crate::train::config::values::ImageSize;

/// The definition of a key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The name with underscores, such as `batch_size`.
    pub id: &'static str,
    /// The name in recipes and, after two dashes, on the command line, such as `batch-size`.
    pub name: &'static str,
    /// The lines of the help.
    pub docs: &'static str,
    /// The flag of the command line.
    pub flag: Flag,
    /// The limits of its numbers, the first broken one of which is reported.
    pub range: &'static [Limit],
}

/// The flag of a key.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// The flags that it stands with in the help.
    pub group: Group,
    /// The form of its value.
    pub form: Form,
    /// The placeholder of its value in the help, such as `N`.
    pub value_name: &'static str,
    /// The letter of its short form.
    pub short: Option<char>,
}

/// The form of a value on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `true` or `false`, `true` without a value.
    Switch,
    /// Any text that the key's parser takes.
    Text,
    /// A number, also one with a minus sign, so that the parser can say what is wrong with it.
    Number,
    /// Such numbers, separated by commas.
    Numbers,
    /// One of these words, with what they mean, or without.
    Word(&'static [&'static str], &'static [&'static str]),
}

/// Keys whose flags stand together in the help, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Data and pretrained model.
    Source,
    /// The architecture, which `resnet summary` describes, too.
    Architecture,
    /// The start of a network.
    Start,
    /// Length, batches, optimizer, schedule and regularization.
    Optimization,
    /// Loss, best epoch, early stopping, dtype and checkpoints.
    Run,
    /// Validation split, augmentation and order of the images.
    Augmentation,
    /// Unreadable images.
    Reading,
    /// The size of the model's input.
    InputSize,
    /// The rest of the preprocessing, which all commands share.
    Preprocessing,
}

impl Group {
    /// The heading of the preprocessing.
    pub const PREPROCESSING: &str = "Preprocessing [default: the model's]";

    /// Every group.
    pub const ALL: [Self; 9] = [
        Self::Source,
        Self::Architecture,
        Self::Start,
        Self::Optimization,
        Self::Run,
        Self::Augmentation,
        Self::Reading,
        Self::InputSize,
        Self::Preprocessing,
    ];

    /// Returns the heading of its flags in the help; `None` for the first ones.
    pub fn heading(self) -> Option<&'static str> {
        match self {
            Self::Source => None,
            Self::Architecture | Self::Start => Some("Architecture"),
            Self::Optimization | Self::Run => Some("Optimization"),
            Self::Augmentation | Self::Reading => Some("Images and augmentation"),
            Self::InputSize | Self::Preprocessing => Some(Self::PREPROCESSING),
        }
    }
}

impl Flag {
    /// Returns a flag of true or false.
    pub const fn switch(group: Group) -> Self {
        Self::new(group, "BOOL", Form::Switch)
    }

    /// Returns a flag of a text.
    pub const fn text(group: Group, value_name: &'static str) -> Self {
        Self::new(group, value_name, Form::Text)
    }

    /// Returns a flag of a number.
    pub const fn number(group: Group, value_name: &'static str) -> Self {
        Self::new(group, value_name, Form::Number)
    }

    /// Returns a flag of several numbers.
    pub const fn numbers(group: Group, value_name: &'static str) -> Self {
        Self::new(group, value_name, Form::Numbers)
    }

    /// Returns a flag of one of `words`.
    pub const fn word(
        group: Group,
        value_name: &'static str,
        words: &'static [&'static str],
    ) -> Self {
        Self::new(group, value_name, Form::Word(words, &[]))
    }

    const fn new(group: Group, value_name: &'static str, form: Form) -> Self {
        Self {
            group,
            form,
            value_name,
            short: None,
        }
    }

    /// Returns the flag with a short form.
    #[must_use]
    pub const fn short(self, letter: char) -> Self {
        Self {
            short: Some(letter),
            ..self
        }
    }

    /// Returns the flag with what each of its words means.
    #[must_use]
    pub const fn meaning(self, meanings: &'static [&'static str]) -> Self {
        match self.form {
            Form::Word(words, _) => Self {
                form: Form::Word(words, meanings),
                ..self
            },
            _ => self,
        }
    }
}

/// Returns `id`, whose length is `LENGTH`, with dashes instead of underscores.
pub const fn with_dashes<const LENGTH: usize>(id: &str) -> [u8; LENGTH] {
    let mut name = [b'-'; LENGTH];
    let mut at = 0;
    while at < LENGTH {
        if id.as_bytes()[at] != b'_' {
            name[at] = id.as_bytes()[at];
        }
        at += 1;
    }
    name
}

impl Key {
    /// Returns the paragraphs of the help; the first one is the short help.
    pub fn paragraphs(&self) -> Vec<String> {
        let lines: Vec<&str> = self.docs.lines().map(str::trim).collect();
        let paragraphs = lines.split(|line| line.is_empty());
        let paragraphs = paragraphs.map(|lines| lines.join(" "));
        paragraphs.filter(|text| !text.is_empty()).collect()
    }

    /// Returns the first limit that `value` breaks.
    pub fn broken_limit(&self, value: &dyn Value) -> Option<&Limit> {
        let numbers = value.numbers();
        let breaks = |limit: &&Limit| !numbers.iter().all(|&number| (limit.allows)(number));
        self.range.iter().find(breaks)
    }
}

/// A value of a key, as far as ranges and messages need it.
pub trait Value {
    /// Returns the numbers that the range of the key limits.
    fn numbers(&self) -> Vec<f64> {
        Vec::new()
    }

    /// Returns the numbers as messages show them.
    fn text(&self) -> String {
        String::new()
    }
}

impl Value for f64 {
    fn numbers(&self) -> Vec<f64> {
        vec![*self]
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Value for u64 {
    fn numbers(&self) -> Vec<f64> {
        vec![*self as f64]
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Value for usize {
    fn numbers(&self) -> Vec<f64> {
        vec![*self as f64]
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Value for ImageSize {
    fn numbers(&self) -> Vec<f64> {
        self.0.iter().map(|&edge| edge as f64).collect()
    }

    fn text(&self) -> String {
        format!("{}x{}", self.0[0], self.0[1])
    }
}

impl Value for Vec<u64> {
    fn numbers(&self) -> Vec<f64> {
        self.iter().map(|&number| number as f64).collect()
    }

    fn text(&self) -> String {
        format!("{self:?}")
    }
}
