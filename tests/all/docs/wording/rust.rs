//! The prose of Rust code: docs, and strings outside of tests.

use super::lexer::{self, Kind, Language};
use super::text::{self, Passage};

/// Returns docs paragraph by paragraph and, if `strings` is set, each string literal.
pub fn passages(content: &str, strings: bool) -> Vec<Passage> {
    let pieces = lexer::lex(content, Language::Rust);
    let tests = tests(&pieces);
    let mut passages = docs(&pieces);
    for (index, (line, kind)) in pieces.iter().enumerate() {
        if let Kind::Text(text) = kind
            && strings
            && !tests[index]
            && !follows_b(&pieces, index)
        {
            passages.push(Passage {
                words: text::words(&text::without_tags(text), *line),
                opens_doc: false,
            });
        }
    }
    passages
}

/// Returns true if the string at `index` is a byte string.
fn follows_b(pieces: &[(usize, Kind)], index: usize) -> bool {
    let before = |back: usize| {
        index
            .checked_sub(back)
            .map(|place| pieces[place].1 == Kind::Code('b'))
    };
    let is_word = |back: usize| {
        index.checked_sub(back).is_some_and(
            |place| matches!(pieces[place].1, Kind::Code(c) if c.is_alphanumeric() || c == '_'),
        )
    };
    before(1) == Some(true) && !is_word(2)
}

/// Returns the docs, whose lines follow one another, as Markdown.
fn docs(pieces: &[(usize, Kind)]) -> Vec<Passage> {
    let mut blocks: Vec<(usize, Vec<&str>)> = Vec::new();
    for (line, kind) in pieces {
        let Kind::Comment(text) = kind else { continue };
        let doc = text.strip_prefix('/').or(text.strip_prefix('!'));
        let Some(doc) = doc.filter(|doc| !doc.starts_with('/')) else {
            continue;
        };
        let doc = doc.strip_prefix(' ').unwrap_or(doc);
        match blocks.last_mut() {
            Some((first, lines)) if *first + lines.len() == *line => lines.push(doc),
            _ => blocks.push((*line, vec![doc])),
        }
    }
    let mut passages = Vec::new();
    for (first, lines) in blocks {
        for (index, mut passage) in text::markdown(&lines.join("\n")).into_iter().enumerate() {
            for word in &mut passage.words {
                word.line += first - 1;
            }
            passage.opens_doc = index == 0;
            passages.push(passage);
        }
    }
    passages
}

/// Returns for each piece whether it belongs to an item that is compiled for tests only.
fn tests(pieces: &[(usize, Kind)]) -> Vec<bool> {
    let mut inside = vec![false; pieces.len()];
    let code = |index: usize| match pieces[index].1 {
        Kind::Code(code) => code,
        _ => ' ',
    };
    let starts = |index: usize, text: &str| {
        text.chars()
            .enumerate()
            .all(|(i, c)| index + i < pieces.len() && code(index + i) == c)
    };
    let mut index = 0;
    while index < pieces.len() {
        if !starts(index, "#[cfg(test)]") && !starts(index, "#[cfg(all(test,") {
            index += 1;
            continue;
        }
        let (start, mut depth, mut brackets) = (index, 0, 0);
        while index < pieces.len() {
            match code(index) {
                '[' | '(' => brackets += 1,
                ']' | ')' => brackets -= 1,
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            index += 1;
            let ends = matches!(code(index - 1), '}' | ';') && depth == 0 && brackets == 0;
            if ends {
                break;
            }
        }
        inside[start..index].fill(true);
    }
    inside
}
