//! Tests that README.md and docs/ show the truth: every console block prints what it says, except those marked as needing the network.
//!
//! A block that is marked as measured has the numbers of another run: its own may differ from them, their text may not. `runs/` is a
//! folder of the test's, with a run of the README's first command that ends after two steps.

mod links;

use crate::support::command::{Finished, Resnet, root};
use std::path::{Path, PathBuf};

/// The comment above a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockKind {
    None,
    Network,
    Measured,
}

/// A command of a block and what it should print; `...` alone stands for any lines, at a line's end for its rest.
struct Shown {
    command: String,
    lines: Vec<String>,
    mark: BlockKind,
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn readme() -> String {
    read(&root().join("README.md"))
}

/// README.md and the files in docs/, in a fixed order.
fn documents() -> Vec<PathBuf> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap();
    let mut documents: Vec<PathBuf> = docs.map(|entry| entry.unwrap().path()).collect();
    documents.sort();
    documents.insert(0, root().join("README.md"));
    documents
}

fn blocks(text: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut lines = text.lines().peekable();
    let mut before = "";
    while let Some(line) = lines.next() {
        if line == "```console" {
            let mark = match before {
                "<!-- network -->" => BlockKind::Network,
                "<!-- measured -->" => BlockKind::Measured,
                _ => BlockKind::None,
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

/// The commands in the `sh` blocks of all documents, without comments.
fn commands() -> Vec<String> {
    let mut commands = Vec::new();
    for document in documents() {
        let text = read(&document);
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line == "```sh" {
                let block = lines.by_ref().take_while(|line| *line != "```");
                commands
                    .extend(block.map(|line| line.split(" #").next().unwrap().trim().to_owned()));
            }
        }
    }
    commands
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

/// The line with `#` for each of its numbers, one space between words, and no sign of which epoch or class was the best.
fn without_numbers(line: &str) -> String {
    let mut text = String::new();
    let line = line.replace(" (best)", "");
    let line = ["  best", "  worst"]
        .iter()
        .find_map(|mark| line.strip_suffix(mark))
        .unwrap_or(&line);
    for word in line.split_whitespace() {
        let mut letters = word.chars().peekable();
        while let Some(letter) = letters.next() {
            if letter.is_ascii_digit() {
                while letters
                    .next_if(|&next| next.is_ascii_digit() || next == '.' || next == ',')
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

/// Runs `command` with the folder `runs` for the one that it names.
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

/// Flags that name the folder of the README's first command.
const PLACE: &str = "-o runs/sample-resnet20-1 --device cpu";
/// A few images of the kind that `sample` has.
const FEW: &str = "fashion-mnist:tests/fixtures/datasets/fashion_mnist";

#[test]
fn every_console_block_prints_what_it_says() {
    let [first, others] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let command = first_command(&readme());
    let done = run(&format!("{command} {PLACE} --max-steps 2"), first.path());
    assert_eq!(done.status, 0, "{}", done.stderr);
    let mut seen = Vec::new();
    for document in documents() {
        for Shown {
            command,
            lines,
            mark,
        } in blocks(&read(&document))
        {
            seen.push(mark);
            let done = match mark {
                BlockKind::Network => continue,
                // All its epochs, on a few images.
                BlockKind::Measured if command.starts_with("resnet train") => {
                    let few = command.replace("-d sample", &format!("-d {FEW}"));
                    let runs = tempfile::tempdir_in(&others).unwrap();
                    let mut done = run(&format!("{few} {PLACE}"), runs.path());
                    done.stderr = done.stderr.replace(FEW, "sample");
                    done
                }
                BlockKind::None | BlockKind::Measured => run(&command, first.path()),
            };
            let all = done.stdout + &done.stderr;
            let plain = |line: &str| match mark {
                BlockKind::Measured if line != "..." => without_numbers(line),
                _ => line.to_owned(),
            };
            let expected: Vec<String> = lines.iter().map(|line| plain(line)).collect();
            let printed: Vec<String> = all.lines().map(plain).collect();
            let document = document.display();
            assert!(!lines.is_empty(), "{document}: {command} shows nothing");
            assert!(matches(&expected, &printed), "{document}: {command}\n{all}");
        }
    }
    let of = |mark| seen.iter().filter(|&&seen| seen == mark).count();
    assert!(
        of(BlockKind::None) >= 6 && of(BlockKind::Network) >= 2 && of(BlockKind::Measured) >= 3,
        "{seen:?}"
    );
}

#[test]
fn the_first_commands_train_on_the_bundled_images_and_run_the_tests() {
    let readme = readme();
    let first = readme.split("```sh\n").nth(1).unwrap();
    let [train, test] = first.lines().take(2).collect::<Vec<_>>()[..] else {
        panic!("the first block has two commands: {first}")
    };
    assert!(train.starts_with("cargo run --release -- train -d sample "));
    assert_eq!(test, "cargo test --release");
    let runs = tempfile::tempdir().unwrap();
    let done = run(
        &format!(
            "{} --max-steps 2 --dry-run --device cpu",
            first_command(&readme)
        ),
        runs.path(),
    );
    assert_eq!((done.status, done.stdout.as_str()), (0, ""));
    assert!(
        done.stderr.contains("6,000") && done.stderr.contains("\nepoch 1/3: loss "),
        "{}",
        done.stderr
    );
    let ci = read(&root().join(".ci/run"));
    assert!(ci.contains("cargo test --release"));
}

/// They want images, runs or a network that are not here, and fail over nothing else.
#[test]
fn the_other_commands_fail_only_over_what_is_missing() {
    let empty = tempfile::tempdir().unwrap();
    let commands = commands();
    let mut tried = 0;
    // These work here, or resume what a person's own `runs/` has.
    let works = |command: &str| {
        ["-d sample", "-m sample", "summary --depth"]
            .iter()
            .any(|part| command.contains(part))
            || command == "resnet train --resume"
    };
    for command in &commands {
        if !command.starts_with("resnet ") || works(command) {
            continue;
        }
        let done = run(command, empty.path());
        assert!(
            done.stderr.contains("error: ") && done.status == 1,
            "{command}: {}\n{}",
            done.status,
            done.stderr
        );
        tried += 1;
    }
    assert!(tried >= 12, "{commands:?}");
}

/// A flag in a command belongs to that command, and one in a sentence to some command.
#[test]
fn every_flag_exists() {
    let names = ["train", "eval", "predict", "summary"];
    let help = |name: &str| Resnet::line(&format!("{name} --help")).run().stdout;
    let helps = names.map(help);
    let flags = |text: &str| -> Vec<String> {
        text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'))
            .filter(|word| word.len() > 3 && word.starts_with("--") && !word.starts_with("---"))
            .map(str::to_owned)
            .collect()
    };
    let known = helps.each_ref().map(|help| flags(help));
    let program = flags(&Resnet::line("--help").run().stdout);
    for command in commands() {
        let Some(rest) = command.strip_prefix("resnet ") else {
            continue;
        };
        let name = rest.split(' ').next().unwrap();
        let index = names.iter().position(|known| *known == name).expect(name);
        for flag in flags(rest) {
            assert!(known[index].contains(&flag), "{command}: {flag}");
        }
    }
    // Those of cargo, curl, the examples, uvx and TensorBoard, and of what starts several processes.
    let foreign = [
        "--allow-run-as-root",
        "--bench",
        "--bind-to",
        "--cpus-per-task",
        "--data-binary",
        "--example",
        "--features",
        "--from",
        "--hostfile",
        "--load-test",
        "--logdir",
        "--map-by",
        "--mca",
        "--mpi",
        "--nodes",
        "--ntasks-per-node",
        "--oversubscribe",
        "--path",
        "--release",
        "--signal",
    ];
    for document in documents() {
        let text = read(&document);
        let mut found = 0;
        for (index, inline) in text.split('`').enumerate() {
            for flag in flags(inline).iter().filter(|_| index % 2 == 1) {
                found += 1;
                assert!(
                    known
                        .iter()
                        .chain([&program])
                        .any(|known| known.contains(flag))
                        || foreign.contains(&flag.as_str()),
                    "{}: {flag}",
                    document.display()
                );
            }
        }
        assert!(found > 0 || !document.ends_with("training.md"));
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
    assert_eq!(
        without_numbers("6,000 images"),
        without_numbers("12 images")
    );
    assert_ne!(without_numbers("loss 1"), without_numbers("cost 1"));
}
