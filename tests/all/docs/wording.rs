//! The words that people read: user-visible strings, docs, Markdown, recipes and the report page use the field's terms and
//! American spelling. `wording/rules.rs` lists the words that are not used, each with its replacement.

mod lexer;
pub mod rules;
mod rust;
mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use text::Passage;

/// The folders and files that are read, relative to the repository.
const READ: &[&str] = &[
    ".ci",
    ".github",
    "Cargo.toml",
    "README.md",
    "assets",
    "benches",
    "crates",
    "docs",
    "examples",
    "models",
    "pyproject.toml",
    "src",
    "tests",
];

/// Words that are allowed in one file, each with the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "src/cli/usage/suggest/options.rs",
        "net",
        "a word that is typed and answered",
    ),
    (
        "src/cli/usage/suggest/options.rs",
        "finetune",
        "a word that is typed and answered",
    ),
    (
        "src/cli/usage/suggest/commands.rs",
        "finetune",
        "a word that is typed and answered",
    ),
    (
        "src/cli/usage/suggest/options.rs",
        "optimiser",
        "a word that is typed and answered",
    ),
    (
        "src/cli/usage/suggest/options.rs",
        "visualise",
        "a word that is typed and answered",
    ),
    (
        "src/cli/usage/suggest/options.rs",
        "colour",
        "a word that is typed and answered",
    ),
    (
        "src/report/comparison/model_result.rs",
        "learnt",
        "a JSON key",
    ),
    ("src/report/evaluation_dir.rs", "learnt", "a JSON key"),
    (
        "src/train/checkpoint/state.rs",
        "pictures",
        "a key of the state file",
    ),
    (
        "src/weights/provenance/tests.rs",
        "carved",
        "the name of a split on disk",
    ),
    (
        "src/report/evaluation_report.rs",
        "pictures",
        "the file name of a plot",
    ),
    (
        "benches/kernels/exactness.rs",
        "picture",
        "the name of a stream of random numbers decides them",
    ),
    (
        "src/weights/format/pytorch/archive.rs",
        "net",
        "a key of others' checkpoints",
    ),
    (
        "src/weights/state_dict/rename.rs",
        "net",
        "a prefix in others' checkpoints",
    ),
    (
        "src/weights/provenance.rs",
        "carved",
        "the name of a split on disk",
    ),
];

/// A word that is not used, at its place.
#[derive(Debug)]
struct Finding {
    line: usize,
    word: String,
    write: String,
}

/// Returns the findings of a file.
fn findings(path: &Path, content: &str) -> Vec<Finding> {
    let passages = text::passages(path, content);
    passages.iter().flat_map(in_passage).collect()
}

fn in_passage(passage: &Passage) -> Vec<Finding> {
    let words: Vec<&str> = passage
        .words
        .iter()
        .map(|word| word.text.as_str())
        .collect();
    let mut found = Vec::new();
    for start in 0..words.len() {
        if let Some((count, write)) = rules::matching(&words[..start], &words[start..]) {
            found.push(Finding {
                line: passage.words[start].line,
                word: words[start..start + count].join(" "),
                write,
            });
        }
    }
    if let Some(first) = passage.words.first()
        && passage.opens_doc
        && rules::OPENINGS.contains(&first.text.as_str())
    {
        found.push(Finding {
            line: first.line,
            word: first.text.clone(),
            write: "a verb in the third person, or a noun phrase".to_owned(),
        });
    }
    found
}

/// Returns every file below `path` that can hold prose, sorted.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(path).into_iter().flatten() {
        let entry = entry.unwrap().path();
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if !["target", "__pycache__"].contains(&name.as_str()) {
            found.extend(files(&entry));
        }
    }
    found.into_iter().collect()
}

#[test]
fn people_read_the_fields_words() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut lines = Vec::new();
    let mut used = BTreeSet::new();
    for file in READ.iter().flat_map(|read| files(&root.join(read))) {
        let Ok(content) = std::fs::read_to_string(&file) else {
            continue;
        };
        let name = file
            .strip_prefix(root)
            .unwrap()
            .display()
            .to_string()
            .replace('\\', "/");
        for Finding { line, word, write } in findings(Path::new(&name), &content) {
            let exception = EXCEPTIONS
                .iter()
                .position(|(path, old, _)| *path == name && (*old == word || *old == "*"));
            match exception {
                Some(index) => _ = used.insert(index),
                None => lines.push(format!("{name}:{line}: `{word}` -> {write}")),
            }
        }
    }
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
    let stale: Vec<_> = (0..EXCEPTIONS.len())
        .filter(|index| !used.contains(index))
        .map(|index| EXCEPTIONS[index])
        .collect();
    assert!(stale.is_empty(), "exceptions without a use: {stale:?}");
}

