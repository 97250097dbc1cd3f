//! The modules of a crate, each with its items, its `use` declarations and the paths in its code.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::Read;

/// A module: a file, or a block in one.
#[derive(Debug, Default)]
pub struct Module {
    /// The file that holds it.
    pub file: String,
    /// Index of the parent; `None` for the root.
    pub parent: Option<usize>,
    /// Indices of the child modules.
    pub children: BTreeMap<String, usize>,
    /// Names of the items defined in it.
    pub items: BTreeSet<String>,
    /// The names that it imports.
    pub uses: Vec<Use>,
    /// Paths of two or more segments outside of `use`.
    pub paths: BTreeSet<Vec<String>>,
    /// Names outside of `use`; of a path the first segment.
    pub names: BTreeSet<String>,
}

/// An imported name.
#[derive(Debug, PartialEq)]
pub struct Use {
    /// The segments of the path.
    pub path: Vec<String>,
    /// The name in this module; `*` for all names of the path.
    pub name: String,
    /// True for `pub use`, of any visibility.
    pub is_public: bool,
}

/// Returns the modules of the crate whose root is the file `root`, which comes first.
pub fn modules(root: &str, read: &Read) -> Vec<Module> {
    let mut parser = Parser {
        modules: Vec::new(),
        read,
    };
    let (folder, _) = root.rsplit_once('/').unwrap_or(("", root));
    parser.file(root, folder, None);
    parser.modules
}

struct Parser<'a> {
    modules: Vec<Module>,
    read: &'a Read<'a>,
}

/// A place in code: its module, and the folder of the files of that module's children.
#[derive(Clone, Copy)]
struct Scope<'a> {
    module: usize,
    folder: &'a str,
    /// True directly in a module, where items can be imported by others.
    is_module: bool,
}

impl Parser<'_> {
    /// Reads a module from a file; its children are in `folder`.
    fn file(&mut self, file: &str, folder: &str, parent: Option<usize>) -> usize {
        let content = (self.read)(file).unwrap_or_else(|| panic!("`{file}` does not exist"));
        let tokens: TokenStream = content
            .parse()
            .unwrap_or_else(|error| panic!("`{file}`: {error}"));
        let module = self.add(file, parent);
        let scope = Scope {
            module,
            folder,
            is_module: true,
        };
        self.walk(tokens, scope);
        module
    }

    fn add(&mut self, file: &str, parent: Option<usize>) -> usize {
        self.modules.push(Module {
            file: file.to_owned(),
            parent,
            ..Module::default()
        });
        self.modules.len() - 1
    }

    fn walk(&mut self, tokens: TokenStream, scope: Scope) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut is_public = false;
        let mut at = 0;
        while at < tokens.len() {
            let rest = &tokens[at..];
            let was_public = std::mem::take(&mut is_public);
            at += match rest {
                [hash, TokenTree::Group(group), ..] if is(hash, '#') && is_for_tests(group) => {
                    2 + item(&rest[2..])
                }
                [TokenTree::Ident(word), next, ..] if word == "pub" => {
                    is_public = true;
                    1 + usize::from(in_parentheses(next))
                }
                [TokenTree::Ident(word), TokenTree::Ident(name), end, ..] if word == "mod" => {
                    self.child(&name.to_string(), end, scope);
                    3
                }
                [TokenTree::Ident(word), next, ..] if word == "use" && !is(next, '<') => {
                    let end = rest.iter().position(|token| is(token, ';'));
                    let end = end.unwrap_or(rest.len());
                    let uses = &mut self.modules[scope.module].uses;
                    imported(&rest[1..end], &[], was_public, uses);
                    end
                }
                [TokenTree::Ident(_), ..] => self.word(&tokens, at, scope),
                [TokenTree::Group(group), ..] => {
                    let inside = Scope {
                        is_module: false,
                        ..scope
                    };
                    self.walk(group.stream(), inside);
                    1
                }
                _ => 1,
            };
        }
    }

    /// Reads a child module, whose name `end` follows: its block, or a semicolon.
    fn child(&mut self, name: &str, end: &TokenTree, scope: Scope) {
        let folder = join(scope.folder, name);
        let child = if let TokenTree::Group(block) = end {
            let file = self.modules[scope.module].file.clone();
            let module = self.add(&file, Some(scope.module));
            let inside = Scope {
                module,
                folder: &folder,
                is_module: true,
            };
            self.walk(block.stream(), inside);
            module
        } else {
            let beside = format!("{folder}.rs");
            let file = match (self.read)(&beside) {
                Some(_) => beside,
                None => format!("{folder}/mod.rs"),
            };
            self.file(&file, &folder, Some(scope.module))
        };
        let children = &mut self.modules[scope.module].children;
        children.insert(name.to_owned(), child);
    }

    /// Reads the word at `at` with the rest of its path, and returns the number of their tokens.
    fn word(&mut self, tokens: &[TokenTree], at: usize, scope: Scope) -> usize {
        let path = path(&tokens[at..]);
        let count = 3 * path.len() - 2;
        let (before, after) = (&tokens[..at], &tokens[at + count..]);
        // Of a path that begins with a type, or of generic arguments.
        if matches!(before, [.., first, second] if is(first, ':') && is(second, ':')) {
            return count;
        }
        let module = &mut self.modules[scope.module];
        if before.last().is_some_and(defines) {
            if scope.is_module {
                module.items.insert(path[0].clone());
            }
            return count;
        }
        let is_method = before.last().is_some_and(|before| is(before, '.'));
        let is_field = matches!(after, [first, second, ..] if is(first, ':') && !is(second, ':'));
        if path.len() > 1 || !is_method && !is_field {
            module.names.insert(path[0].clone());
        }
        if path.len() > 1 {
            module.paths.insert(path);
        }
        count
    }
}

