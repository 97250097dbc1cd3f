//! Completion scripts. After `-m` and `-d` they offer built-in names beside files.
//!
//! clap completes either fixed values or files. So the names are given to it as fixed values, and its script is then told to
//! offer files too: bash, zsh and fish do; PowerShell and Elvish complete options and commands alone.

use crate::cli::parser::command;
use crate::data::dataset::BuiltinDataset;
use clap::Command;
use clap::builder::PossibleValuesParser;
use clap_complete::Shell;

/// Models that have a name.
const MODELS: [&str; 6] = [
    "sample",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
];

/// Returns the datasets that have a name.
fn datasets() -> Vec<&'static str> {
    let known = BuiltinDataset::ALL.into_iter().map(BuiltinDataset::word);
    std::iter::once("sample").chain(known).collect()
}

/// Returns the script for a shell.
pub fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut named(), "resnet", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    for names in [MODELS.to_vec(), datasets()] {
        script = with_files(&script, shell, &names);
    }
    script
}

/// Returns the parser, for whose models and datasets the names are the only values.
fn named() -> Command {
    command().mut_subcommands(|command| {
        command.mut_args(|argument| match argument.get_id().as_str() {
            "model" | "named" | "compare" => {
                argument.value_parser(PossibleValuesParser::new(MODELS))
            }
            "data" => argument.value_parser(PossibleValuesParser::new(datasets())),
            _ => argument,
        })
    })
}

/// Returns `script` with files beside `names`.
fn with_files(script: &str, shell: Shell, names: &[&str]) -> String {
    match shell {
        Shell::Bash => {
            let words = format!("$(compgen -W \"{}\" -- \"${{cur}}\")", names.join(" "));
            script.replace(&words, &format!("{words} $(compgen -f -- \"${{cur}}\")"))
        }
        Shell::Zsh => {
            let names = names.join(" ");
            let both = format!(":{{compadd -- {names}; _files}}");
            script.replace(&format!(":({names})"), &both)
        }
        Shell::Fish => {
            let values: Vec<String> = names.iter().map(|name| format!("{name}\\t''")).collect();
            let values = format!("-a \"{}\"", values.join("\n"));
            script.replace(&format!("-r -f {values}"), &format!("-r -F {values}"))
        }
        _ => script.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_files_follow_models_and_datasets() {
        for (shell, files, at_least) in [
            (Shell::Bash, "$(compgen -f -- \"${cur}\")", 8),
            (Shell::Zsh, "; _files}", 8),
            (Shell::Fish, "-r -F -a \"sample", 6),
        ] {
            let script = script(shell);
            let found = script.matches(files).count();
            assert!(found >= at_least, "{shell}: {found}");
            for name in MODELS.into_iter().chain(datasets()) {
                assert!(script.contains(name), "{shell}: {name}");
            }
        }
    }

    #[test]
    fn other_values_are_models_and_datasets_still() {
        let line = ["resnet", "eval", "-m", "runs/a", "-d", "photos"];
        assert!(command().try_get_matches_from(line).is_ok());
    }
}
