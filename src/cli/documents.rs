//! What is made of the command line's own definition: completion scripts and man pages.
//!
//! `--completions SHELL` and `--man-pages DIR` stand without a subcommand, so they are looked for before the rest is parsed.

use super::console::Console;
use super::{command, print, version};
use crate::error::hinted;
use crate::weights::write_whole;
use crate::words::counted;
use anyhow::Result;
use clap_complete::Shell;
use clap_mangen::Man;
use std::ffi::OsString;
use std::path::PathBuf;

/// What is asked for.
#[derive(Debug)]
pub enum Document {
    Completions(Shell),
    ManPages(PathBuf),
}

impl Document {
    /// The one that `arguments`, without the program's name, ask for with no subcommand beside it.
    pub fn asked_for(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let names = |argument: &OsString| {
            let text = argument.to_string_lossy();
            text.starts_with("--completions") || text.starts_with("--man-pages")
        };
        // Nearly all command lines ask for none, and are parsed once.
        if !arguments.iter().any(names) {
            return None;
        }
        let parser = command().subcommand_required(false).no_binary_name(true);
        let mut matches = parser.try_get_matches_from(arguments).ok()?;
        if matches.subcommand().is_some() {
            return None;
        }
        let shell = matches.remove_one("completions").map(Self::Completions);
        shell.or_else(|| matches.remove_one("man_pages").map(Self::ManPages))
    }

    /// Prints the script, or writes the pages.
    pub fn make(self, console: &Console) -> Result<()> {
        match self {
            Self::Completions(shell) => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut command(), "resnet", &mut script);
                print(&String::from_utf8_lossy(&script))
            }
            Self::ManPages(folder) => {
                let pages = man_pages()?;
                std::fs::create_dir_all(&folder).map_err(|error| {
                    hinted(
                        format!("cannot make folder `{}`: {error}", folder.display()),
                        "pass a folder that can be written to",
                    )
                })?;
                for (name, page) in &pages {
                    let path = folder.join(name);
                    write_whole(&path, |file| Ok(file.write_all(page)?))?;
                }
                console.note(format_args!(
                    "{} are in {}; `man {}` shows one",
                    counted(pages.len(), "man page"),
                    folder.display(),
                    folder.join("resnet.1").display()
                ));
                Ok(())
            }
        }
    }
}

/// A page for the program and one for each subcommand, by their files' names.
fn man_pages() -> Result<Vec<(String, Vec<u8>)>> {
    // The long version names the processor at hand, which is not the reader's.
    let mut command = command()
        .long_version(version::short())
        .disable_help_subcommand(true);
    command.build();
    let commands = std::iter::once(&command).chain(command.get_subcommands());
    commands
        .map(|command| {
            let page = Man::new(command.clone())
                .source(format!("resnet {}", version::short()))
                .manual("User Commands");
            let mut text = Vec::new();
            page.render(&mut text)?;
            Ok((page.get_filename(), text))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_asked_for_alone() {
        let asked_for = |line: &str| {
            let arguments = line.split_whitespace().map(OsString::from);
            Document::asked_for(arguments)
        };
        for line in [
            "--completions zsh",
            "--completions=zsh",
            "-q --completions zsh --color never",
        ] {
            let found = asked_for(line);
            assert!(matches!(found, Some(Document::Completions(Shell::Zsh))));
        }
        for line in ["--man-pages pages", "--man-pages=pages"] {
            let found = asked_for(line);
            assert!(matches!(found, Some(Document::ManPages(folder)) if folder.ends_with("pages")));
        }
        for line in [
            "",
            "--completions",
            "--completions tcsh",
            "--completions zsh more",
            "--completions zsh --man-pages pages",
            "--man-pages",
            "--man-pages=",
            "train --man-pages pages",
        ] {
            assert!(asked_for(line).is_none(), "{line}");
        }
    }

    /// Every visible flag of every command is named in bold in its page, and no line of text is taken for a request.
    #[test]
    fn man_pages_name_every_flag() {
        let pages = man_pages().unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert!(
            names.contains(&"resnet.1") && names.contains(&"resnet-train.1"),
            "{names:?}"
        );
        let mut command = command().disable_help_subcommand(true);
        command.build();
        assert_eq!(pages.len(), 1 + command.get_subcommands().count());
        let commands = std::iter::once(&command).chain(command.get_subcommands());
        for (command, (name, page)) in commands.zip(&pages) {
            let page = std::str::from_utf8(page).unwrap();
            let title = format!(".TH {} 1 ", name.trim_end_matches(".1"));
            assert!(page.contains(&title), "{name}: {page}");
            for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
                let request = line.split(' ').next().unwrap();
                let known = [
                    ".ie", ".el", ".TH", ".SH", ".SS", ".TP", ".RS", ".RE", ".PP", ".br", ".IP",
                    ".nf", ".fi",
                ];
                assert!(known.contains(&request), "{name}: {line}");
            }
            for argument in command
                .get_arguments()
                .filter(|argument| !argument.is_hide_set())
            {
                let Some(long) = argument.get_long() else {
                    continue;
                };
                let written = format!("\\-\\-{}", long.replace('-', "\\-"));
                assert!(
                    page.contains(&format!("\\fB{written}\\fR")),
                    "{name}: --{long}"
                );
            }
            assert!(!page.contains("instruction set: "), "{name}");
        }
    }
}
