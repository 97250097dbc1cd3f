//! The right option or command for a common guess, by other tools' names for it.

mod commands;
mod options;

use crate::text::shell_word;
use clap::Command;
use commands::COMMANDS;
use options::{OPTIONS, Suggestion};
use std::path::Path;

/// A command line and what the parser knows.
pub struct Line<'a> {
    /// Without the program's name.
    arguments: &'a [String],
    parser: &'a Command,
    /// The subcommand, if there is one.
    command: Option<&'a Command>,
}

impl<'a> Line<'a> {
    pub fn new(arguments: &'a [String], parser: &'a Command) -> Self {
        let command = arguments
            .iter()
            .find_map(|argument| parser.find_subcommand(argument));
        Self {
            arguments,
            parser,
            command,
        }
    }

    /// Returns the name of the subcommand.
    pub fn command(&self) -> Option<&'a str> {
        self.command.map(Command::get_name)
    }

    /// Returns true if the subcommand has the option, written without dashes.
    fn has(&self, option: &str) -> bool {
        self.command
            .is_some_and(|command| options(command).any(|known| known == option))
            || options(self.parser).any(|known| known == option)
    }
}

/// Returns the long options of a command.
fn options(command: &Command) -> impl Iterator<Item = &str> {
    command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set())
        .filter_map(clap::Arg::get_long)
}

/// Returns the hint for an argument that the command of `line` does not know, if there is one.
pub fn suggest_option(written: &str, line: &Line) -> Option<String> {
    if !written.starts_with('-') {
        return suggest_for_positional(written, line);
    }
    let name = written.trim_start_matches('-');
    let plain = name.to_lowercase().replace('_', "-");
    let did_you_mean = |option: &str| format!("did you mean `--{option}`?");
    if plain.len() > 1 && line.has(&plain) {
        return Some(did_you_mean(&plain));
    }
    let command = line.command().unwrap_or_default();
    let holds = |guess: &&Suggestion| {
        (guess.command.is_empty() || guess.command == command)
            && (guess.option.is_empty() || line.has(guess.option))
            && guess.written.split(' ').any(|word| word == plain)
    };
    if let Some(guess) = OPTIONS.iter().find(holds) {
        return Some(match guess.answer {
            "" => did_you_mean(guess.option),
            answer => answer.to_owned(),
        });
    }
    let known = line.command.into_iter().flat_map(options);
    let known: Vec<&str> = known.chain(options(line.parser)).collect();
    if let Some(near) = nearest(&plain, known.iter().copied()) {
        return Some(did_you_mean(near));
    }
    // An option of another command.
    let mut others = line.parser.get_subcommands();
    let other = others.find(|other| options(other).any(|option| option == plain))?;
    Some(format!(
        "`{written}` is an option of `resnet {}`",
        other.get_name()
    ))
}

/// Returns the hint for an argument that is not an option, if the command takes none.
fn suggest_for_positional(written: &str, line: &Line) -> Option<String> {
    let word = shell_word(written);
    let ending = Path::new(written).extension();
    let is_recipe = ending.is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
    let free = || {
        let arguments = line.arguments.iter();
        arguments.filter(|argument| !argument.starts_with('-') && line.command() != Some(argument))
    };
    match line.command()? {
        "train" if is_recipe => Some(format!("`resnet train --recipe {word}`")),
        "train" => Some(format!("a dataset is passed as `-d {word}`")),
        "eval" => match free().collect::<Vec<_>>()[..] {
            [model, data] => Some(format!(
                "`resnet eval -m {} -d {}`",
                shell_word(model),
                shell_word(data)
            )),
            _ => Some(format!(
                "a model is passed as `-m {word}`, a dataset as `-d {word}`"
            )),
        },
        "summary" => Some("one MODEL is described at a time".to_owned()),
        _ => None,
    }
}

