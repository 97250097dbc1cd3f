//! Documents made from the definition of the command line: completion scripts and man pages.
//!
//! `--completions SHELL` and `--man-pages DIR` take no subcommand, so they are looked for before the rest is parsed.

use crate::cli::commands::completions;
use crate::cli::help::man;
use crate::cli::output::console::Console;
use crate::cli::output::stdout::print;
use crate::cli::parser::command;
use crate::error::error_with_hint;
use crate::fs::write_whole;
use crate::text::pluralize;
use anyhow::Result;
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::PathBuf;

/// A document to make.
#[derive(Debug)]
pub enum Document {
    Completions(Shell),
    ManPages(PathBuf),
}

impl Document {
    /// Returns the document that `arguments`, without the program's name, ask for; `None` if they have a subcommand.
    pub fn asked_for(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let names = |argument: &OsString| {
            let text = argument.to_string_lossy();
            text.starts_with("--completions") || text.starts_with("--man-pages")
        };
        // Nearly all command lines ask for none, and are parsed only once.
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
            Self::Completions(shell) => print(&completions::script(shell)),
            Self::ManPages(folder) => {
                let pages = man::pages()?;
                std::fs::create_dir_all(&folder).map_err(|error| {
                    error_with_hint(
                        format!("cannot create folder `{}`: {error}", folder.display()),
                        "pass a writable folder",
                    )
                })?;
                for (name, page) in &pages {
                    let path = folder.join(name);
                    write_whole(&path, |file| Ok(file.write_all(page)?))?;
                }
                console.note(format_args!(
                    "{} are in {}; `man {}` shows one",
                    pluralize(pages.len(), "man page"),
                    folder.display(),
                    folder.join("resnet.1").display()
                ));
                Ok(())
            }
        }
    }
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
}