/// Returns true if the name of an item follows.
fn defines(token: &TokenTree) -> bool {
    match token {
        TokenTree::Ident(word) => DEFINING.iter().any(|one| word == one),
        // `macro_rules!`
        token => is(token, '!'),
    }
}

/// The words before the name of an item.
const DEFINING: [&str; 9] = [
    "fn", "struct", "enum", "union", "trait", "type", "const", "static", "mut",
];

fn is(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn in_parentheses(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis)
}

/// Returns true for the brackets of `#[cfg(test)]` and `#[cfg(all(test, ..))]`.
fn is_for_tests(brackets: &proc_macro2::Group) -> bool {
    let text = brackets.stream().to_string().replace(' ', "");
    text.starts_with("cfg(test)") || text.starts_with("cfg(all(test,")
}

/// Returns the number of tokens of an item: to its block or its semicolon, or for a field or an arm to its comma.
fn item(tokens: &[TokenTree]) -> usize {
    let is_item = tokens
        .iter()
        .find_map(|token| match token {
            TokenTree::Ident(word) => Some(ITEMS.iter().any(|one| word == one)),
            _ => None,
        })
        .unwrap_or(false);
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        token => is(token, ';') || is(token, ',') && !is_item,
    };
    tokens
        .iter()
        .position(ends)
        .map_or(tokens.len(), |end| end + 1)
}

/// The first words of items.
const ITEMS: [&str; 14] = [
    "async",
    "const",
    "enum",
    "extern",
    "fn",
    "impl",
    "macro_rules",
    "mod",
    "pub",
    "static",
    "struct",
    "trait",
    "unsafe",
    "use",
];

/// Returns the path at the start of `tokens`, up to generic arguments.
fn path(tokens: &[TokenTree]) -> Vec<String> {
    let mut path = Vec::new();
    let mut rest = tokens;
    while let [TokenTree::Ident(word), after @ ..] = rest {
        path.push(word.to_string());
        match after {
            [first, second, tail @ ..] if is(first, ':') && is(second, ':') => rest = tail,
            _ => break,
        }
        if !matches!(rest, [TokenTree::Ident(_), ..]) {
            break;
        }
    }
    path
}

/// Adds the names that the tree of a `use` declaration imports, under the path `prefix`.
fn imported(tokens: &[TokenTree], prefix: &[String], is_public: bool, uses: &mut Vec<Use>) {
    let mut path = prefix.to_vec();
    let mut rest = tokens;
    loop {
        match rest {
            // A crate of that name.
            [first, second, ..] if is(first, ':') && is(second, ':') && path.is_empty() => return,
            [first, second, tail @ ..] if is(first, ':') && is(second, ':') => rest = tail,
            [TokenTree::Ident(word), TokenTree::Ident(name), ..] if word == "as" => {
                uses.push(Use {
                    path,
                    name: name.to_string(),
                    is_public,
                });
                return;
            }
            [TokenTree::Ident(word), tail @ ..] => {
                // `self` at the end is the path before it.
                if word != "self" || path.is_empty() {
                    path.push(word.to_string());
                }
                rest = tail;
            }
            [TokenTree::Group(group), ..] => {
                let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                for part in inside.split(|token| is(token, ',')) {
                    imported(part, &path, is_public, uses);
                }
                return;
            }
            [star, ..] if is(star, '*') => {
                uses.push(Use {
                    path,
                    name: "*".to_owned(),
                    is_public,
                });
                return;
            }
            _ => {
                if tokens.is_empty() {
                    return;
                }
                let name = path.last().cloned().unwrap_or_default();
                uses.push(Use {
                    path,
                    name,
                    is_public,
                });
                return;
            }
        }
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}
