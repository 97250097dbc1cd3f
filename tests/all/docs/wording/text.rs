//! The prose in a file: what people read of it, word by word.

use std::path::Path;

use super::lexer::{self, Kind, Language};

/// A word and its line, from 1.
#[derive(Debug, PartialEq)]
pub struct Word {
    /// Lower case, without punctuation and possessive; empty in place of code and of punctuation.
    pub text: String,
    pub line: usize,
}

/// Words that belong together: a paragraph, a message, a comment.
#[derive(Debug, Default)]
pub struct Passage {
    pub words: Vec<Word>,
    /// True for the first paragraph of a doc comment.
    pub opens_doc: bool,
}

/// Returns the prose of a file, by the ending of its name.
pub fn passages(path: &Path, content: &str) -> Vec<Passage> {
    match path.extension().and_then(|ending| ending.to_str()) {
        // Strings of tests are what programs are given and expected to print.
        Some("rs") => super::rust::passages(content, !path.starts_with("tests")),
        Some("md") => markdown(content),
        Some("toml") => lines(content, |line| {
            let description = line
                .strip_prefix("description")
                .and_then(|rest| rest.trim_start().strip_prefix('='));
            description.or_else(|| comment(line))
        }),
        Some("yml" | "yaml") => lines(content, |line| {
            let named = line.trim_start().trim_start_matches("- ");
            named.strip_prefix("name:").or_else(|| comment(line))
        }),
        Some("sh") => lines(content, comment),
        Some("py") => script(content, Language::Python),
        Some("js") => script(content, Language::JavaScript),
        Some("html") => vec![passage(&without_tags(&without_scripts(content)), 1)],
        _ => Vec::new(),
    }
}

/// Returns the words of a text whose first line is `line`.
pub fn words(text: &str, line: usize) -> Vec<Word> {
    let text = without_links(&without_code(text));
    let mut words = Vec::new();
    for (offset, text) in text.lines().enumerate() {
        for token in text.split_whitespace() {
            let line = line + offset;
            let bare = token.trim_matches(|c: char| !c.is_alphanumeric() && c != '`');
            let is_code = token.trim_start_matches(['[', '(', '"']).starts_with('-')
                || bare.contains(['/', '_', '=', '@', '`', '$'])
                || bare.contains("::")
                || bare.contains('.')
                || bare.chars().skip(1).any(char::is_uppercase);
            let mut parts: Vec<&str> = if is_code {
                vec![""]
            } else {
                bare.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
                    .collect()
            };
            // No phrase goes over a comma or the end of a sentence.
            if token.ends_with([',', '.', ';', ':', '?', '!']) {
                parts.push("");
            }
            words.extend(parts.into_iter().map(|part| {
                Word {
                    text: part
                        .split(['\'', '’'])
                        .next()
                        .unwrap_or_default()
                        .to_lowercase(),
                    line,
                }
            }));
        }
    }
    words
}

fn passage(text: &str, line: usize) -> Passage {
    Passage {
        words: words(text, line),
        opens_doc: false,
    }
}

/// Returns the paragraphs, headings, list items and table rows of Markdown, without its code.
pub fn markdown(content: &str) -> Vec<Passage> {
    let content = without_tags(content);
    let mut passages = Vec::new();
    let mut paragraph = (1, String::new());
    let (mut fenced, mut was_blank, mut was_code) = (false, true, false);
    for (index, line) in content.lines().enumerate() {
        let trimmed = line.trim_start();
        let is_fence = trimmed.starts_with("```") || trimmed.starts_with("~~~");
        fenced ^= is_fence;
        let is_code = fenced || is_fence || line.starts_with("    ") && (was_blank || was_code);
        let starts = ["#", "- ", "|", "* "]
            .iter()
            .any(|mark| trimmed.starts_with(mark));
        if is_code || trimmed.is_empty() || starts {
            passages.push(passage(&paragraph.1, paragraph.0));
            paragraph = (index + 1, String::new());
        }
        if !is_code {
            if paragraph.1.is_empty() {
                paragraph.0 = index + 1;
            }
            paragraph.1.push_str(line);
            paragraph.1.push('\n');
        }
        (was_blank, was_code) = (trimmed.is_empty(), is_code && !fenced && !is_fence);
    }
    passages.push(passage(&paragraph.1, paragraph.0));
    passages.retain(|passage| !passage.words.is_empty());
    passages
}

