//! Comments and string literals of source code.

/// A language, as far as its comments and strings go.
#[derive(Clone, Copy, PartialEq)]
pub enum Language {
    Rust,
    Python,
    JavaScript,
}

/// A piece of source code.
#[derive(Debug, PartialEq)]
pub enum Kind {
    /// A comment to the end of its line, without its mark: `/ Docs` of `/// Docs`.
    Comment(String),
    /// A string without its quotes; escapes are resolved or left out, and placeholders are left out.
    Text(String),
    /// Any other character, except white space.
    Code(char),
}

/// Returns the pieces of `content`, each with its line, from 1.
pub fn lex(content: &str, language: Language) -> Vec<(usize, Kind)> {
    let mut lexer = Lexer {
        rest: content,
        line: 1,
        language,
        found: Vec::new(),
    };
    while !lexer.rest.is_empty() {
        lexer.step();
    }
    lexer.found
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    language: Language,
    found: Vec<(usize, Kind)>,
}

impl<'a> Lexer<'a> {
    fn step(&mut self) {
        let comment = if self.language == Language::Python {
            "#"
        } else {
            "//"
        };
        if self.rest.starts_with(comment) {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            let text = self.take(end)[comment.len()..].to_owned();
            self.found.push((self.line, Kind::Comment(text)));
        } else if self.language != Language::Python && self.rest.starts_with("/*") {
            let end = self
                .rest
                .find("*/")
                .map_or(self.rest.len(), |end| end + "*/".len());
            self.take(end);
        } else if let Some((open, close, raw)) = self.quotes() {
            self.take(open);
            self.string(&close, raw);
        } else {
            let first = self.rest.chars().next().expect("there is a rest");
            self.take(first.len_utf8());
            if !first.is_whitespace() {
                self.found.push((self.line, Kind::Code(first)));
            }
        }
    }

    /// Removes `length` bytes and counts their lines.
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    /// Returns the length of the opening quotes here, the closing ones, and whether escapes are none.
    fn quotes(&self) -> Option<(usize, String, bool)> {
        let plain = |mark: &str| {
            self.rest
                .starts_with(mark)
                .then(|| (mark.len(), mark.to_owned(), false))
        };
        match self.language {
            Language::Python => ["\"\"\"", "'''", "\"", "'"].into_iter().find_map(plain),
            Language::JavaScript => ["\"", "'", "`"].into_iter().find_map(plain),
            Language::Rust => {
                if let Some(hashes) = self.rest.strip_prefix('r') {
                    let count = hashes.len() - hashes.trim_start_matches('#').len();
                    if hashes[count..].starts_with('"') {
                        return Some((count + 2, format!("\"{}", "#".repeat(count)), true));
                    }
                }
                // A character; a quote that does not end after one is a lifetime's.
                let mut chars = self.rest.chars();
                match [chars.next(), chars.next(), chars.next()] {
                    [Some('\''), Some('\\'), _] | [Some('\''), _, Some('\'')] => plain("'"),
                    _ => plain("\""),
                }
            }
        }
    }

    /// Reads a string to its closing quotes.
    fn string(&mut self, close: &str, raw: bool) {
        let line = self.line;
        let mut text = String::new();
        while !self.rest.is_empty() && !self.rest.starts_with(close) {
            let length = self.rest.chars().next().map_or(0, char::len_utf8);
            if raw || !self.rest.starts_with('\\') {
                text.push_str(self.take(length));
                continue;
            }
            self.take(1);
            let escaped = self.rest.chars().next().unwrap_or(' ');
            self.take(if escaped.is_whitespace() && escaped != '\n' {
                0
            } else {
                escaped.len_utf8()
            });
            text.push(match escaped {
                'n' | 't' | 'r' => ' ',
                other => other,
            });
        }
        self.take(close.len().min(self.rest.len()));
        if close != "'" || self.language != Language::Rust {
            self.found
                .push((line, Kind::Text(without_placeholders(&text))));
        }
    }
}

/// Returns the text with `{}` in place of each placeholder.
fn without_placeholders(text: &str) -> String {
    let mut depth = 0_usize;
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 || character == '\n' => out.push(character),
            _ => {}
        }
    }
    out
}
