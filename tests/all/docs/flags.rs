//! The library names settings, not flags: its messages and docs are for programs, too, and the command line shows settings as
//! flags (`src/cli/output/flags.rs`).

use proc_macro2::{TokenStream, TokenTree};

use super::sources::{read, rust_files};

/// Texts that look like a flag or a command line and are none, by file, each with the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "src/weights/format/not_weights.rs",
        "-d",
        "a flag of gzip, which unpacks the file",
    ),
    (
        "src/report/page/reproduce.rs",
        "resnet train",
        "a test of a file that the command line wrote",
    ),
    (
        "src/distributed/connect.rs",
        "--mpi",
        "a flag of srun, which starts the processes",
    ),
    (
        "src/distributed/launcher.rs",
        "-n",
        "a flag of mpirun, which starts the processes",
    ),
];

/// The tasks of the command line.
const COMMANDS: [&str; 6] = [
    "train",
    "eval",
    "predict",
    "summary",
    "export",
    "completions",
];

#[test]
fn no_text_of_the_library_names_a_flag() {
    let mut found = Vec::new();
    let library = |file: &String| file.starts_with("src/") && !file.starts_with("src/cli/");
    for file in rust_files().into_iter().filter(library) {
        let code: TokenStream = read(&file).unwrap_or_default().parse().unwrap();
        let mut texts = Vec::new();
        collect(code, &mut texts);
        for Literal { line, text, is_doc } in texts {
            let mut named = flags(&text);
            if !is_doc {
                named.extend(command_line(&text));
            }
            found.extend(named.into_iter().map(|name| (file.clone(), line, name)));
        }
    }
    let is = |(path, name, _): &(&str, &str, &str), found: &(String, usize, String)| {
        *path == found.0 && *name == found.2
    };
    let stale = EXCEPTIONS
        .iter()
        .find(|one| !found.iter().any(|found| is(one, found)));
    assert_eq!(stale, None, "an exception without a use");
    found.retain(|found| !EXCEPTIONS.iter().any(|one| is(one, found)));
    let found: Vec<String> = found
        .iter()
        .map(|(path, line, name)| format!("{path}:{line}: `{name}`"))
        .collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn flags_are_told_from_dashes_of_other_kinds() {
    for (text, named) in [
        ("pass --lr 0.1, or `-m MODEL`", vec!["--lr", "-m"]),
        ("--image-size=32", vec!["--image-size"]),
        ("(-o)", vec!["-o"]),
        ("models--org--name, a -- b, -1, -, x-y, 1 - a, e^-x", vec![]),
        (r#"<i style=\"--low:1;--high:2\">"#, vec![]),
    ] {
        assert_eq!(flags(text), named, "{text}");
    }
    assert_eq!(
        command_line("`resnet train`").as_deref(),
        Some("resnet train")
    );
    assert_eq!(command_line("resnet trains"), None);
}

/// A literal of code, or a line of a doc comment.
struct Literal {
    line: usize,
    text: String,
    is_doc: bool,
}

/// Collects the literals of `tokens`.
fn collect(tokens: TokenStream, texts: &mut Vec<Literal>) {
    // The two tokens before.
    let mut before = [String::new(), String::new()];
    for token in tokens {
        let shown = match token {
            TokenTree::Group(group) => {
                collect(group.stream(), texts);
                String::new()
            }
            TokenTree::Literal(literal) => {
                texts.push(Literal {
                    line: literal.span().start().line,
                    text: literal.to_string(),
                    is_doc: before == ["doc", "="],
                });
                String::new()
            }
            other => other.to_string(),
        };
        before = [std::mem::take(&mut before[1]), shown];
    }
}

/// Returns the flags in a text: dashes and letters that begin a word.
fn flags(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('-') {
        let (before, rest) = text.split_at(at);
        let begins = before
            .chars()
            .next_back()
            .is_none_or(|letter| " `\"'(/".contains(letter));
        let dashes = if rest.starts_with("--") { 2 } else { 1 };
        let name = rest[dashes..]
            .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-')
            .next()
            .unwrap_or_default();
        let is_name = name.starts_with(|letter: char| letter.is_ascii_lowercase())
            && (dashes == 2 || name.len() == 1);
        // A variable of a style sheet.
        let is_css = before.ends_with("=\\\"") && rest[dashes + name.len()..].starts_with(':');
        if begins && is_name && !is_css {
            found.push(rest[..dashes + name.len()].to_owned());
        }
    }
    found
}

/// Returns the command line in a text: the program and a task.
fn command_line(text: &str) -> Option<String> {
    text.match_indices("resnet ").find_map(|(at, program)| {
        let rest = &text[at + program.len()..];
        let word = rest
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .next()?;
        COMMANDS.contains(&word).then(|| format!("resnet {word}"))
    })
}
