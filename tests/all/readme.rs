//! Every console block of the README prints what it says, but for those marked as needing the network.
//!
//! A block that is marked as measured has the numbers of another run: its own may differ from them, their text may not. `runs/` is a
//! folder of the test's, with a run of the README's first command that ends after two steps.

use super::command::{Finished, Resnet, root};
use std::path::Path;

/// What a comment above a block says of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    None,
    Network,
    Measured,
}

/// A command of a block and what it is said to print; `...` alone stands for any lines, at a line's end for its rest.
struct Shown {
    command: String,
    lines: Vec<String>,
    mark: Mark,
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

fn blocks(readme: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut lines = readme.lines().peekable();
    let mut before = "";
    while let Some(line) = lines.next() {
        if line == "```console" {
            let mark = match before {
                "<!-- network -->" => Mark::Network,
                "<!-- measured -->" => Mark::Measured,
                _ => Mark::None,
            };
            for line in lines.by_ref().take_while(|line| *line != "```") {
                match line.strip_prefix("$ ") {
                    Some(command) => shown.push(Shown {
                        command: command.to_owned(),
                        lines: Vec::new(),
                        mark,
                    }),
                    None => shown
                        .last_mut()
                        .expect("a block starts with a command")
                        .lines
                        .push(line.to_owned()),
                }
            }
        }
        before = line;
    }
    shown
}

fn matches(expected: &[String], printed: &[String]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == "..." => {
            (0..=printed.len()).any(|skip| matches(rest, &printed[skip..]))
        }
        Some((first, rest)) => printed.split_first().is_some_and(|(line, others)| {
            let same = match first.strip_suffix("...") {
                Some(start) => line.starts_with(start),
                None => line == first,
            };
            same && matches(rest, others)
        }),
    }
}

/// The line with `#` for each of its numbers, one space between words, and no say in which epoch was the best.
fn without_numbers(line: &str) -> String {
    let mut text = String::new();
    for word in line.replace(" (best)", "").split_whitespace() {
        let mut letters = word.chars().peekable();
        while let Some(letter) = letters.next() {
            if letter.is_ascii_digit() {
                // The point at a sentence's end is no part of a number, and there is none in these lines.
                while letters
                    .next_if(|&next| next.is_ascii_digit() || next == '.')
                    .is_some()
                {}
                text.push('#');
            } else {
                text.push(letter);
            }
        }
        text.push(' ');
    }
    text
}

/// Runs `command` with the folder `runs` for the README's.
fn run(command: &str, runs: &Path) -> Finished {
    let runs = format!("{}/", runs.display());
    let arguments = command.strip_prefix("resnet ").expect("blocks run resnet");
    let arguments = arguments
        .split_whitespace()
        .map(|argument| argument.replace("runs/", &runs));
    let mut done = Resnet::new(arguments).env("RUST_BACKTRACE", "0").run();
    for text in [&mut done.stdout, &mut done.stderr] {
        *text = text.replace(&runs, "runs/");
    }
    done
}

/// The first command of the README, as `resnet` runs it.
fn first_command(readme: &str) -> String {
    let arguments = readme
        .lines()
        .find_map(|line| line.strip_prefix("cargo run --release -- "))
        .expect("the README starts with a command");
    format!("resnet {arguments}")
}

#[test]
fn every_console_block_prints_what_it_says() {
    let readme = readme();
    let shown = blocks(&readme);
    let of = |mark| shown.iter().filter(|shown| shown.mark == mark).count();
    assert!(of(Mark::None) >= 4 && of(Mark::Network) >= 1 && of(Mark::Measured) >= 2);
    let [first, others] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let place = "-o runs/sample-resnet20-1 --device cpu";
    let command = first_command(&readme);
    let done = run(&format!("{command} {place} --max-steps 2"), first.path());
    assert_eq!(done.status, 0, "{}", done.stderr);
    for Shown {
        command,
        lines,
        mark,
    } in shown
    {
        let done = match mark {
            Mark::Network => continue,
            // All its epochs, on a few pictures of the same kind.
            Mark::Measured if command.starts_with("resnet train") => {
                let few = "-d fashion-mnist:tests/fixtures/datasets/fashion_mnist";
                let command = command.replace("-d sample", few);
                run(&format!("{command} {place}"), others.path())
            }
            Mark::None | Mark::Measured => run(&command, first.path()),
        };
        let all = done.stdout + &done.stderr;
        let seen = |line: &str| match mark {
            Mark::Measured if line != "..." => without_numbers(line),
            _ => line.to_owned(),
        };
        let expected: Vec<String> = lines.iter().map(|line| seen(line)).collect();
        let printed: Vec<String> = all.lines().map(seen).collect();
        assert!(matches(&expected, &printed), "{command}\n{all}");
    }
}

#[test]
fn the_first_command_trains_on_the_pictures_inside() {
    let readme = readme();
    let command = first_command(&readme);
    assert!(command.starts_with("resnet train -d sample "), "{command}");
    let runs = tempfile::tempdir().unwrap();
    let done = run(
        &format!("{command} --max-steps 2 --dry-run --device cpu"),
        runs.path(),
    );
    assert_eq!((done.status, done.stdout.as_str()), (0, ""));
    assert!(
        done.stderr
            .contains(" parameters) on 6,000 images in 10 classes")
            && done.stderr.contains("\nepoch 1/3: loss "),
        "{}",
        done.stderr
    );
    assert!(readme.contains("\ncargo test --release\n"));
    let ci = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(ci.contains("cargo test --release"));
}

/// They want pictures, runs or a network that are not here, and fail over nothing else.
#[test]
fn the_other_commands_have_flags_that_exist() {
    let readme = readme();
    let empty = tempfile::tempdir().unwrap();
    let commands: Vec<&str> = readme
        .lines()
        .filter(|line| line.starts_with("resnet train "))
        .collect();
    assert!(commands.len() >= 4);
    for command in commands {
        let done = run(command, empty.path());
        assert!(
            done.stderr.starts_with("error: cannot ") && done.status != 0,
            "{command}\n{}",
            done.stderr
        );
    }
}

#[test]
fn a_wrong_line_is_found() {
    let lines = |lines: &[&str]| -> Vec<String> { lines.iter().map(|&line| line.into()).collect() };
    let expected = lines(&["a", "...", "d,..."]);
    assert!(matches(&expected, &lines(&["a", "b", "c", "d,1"])));
    assert!(!matches(&expected, &lines(&["a", "b", "c"])));
    assert!(!matches(&expected, &lines(&["x", "d,1"])));
    assert_eq!(
        without_numbers("epoch 1/3: loss 1.45, top-1  47.82 % (best); 78 s"),
        without_numbers("epoch 2/30: loss 11.4503, top-1 7 %; 8.5 s")
    );
    assert_ne!(without_numbers("loss 1"), without_numbers("cost 1"));
}
