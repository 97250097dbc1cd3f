//! The names in Rust code, of files, modules, types, functions, tests, fields and variables, are the field's words in American
//! spelling, as the texts that [`wording`](super::wording) reads.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};

use super::sources::{read, rust_files};
use super::wording::rules;

/// Names that are allowed in the files whose paths start so, each with the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("examples/serve/", "net", "a module of tokio"),
    (
        "tests/all/hub/broken.rs",
        "net",
        "a module of the standard library",
    ),
    (
        "tests/all/hub/environment.rs",
        "net",
        "a module of the standard library",
    ),
    (
        "tests/all/support/hub_server.rs",
        "net",
        "a module of the standard library",
    ),
];

/// A name that is not used, at its place.
#[derive(Debug, PartialEq)]
struct Finding {
    line: usize,
    name: String,
    write: String,
}

/// The replacements by words of names that were looked up; `None` for the field's names.
type Known = BTreeMap<String, Option<String>>;

/// A name in code.
struct Name {
    line: usize,
    text: String,
    /// The word before it.
    before: String,
}

#[test]
fn names_are_the_fields_words() {
    let mut lines = Vec::new();
    let mut known = Known::new();
    let mut used = BTreeSet::new();
    for file in rust_files() {
        let code = read(&file).unwrap_or_default();
        let found = findings(&file, &code, &mut known);
        for Finding { line, name, write } in in_path(&file, &mut known).into_iter().chain(found) {
            let exception = EXCEPTIONS
                .iter()
                .position(|(path, old, _)| file.starts_with(path) && *old == name);
            match exception {
                Some(index) => _ = used.insert(index),
                None => lines.push(format!("{file}:{line}: `{name}` -> {write}")),
            }
        }
    }
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
    let stale = (0..EXCEPTIONS.len()).filter(|index| !used.contains(index));
    let stale: Vec<_> = stale.map(|index| EXCEPTIONS[index]).collect();
    assert!(stale.is_empty(), "exceptions without a use: {stale:?}");
}

/// Returns the findings in a path below the repository.
fn in_path(path: &str, known: &mut Known) -> Vec<Finding> {
    let whole = path;
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let parts = path.split('/').filter_map(|part| {
        let write = rule(whole, part, "mod", known)?;
        Some(Finding {
            line: 1,
            name: part.to_owned(),
            write,
        })
    });
    parts.collect()
}

/// Returns the findings in code, each name at its first place.
fn findings(path: &str, code: &str, known: &mut Known) -> Vec<Finding> {
    let tokens: TokenStream = code.parse().unwrap_or_default();
    let mut names = Vec::new();
    collect(tokens, &mut names);
    let mut seen = BTreeSet::new();
    let mut found: Vec<Finding> = Vec::new();
    for Name { line, text, before } in names {
        if seen.insert((text.clone(), before.clone()))
            && found.iter().all(|one| one.name != text)
            && let Some(write) = rule(path, &text, &before, known)
        {
            found.push(Finding {
                line,
                name: text,
                write,
            });
        }
    }
    found
}

/// Adds the identifiers of code, in their order.
fn collect(tokens: TokenStream, names: &mut Vec<Name>) {
    let mut before = String::new();
    for token in tokens {
        match &token {
            TokenTree::Group(group) => collect(group.stream(), names),
            TokenTree::Ident(ident) => names.push(Name {
                line: ident.span().start().line,
                text: ident.to_string(),
                before,
            }),
            _ => {}
        }
        before = token.to_string();
    }
}

/// Returns the replacement of a name in the file at `path` that follows the word `before`; `None` if it is the field's.
fn rule(path: &str, name: &str, before: &str, known: &mut Known) -> Option<String> {
    let glossary = match before {
        "struct" | "enum" | "trait" | "type" => rules::TYPES,
        "fn" | "mod" => rules::FUNCTIONS,
        _ => &[],
    };
    let new = glossary
        .iter()
        .find(|(old, _, start)| *old == name && path.starts_with(start));
    if let Some((_, new, _)) = new {
        return Some((*new).to_owned());
    }
    if let Some(write) = known.get(name) {
        return write.clone();
    }
    let words = words(name);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let found = (0..words.len()).find_map(|at| rules::matching(&words[..at], &words[at..]));
    let write = found.map(|(_, write)| write);
    known.insert(name.to_owned(), write.clone());
    write
}

/// Returns the words of a name in lower case: `PaddedShortcut` and `padded_shortcut` are `padded` and `shortcut`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for letter in name.replace("ResNet", "Resnet").chars() {
        let starts = letter == '_' || letter.is_uppercase() && was_lower;
        if starts && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        was_lower = letter.is_lowercase() || letter.is_numeric();
        if letter != '_'
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn old_names_are_found_by_their_words_and_by_what_they_name() {
    let code = "mod colours; /// Of pictures.
        struct Feed { fewest_pictures: Vec<Watch> } // let optimiser;
        fn misuse(feed: usize) -> PictureSize { let x = \"a_picture\"; misuse(hinted, net_of(x)) }
        #[test] fn a_net_goes_on() { otherwise(Color::Gray, network, noise) }";
    let found = findings("src/x.rs", code, &mut Known::new());
    let found: Vec<(usize, &str)> = found
        .iter()
        .map(|finding| (finding.line, finding.name.as_str()))
        .collect();
    let expected = [
        (1, "colours"),
        (2, "Feed"),
        (2, "fewest_pictures"),
        (3, "misuse"),
        (3, "PictureSize"),
        (3, "net_of"),
        (4, "a_net_goes_on"),
    ];
    assert_eq!(found, expected);
    assert_eq!(
        in_path("src/data/picture.rs", &mut Known::new())[0].name,
        "picture"
    );
    assert_eq!(words("PNG_GreyAlpha2x"), ["png", "grey", "alpha2x"]);
}