/// Returns the hint for an unknown command, if there is one.
pub fn suggest_command(written: &str, line: &Line) -> Option<String> {
    let plain = written.to_lowercase().replace('_', "-");
    let commands = line.parser.get_subcommands().map(Command::get_name);
    let commands: Vec<&str> = commands.collect();
    if commands.contains(&plain.as_str()) {
        return Some(format!("did you mean `{plain}`?"));
    }
    let any_has = |option: &str| {
        let mut commands = line.parser.get_subcommands();
        option.is_empty() || commands.any(|command| options(command).any(|known| known == option))
    };
    let guess = COMMANDS
        .iter()
        .find(|(words, option, _)| words.split(' ').any(|word| word == plain) && any_has(option));
    if let Some((_, _, hint)) = guess {
        let mut rest = line.arguments.iter().skip_while(|word| *word != written);
        rest.next();
        let rest = rest.map(|word| format!(" {}", shell_word(word)));
        return Some(hint.replace("{}", &rest.collect::<String>()));
    }
    if let Some(near) = nearest(&plain, commands.into_iter()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let path = Path::new(written);
    if path.is_file() {
        return Some(format!("`resnet predict {}`", shell_word(written)));
    }
    path.is_dir().then(|| {
        let word = shell_word(written);
        format!("`resnet train -d {word}` trains on it, `resnet predict {word}` classifies it")
    })
}

/// Returns the one of `known` that is spelled most like `written`, if at most a third of the letters differ or its end is
/// missing.
pub fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    let distance = |known: &str| {
        if written.len() >= 3 && known.starts_with(&written) {
            return 0;
        }
        strsim::damerau_levenshtein(&written, known)
    };
    let allowed = written.chars().count() / 3;
    let near = known.map(|known| (distance(known), known)).min()?;
    (near.0 <= allowed).then_some(near.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parser::command;

    /// Returns the hint for the last word of a command line.
    fn hint(line: &str) -> Option<String> {
        let mut parser = command();
        parser.build();
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let line = Line::new(&words, &parser);
        let written = words.last().unwrap();
        if line.command().is_none() {
            return suggest_command(&words[0], &line);
        }
        suggest_option(written, &line)
    }

    #[test]
    fn other_tools_options_are_answered_by_ours() {
        for (line, expected) in [
            ("train --batch", "did you mean `--batch-size`?"),
            ("train --bs", "did you mean `--batch-size`?"),
            ("train --wd", "did you mean `--weight-decay`?"),
            ("train --lr-schedule", "did you mean `--scheduler`?"),
            ("train --learning_rate", "did you mean `--lr`?"),
            ("train -j", "did you mean `--workers`?"),
            ("eval --num-workers", "did you mean `--workers`?"),
            ("predict -j", "did you mean `--threads`?"),
            ("train --image_size", "did you mean `--image-size`?"),
            ("train --Epochs", "did you mean `--epochs`?"),
            ("predict --topk", "did you mean `--top-k`?"),
            ("summary --num-classes", "did you mean `--classes`?"),
            ("summary --img-size", "did you mean `--input`?"),
            ("predict --gradcam", "did you mean `--explain`?"),
            ("train --early-stopping", "did you mean `--patience`?"),
            ("train --config", "did you mean `--recipe`?"),
            (
                "train --pretrained",
                "`-m resnet50` starts from pretrained weights",
            ),
            (
                "predict --pretrained",
                "pass `-m resnet50` for pretrained weights",
            ),
            (
                "train --amp",
                "training computes in f32: there is no mixed precision",
            ),
            (
                "train --data-dir",
                "pass `-d DATA`: a dataset's name or a folder of images",
            ),
            (
                "train --num-classes",
                "leave it out: the dataset has its own classes",
            ),
            (
                "eval --checkpoint",
                "pass `-m MODEL`: a run folder, a file of weights or a name",
            ),
            (
                "train --weights",
                "`-m FILE` starts from weights, `--resume RUN_DIR` resumes a run",
            ),
            (
                "eval --topk",
                "leave it out: top-1 and top-5 are always measured",
            ),
            ("predict --lr", "`--lr` is an option of `resnet train`"),
            // Spelling.
            ("train --epohcs", "did you mean `--epochs`?"),
            ("train --weight-deca", "did you mean `--weight-decay`?"),
        ] {
            assert_eq!(hint(line).as_deref(), Some(expected), "{line}");
        }
        for (line, parts) in [
            (
                "train --backbone",
                &["--arch", "--depth", "-m resnet50"][..],
            ),
            ("train --tta", &[]),
            ("eval --tta", &["--test-size"]),
            ("train --lr-finder", &["--max-steps"]),
            ("train --gpu", &["--device cuda"]),
            ("train --val-dir", &["`val/`", "--val-split"]),
            ("summary -o", &["> summary.txt"]),
            ("eval --name", &["--output"]),
        ] {
            let hint = hint(line).unwrap_or_default();
            for part in parts {
                assert!(hint.contains(part), "{line}: {hint}");
            }
        }
        // Nothing is like these.
        for line in ["train --nonsense", "train --xyz", "summary --pineapple"] {
            assert_eq!(hint(line), None, "{line}");
        }
    }

    #[test]
    fn arguments_that_need_an_option_are_given_it() {
        for (line, expected) in [
            ("train photos", "a dataset is passed as `-d photos`"),
            ("train config.toml", "`resnet train --recipe config.toml`"),
            ("eval runs/a photos", "`resnet eval -m runs/a -d photos`"),
        ] {
            assert_eq!(hint(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn other_tools_commands_are_answered_by_ours() {
        for (line, expected) in [
            (
                "compare runs/a runs/b",
                "`resnet eval --compare runs/a runs/b`",
            ),
            ("classify cat.jpg", "`resnet predict cat.jpg`"),
            ("test", "`resnet eval -m MODEL -d DATA`"),
            ("TRAIN", "did you mean `train`?"),
            ("trian", "did you mean `train`?"),
            ("sumary", "did you mean `summary`?"),
            ("version", "`resnet --version`"),
        ] {
            assert_eq!(hint(line).as_deref(), Some(expected), "{line}");
        }
        for line in ["list", "export"] {
            assert!(hint(line).is_some(), "{line}");
        }
        assert_eq!(hint("nonsense"), None);
    }

    /// Every option that an answer names exists in the commands that get the answer.
    #[test]
    fn answers_name_options_that_exist() {
        let mut parser = command();
        parser.build();
        let known: Vec<&str> = parser
            .get_subcommands()
            .chain([&parser])
            .flat_map(options)
            .collect();
        let answers = OPTIONS.iter().map(|guess| guess.answer);
        let named = COMMANDS
            .iter()
            .filter(|(_, option, _)| option.is_empty() || known.contains(option))
            .map(|(_, _, hint)| *hint);
        for answer in answers.chain(named) {
            for word in answer
                .split([' ', '`'])
                .filter(|word| word.starts_with("--"))
            {
                let option = word.trim_start_matches('-').trim_end_matches("{}");
                assert!(known.contains(&option) || option == "version", "{answer}");
            }
        }
    }
}
