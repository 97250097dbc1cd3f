//! Every console block of the README prints what it says, but for those marked as needing the network.

use super::command::{Resnet, root};

/// A command of a block and what it is said to print; `...` alone stands for any lines, at a line's end for its rest.
struct Shown {
    command: String,
    lines: Vec<String>,
}

fn blocks(readme: &str) -> (Vec<Shown>, usize) {
    let (mut shown, mut on_the_network) = (Vec::new(), 0);
    let mut lines = readme.lines().peekable();
    let mut before = "";
    while let Some(line) = lines.next() {
        if line == "```console" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            if before == "<!-- network -->" {
                on_the_network += 1;
                continue;
            }
            for line in block {
                match line.strip_prefix("$ ") {
                    Some(command) => shown.push(Shown {
                        command: command.to_owned(),
                        lines: Vec::new(),
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
    (shown, on_the_network)
}

fn matches(expected: &[String], printed: &[&str]) -> bool {
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

#[test]
fn every_console_block_prints_what_it_says() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (shown, on_the_network) = blocks(&readme);
    assert!(shown.len() >= 4 && on_the_network >= 1);
    for Shown { command, lines } in shown {
        let arguments = command.strip_prefix("resnet ").expect("blocks run resnet");
        let done = Resnet::line(arguments).env("RUST_BACKTRACE", "0").run();
        let all = done.stdout + &done.stderr;
        let printed: Vec<&str> = all.lines().collect();
        assert!(matches(&lines, &printed), "{command}\n{all}");
    }
}

#[test]
fn the_first_command_runs() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let command = readme
        .lines()
        .find_map(|line| line.strip_prefix("cargo run --release -- "))
        .unwrap();
    let done = Resnet::line(command).run();
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    assert!(
        done.stdout.contains("Total params: 21,797,672") && done.stdout.contains("layer4.2.conv2")
    );
    assert!(readme.contains("\ncargo test --release\n"));
    let ci = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(ci.contains("cargo test --release"));
}

#[test]
fn a_wrong_line_is_found() {
    let expected = ["a".to_owned(), "...".to_owned(), "d,...".to_owned()];
    assert!(matches(&expected, &["a", "b", "c", "d,1"]));
    assert!(!matches(&expected, &["a", "b", "c"]));
    assert!(!matches(&expected, &["x", "d,1"]));
}
