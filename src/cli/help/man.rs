//! The man pages: one for the program and one for each command.

use crate::cli::help::{TOPICS, Topic};
use crate::cli::parser::command;
use crate::cli::version;
use anyhow::Result;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// A term and what it means.
type Entry = (&'static str, &'static str);

const EXIT_STATUS: &[Entry] = &[
    ("0", "Done."),
    (
        "1",
        "It failed, or some inputs failed: a file that is missing or unreadable, a download, a full disk.",
    ),
    (
        "2",
        "Wrong usage, such as an unknown option or an invalid value.",
    ),
    (
        "130, 143",
        "Stopped by Ctrl-C or SIGTERM; train saves its state first.",
    ),
];

const ENVIRONMENT: &[Entry] = &[
    (
        "HF_HOME, HF_HUB_CACHE",
        "Folder of downloaded models and datasets.",
    ),
    (
        "HF_ENDPOINT, HF_TOKEN",
        "Address of the Hugging Face hub, and the token for private repositories.",
    ),
    (
        "HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE",
        "Set to 1 to send no request at all.",
    ),
    (
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY",
        "Proxies for downloads, and the hosts without one.",
    ),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "Certificates to trust in place of the system's, such as those of a company's network.",
    ),
    (
        "RAYON_NUM_THREADS",
        "Compute threads, unless --threads is given.",
    ),
    (
        "RESNET_ISA",
        "A lower instruction set than the best one, such as portable or avx2.",
    ),
    (
        "NO_COLOR, CLICOLOR_FORCE",
        "Never or always use color, unless --color is given.",
    ),
    (
        "RUST_BACKTRACE",
        "Set to 1 to show where an internal error happened.",
    ),
];

const CACHE: Entry = (
    "~/.cache/huggingface/hub",
    "Downloaded models and datasets.",
);

/// Returns the files of the command called `name`.
fn files(name: &str) -> &'static [Entry] {
    match name {
        "train" => &[
            ("RUN_DIR/config.toml", "Every setting of the run: a recipe."),
            (
                "RUN_DIR/metrics.csv",
                "Loss, top-1 and learning rate of each epoch.",
            ),
            ("RUN_DIR/report.html", "The run on one page."),
            (
                "RUN_DIR/best/, RUN_DIR/last/",
                "model.safetensors and config.json of the best and the last epoch.",
            ),
            (
                "RUN_DIR/state.safetensors",
                "The checkpoint that --resume continues from.",
            ),
            CACHE,
        ],
        "eval" => &[
            (
                "DIR/evaluation.json",
                "Metrics, as --format json prints them.",
            ),
            ("DIR/predictions.csv", "One line per image."),
            ("DIR/report.html, DIR/plots/", "The evaluation on one page."),
            (
                "DIR/comparison.*",
                "With --compare: JSON, CSV and plots of the models.",
            ),
            CACHE,
        ],
        _ => &[CACHE],
    }
}

/// Returns the pages by their file names.
pub fn pages() -> Result<Vec<(String, Vec<u8>)>> {
    // The long version names the processor at hand, which is not the reader's.
    let mut program = command()
        .long_version(version::short())
        .disable_help_subcommand(true);
    program.build();
    // A page has the description of every flag, also of those that `-h` leaves out.
    TOPICS
        .iter()
        .map(|topic| {
            let command = match topic.command {
                "resnet" => &program,
                name => program.find_subcommand(name).unwrap_or(&program),
            };
            let command = command
                .clone()
                .mut_args(|argument| argument.hide_short_help(false));
            page(command, topic)
        })
        .collect()
}

/// Returns the page of one command.
fn page(mut command: Command, topic: &Topic) -> Result<(String, Vec<u8>)> {
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let is_program = topic.command == "resnet";
    let man = Man::new(command)
        .source(format!("resnet {}", version::short()))
        .manual("User Commands");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    section("SYNOPSIS", |roff| {
        for line in usage.lines() {
            roff.text([bold(line.trim())]);
            roff.control("br", []);
        }
    })
    .to_writer(&mut text)?;
    section("DESCRIPTION", |roff| {
        roff.text([roman(topic.description)]);
    })
    .to_writer(&mut text)?;
    if is_program {
        man.render_subcommands_section(&mut text)?;
    }
    man.render_options_section(&mut text)?;
    section("EXAMPLES", |roff| {
        for (line, purpose) in topic.examples {
            roff.control("TP", []);
            roff.text([bold(*line)]);
            roff.text([roman(format!("{purpose}."))]);
        }
    })
    .to_writer(&mut text)?;
    for (heading, entries) in [
        ("EXIT STATUS", EXIT_STATUS),
        ("ENVIRONMENT", ENVIRONMENT),
        ("FILES", files(topic.command)),
    ] {
        section(heading, |roff| list(roff, entries)).to_writer(&mut text)?;
    }
    section("SEE ALSO", |roff| {
        let others = TOPICS.iter().filter(|other| other.command != topic.command);
        let names: Vec<String> = others
            .map(|other| match other.command {
                "resnet" => "resnet(1)".to_owned(),
                name => format!("resnet-{name}(1)"),
            })
            .collect();
        roff.text([roman(names.join(", "))]);
    })
    .to_writer(&mut text)?;
    Ok((man.get_filename(), text))
}

/// Returns a section of a page.
fn section(heading: &str, write: impl FnOnce(&mut Roff)) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [heading]);
    write(&mut roff);
    roff
}

/// Terms with what they mean.
fn list(roff: &mut Roff, entries: &[Entry]) {
    for (term, meaning) in entries {
        roff.control("TP", []);
        roff.text([bold(*term)]);
        roff.text([roman(*meaning)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every visible flag of every command is named in bold in its page, and no line of text is a request.
    #[test]
    fn man_pages_name_every_flag() {
        let pages = pages().unwrap();
        let mut program = command().disable_help_subcommand(true);
        program.build();
        assert_eq!(pages.len(), 1 + program.get_subcommands().count());
        for ((name, page), topic) in pages.iter().zip(&TOPICS) {
            let command = match topic.command {
                "resnet" => &program,
                name => program.find_subcommand(name).unwrap(),
            };
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
            let undescribed = page.split(".TP\n").find(|entry| entry.contains("\n\n"));
            assert_eq!(undescribed, None, "{name}");
        }
    }

    #[test]
    fn man_pages_have_the_usual_sections_and_a_short_synopsis() {
        for (name, page) in pages().unwrap() {
            let page = String::from_utf8(page).unwrap();
            let mut after = 0;
            for heading in [
                "NAME",
                "SYNOPSIS",
                "DESCRIPTION",
                "OPTIONS",
                "EXAMPLES",
                "EXIT STATUS",
                "ENVIRONMENT",
                "FILES",
                "SEE ALSO",
            ] {
                let words = [format!(".SH {heading}\n"), format!(".SH \"{heading}\"\n")];
                let at = words.iter().find_map(|words| page.find(words));
                let at = at.unwrap_or_else(|| panic!("{name}: {heading}\n{page}"));
                assert!(at >= after, "{name}: {heading}");
                after = at;
            }
            let synopsis = page.split(".SH ").nth(2).unwrap();
            assert!(synopsis.len() < 200, "{name}: {synopsis}");
        }
    }
}