/// Returns what `read` finds in each line.
fn lines(content: &str, read: impl Fn(&str) -> Option<&str>) -> Vec<Passage> {
    let lines = content.lines().enumerate();
    lines
        .filter_map(|(index, line)| Some(passage(read(line)?, index + 1)))
        .collect()
}

/// Returns the comment that starts with `#` outside of quotes.
fn comment(line: &str) -> Option<&str> {
    let mut marks = line.match_indices('#');
    let mark = marks.find(|(place, _)| {
        let before = &line[..*place];
        before.matches('"').count().is_multiple_of(2)
            && (before.is_empty() || before.ends_with(' '))
    });
    mark.map(|(place, _)| &line[place + 1..])
}

/// Returns the strings of a script that are more than a word and, in Python, its comments.
fn script(content: &str, language: Language) -> Vec<Passage> {
    let mut passages = Vec::new();
    for (line, kind) in lexer::lex(content, language) {
        match kind {
            Kind::Text(text) if text.trim().contains(char::is_whitespace) => {
                passages.push(passage(&without_tags(&text), line));
            }
            Kind::Comment(text) if language == Language::Python => {
                passages.push(passage(&text, line));
            }
            _ => {}
        }
    }
    passages
}

/// Replaces code between backquotes by a single one.
fn without_code(text: &str) -> String {
    let mut out = String::new();
    let mut parts = text.split('`');
    out.push_str(parts.next().unwrap_or_default());
    while let Some(code) = parts.next() {
        let Some(after) = parts.next() else {
            out.push_str(code);
            break;
        };
        out.push_str(" ` ");
        out.extend(code.chars().filter(|c| *c == '\n'));
        out.push_str(after);
    }
    out
}

/// Removes the targets of Markdown links.
fn without_links(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("](") {
        out.push_str(&rest[..start]);
        out.push(' ');
        let end = rest[start..]
            .find(')')
            .map_or(rest.len(), |end| start + end + 1);
        rest = &rest[end..];
    }
    out + rest
}

/// Removes HTML tags and comments, and keeps the texts that they show: `alt`, `title` and `aria-label`.
pub fn without_tags(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let next = rest[1..].chars().next().unwrap_or(' ');
        let is_tag = next.is_ascii_lowercase() || next == '/' || next == '!';
        let close = if rest.starts_with("<!--") { "-->" } else { ">" };
        let Some(end) = rest.find(close).filter(|_| is_tag) else {
            out.push('<');
            rest = &rest[1..];
            continue;
        };
        let tag = &rest[..end];
        for attribute in ["alt=\"", "title=\"", "aria-label=\""] {
            if let Some((_, shown)) = tag.split_once(attribute) {
                out.push(' ');
                out.push_str(shown.split('"').next().unwrap_or_default());
                out.push(' ');
            }
        }
        let shown = out.matches('\n').count();
        let before = text.len() - rest.len();
        let missing = text[..before + end]
            .matches('\n')
            .count()
            .saturating_sub(shown);
        out.push_str(&"\n".repeat(missing));
        rest = &rest[end + close.len()..];
    }
    out + rest
}

/// Removes scripts and styles.
fn without_scripts(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    loop {
        let starts = ["<script", "<style"].map(|tag| rest.find(tag).map(|start| (start, tag)));
        let Some((start, tag)) = starts.into_iter().flatten().min() else {
            return out + rest;
        };
        out.push_str(&rest[..start]);
        let close = tag.replace('<', "</");
        let end = rest[start..]
            .find(&close)
            .map_or(rest.len(), |end| start + end);
        out.extend(rest[start..end].chars().filter(|c| *c == '\n'));
        rest = &rest[end..];
    }
}