/// Returns line and word of each finding.
fn words_of(name: &str, content: &str) -> Vec<(usize, String)> {
    findings(Path::new(name), content)
        .into_iter()
        .map(|finding| (finding.line, finding.word))
        .collect()
}

/// Asserts the findings of a sample.
fn assert_finds(name: &str, content: &str, expected: &[(usize, &str)]) {
    let found = words_of(name, content);
    let found: Vec<(usize, &str)> = found
        .iter()
        .map(|(line, word)| (*line, word.as_str()))
        .collect();
    assert_eq!(found, expected, "{content}");
}

#[test]
fn old_words_are_found_in_docs_and_strings_of_rust() {
    let code = r#"//! Says what pictures show.
//! `picture` and ResNet, example.net, crate::nets and [`Picture`] are code.

/// Whether the net
/// learns from the photograph.
///
/// ```
/// let picture = "picture of code";
/// ```
fn f(picture: &str, label: char) {
    // A comment about pictures.
    let quote = '"';
    let lifetime: &'static str = "colour {picture} of `grey`";
    panic!("the run was\n put \
        aside");
    let raw = r"normalised"; // pictures
    let bytes = b"picture";
}

#[cfg(test)]
mod tests {
    fn g() { let x = "a picture { in a test"; }
}
const AFTER: &str = "a data set";
"#;
    assert_finds(
        "x.rs",
        code,
        &[
            (1, "pictures"),
            (4, "net"),
            (5, "learns from"),
            (4, "whether"),
            (13, "colour"),
            (14, "put aside"),
            (16, "normalised"),
            (24, "data set"),
        ],
    );
}

#[test]
fn old_words_are_found_in_markdown_outside_of_code() {
    let markdown = "# Nets\n\nA `net` of [pictures](nets/pictures.md)\nthat goes\non: https://picture.net/nets.\n\n```console\n$ a picture\n```\n\n    a picture\n\n<img src=\"net.png\" alt=\"A grey boot\">\n<!-- a picture -->\nstandard deviation, deviation\n";
    assert_finds(
        "x.md",
        markdown,
        &[
            (1, "nets"),
            (3, "pictures"),
            (4, "goes on"),
            (13, "grey"),
            (15, "deviation"),
        ],
    );
}

#[test]
fn old_words_are_found_in_recipes_scripts_and_pages() {
    assert_finds(
        "x.toml",
        "# The net\npicture = 1 # grey\nname = \"net # x\"\ndescription = \"A net\"\n",
        &[(1, "net"), (2, "grey"), (4, "net")],
    );
    assert_finds(
        "x.py",
        "\"\"\"A net.\n\nOf pictures.\"\"\"\npicture = 'picture'  # a picture\nprint(f\"{picture} is a picture\")\n",
        &[(1, "net"), (3, "pictures"), (4, "picture"), (5, "picture")],
    );
    assert_finds(
        "x.js",
        "// a comment\nconst picture = \"net\";\nshow('the net\\'s colour');\nshow(`a ${net} picture`);\n",
        &[(3, "net"), (3, "colour"), (4, "picture")],
    );
    assert_finds(
        "x.yml",
        "# The net\nname: nets\nrun: nets\n",
        &[(1, "net"), (2, "nets")],
    );
    assert_finds(
        "x.html",
        "<p class=\"net\">A net</p>\n<script>const net = 'x';</script>\n",
        &[(1, "net")],
    );
}

#[test]
fn words_that_only_look_british_are_allowed() {
    let text = "Otherwise four hours of precise noise raise our contours; a pairwise, elementwise comparison arises; \
        optimistic figures; your colors, likewise. It is advised and revised. A characteristic source, of course.";
    assert_finds("x.md", text, &[]);
    assert_finds(
        "x.md",
        "It customises, initialised and standardising, with a randomiser of behaviours and its flavoured vectorisation.",
        &[
            (1, "customises"),
            (1, "initialised"),
            (1, "standardising"),
            (1, "randomiser"),
            (1, "behaviours"),
            (1, "flavoured"),
            (1, "vectorisation"),
        ],
    );
}
