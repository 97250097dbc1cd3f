//! The files that a pattern names: braces (`train-{0000..0127}.tar`, `{a,b}`), wildcards (`*`, `?`, `[ab]`) or a folder.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::data::dataset::ignored::is_ignored_folder;
use crate::error::{error_with_hint, usage_error};
use crate::text::pluralize;

/// The most files that braces may name.
const MOST_FILES: usize = 1 << 20;

/// Returns the files that `pattern` names, in its order; those of a wildcard are sorted by name. In a folder, these are the files
/// with `extension`, in subfolders, too.
///
/// # Errors
/// When it is an address, a file does not exist or is named twice, or nothing matches.
pub fn files(pattern: &str, extension: &str) -> Result<Vec<PathBuf>> {
    if pattern.contains("://") || pattern.starts_with("pipe:") {
        return Err(error_with_hint(
            format!("`{pattern}` is not a file of this machine"),
            "download the shards first and pass their paths",
        ));
    }
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for name in braces(pattern)? {
        let path = Path::new(&name);
        if path.is_dir() {
            let inside = format!("{}/**/*.{extension}", glob::Pattern::escape(&name));
            let is_ignored = |file: &PathBuf| {
                let below = file.strip_prefix(path).unwrap_or(file).parent();
                below.is_some_and(|folders| folders.iter().any(is_ignored_folder))
            };
            found.extend(
                matches(&inside)?
                    .into_iter()
                    .filter(|file| !is_ignored(file)),
            );
        } else if path.is_file() {
            found.push(path.to_owned());
        } else if name.contains(['*', '?', '[']) {
            found.extend(matches(&name)?);
        } else {
            missing.push(name);
        }
    }
    if let Some(first) = missing.first() {
        let whole = found.len() + missing.len();
        return Err(error_with_hint(
            match missing.len() {
                1 => format!("there is no file `{first}`"),
                some => format!("{some} of {whole} files do not exist, such as `{first}`"),
            },
            match found.last() {
                Some(last) => format!(
                    "`{}` is there: fetch the others, or correct the pattern",
                    last.display()
                ),
                None => around(first, extension),
            },
        ));
    }
    let mut known = HashSet::new();
    if let Some(twice) = found.iter().find(|path| !known.insert(path.as_path())) {
        return Err(usage_error(
            format!("`{pattern}` names `{}` twice", twice.display()),
            "name each file once",
        ));
    }
    if found.is_empty() {
        return Err(error_with_hint(
            format!("`{pattern}` matches no file"),
            around(pattern, extension),
        ));
    }
    Ok(found)
}

/// Returns the files that match a pattern with wildcards, sorted by name.
fn matches(pattern: &str) -> Result<Vec<PathBuf>> {
    let options = glob::MatchOptions {
        require_literal_leading_dot: true,
        require_literal_separator: true,
        case_sensitive: true,
    };
    let found = glob::glob_with(pattern, options)
        .with_context(|| format!("`{pattern}` is not a valid pattern"))?;
    let mut files = Vec::new();
    for path in found {
        let path = path?;
        if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

/// Returns the hint about the files in the folder of a pattern that matches none.
fn around(pattern: &str, extension: &str) -> String {
    let path = Path::new(pattern);
    let mut folders = path.ancestors();
    let folder = folders.find(|folder| folder.is_dir() || folder.as_os_str().is_empty());
    let folder = match folder {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let inside = format!(
        "{}/*.{extension}",
        glob::Pattern::escape(&folder.display().to_string())
    );
    let found = matches(&inside).unwrap_or_default();
    match found.first() {
        Some(first) => format!(
            "`{}` has {}, such as `{}`",
            folder.display(),
            pluralize(found.len(), &format!(".{extension} file")),
            first.display()
        ),
        None => format!("`{}` has no .{extension} files", folder.display()),
    }
}

/// Returns the names that a pattern with braces stands for, in its order.
///
/// # Errors
/// When these are too many.
pub fn braces(pattern: &str) -> Result<Vec<String>> {
    let Some((before, inside, after)) = first_group(pattern) else {
        return Ok(vec![pattern.to_owned()]);
    };
    let too_many = || {
        usage_error(
            format!("`{pattern}` names more than {MOST_FILES} files"),
            "correct the range",
        )
    };
    let mut middles = Vec::new();
    match (range(inside), alternatives(inside)) {
        (Some((first, last, width)), _) => {
            if last.abs_diff(first) >= MOST_FILES as u64 {
                return Err(too_many());
            }
            let number = |number: u64| format!("{number:0width$}");
            if first <= last {
                middles.extend((first..=last).map(number));
            } else {
                middles.extend((last..=first).rev().map(number));
            }
        }
        (None, parts) if parts.len() > 1 => {
            for part in parts {
                middles.extend(braces(part)?);
            }
        }
        // Braces around one name are part of a name.
        (None, _) => middles.push(format!("{{{inside}}}")),
    }
    let ends = braces(after)?;
    if middles.len().saturating_mul(ends.len()) > MOST_FILES {
        return Err(too_many());
    }
    let names = middles.iter().flat_map(|middle| {
        let ends = ends.iter();
        ends.map(move |end| format!("{before}{middle}{end}"))
    });
    Ok(names.collect())
}

/// Returns what is before, in and after the first pair of braces.
fn first_group(pattern: &str) -> Option<(&str, &str, &str)> {
    let start = pattern.find('{')?;
    let mut depth = 0;
    for (at, letter) in pattern[start..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let end = start + at;
            return Some((
                &pattern[..start],
                &pattern[start + 1..end],
                &pattern[end + 1..],
            ));
        }
    }
    None
}

/// Returns the ends of `0000..0127`, and the digits of its numbers.
fn range(inside: &str) -> Option<(u64, u64, usize)> {
    let (first, last) = inside.split_once("..")?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(first) || !is_number(last) {
        return None;
    }
    let is_padded = [first, last]
        .iter()
        .any(|text| text.len() > 1 && text.starts_with('0'));
    let width = if is_padded {
        first.len().max(last.len())
    } else {
        0
    };
    Some((first.parse().ok()?, last.parse().ok()?, width))
}

/// Divides a text at the commas outside of inner braces.
fn alternatives(inside: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0);
    for (at, letter) in inside.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inside[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::hint_of;
    use std::fs;

    #[test]
    fn braces_are_ranges_and_alternatives_in_any_depth() {
        for (pattern, expected) in [
            ("a.tar", &["a.tar"][..]),
            ("a-{0..2}.tar", &["a-0.tar", "a-1.tar", "a-2.tar"]),
            ("a-{008..011}", &["a-008", "a-009", "a-010", "a-011"]),
            ("{9..10}", &["9", "10"]),
            ("{2..1}", &["2", "1"]),
            (
                "{train,val}-{0..1}",
                &["train-0", "train-1", "val-0", "val-1"],
            ),
            (
                "{t-{0..1},v-{7..7}}.tar",
                &["t-0.tar", "t-1.tar", "v-7.tar"],
            ),
            ("{a,}b", &["ab", "b"]),
            ("{one}", &["{one}"]),
            ("{a..b}", &["{a..b}"]),
            ("open{", &["open{"]),
        ] {
            assert_eq!(braces(pattern).unwrap(), expected, "{pattern}");
        }
        for pattern in ["{0..9999999}", "{0..9999}{0..9999}"] {
            let error = braces(pattern).unwrap_err();
            assert!(error.to_string().contains("more than"), "{error}");
        }
    }

    #[test]
    fn wildcards_folders_and_names_give_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("deep/er")).unwrap();
        fs::create_dir_all(path("@eaDir/a.tar")).unwrap();
        for name in [
            "b.tar",
            "a.tar",
            "c.txt",
            "deep/er/d.tar",
            ".hidden.tar",
            "@eaDir/a.tar/e.tar",
        ] {
            fs::write(path(name), "").unwrap();
        }
        let found = |pattern: &str| {
            let found = files(path(pattern).to_str().unwrap(), "tar")?;
            let names = found.iter().map(|file| {
                let name = file.strip_prefix(folder.path()).unwrap();
                name.to_str().unwrap().replace('\\', "/")
            });
            anyhow::Ok(names.collect::<Vec<_>>())
        };
        assert_eq!(found("*.tar").unwrap(), ["a.tar", "b.tar"]);
        assert_eq!(found("{b,a}.tar").unwrap(), ["b.tar", "a.tar"]);
        assert_eq!(found("").unwrap(), ["a.tar", "b.tar", "deep/er/d.tar"]);
        for (pattern, message, hint) in [
            ("x*.tar", "matches no file", "has 2 .tar files, such as"),
            (
                "{a,b,x,y}.tar",
                "2 of 4 files do not exist, such as",
                "b.tar` is there: fetch",
            ),
            ("x.tar", "there is no file", "has 2 .tar files"),
            ("{a,a}.tar", "twice", "name each file once"),
            ("deep/*.tar", "matches no file", "has no .tar files"),
        ] {
            let error = found(pattern).unwrap_err();
            assert!(error.to_string().contains(message), "{pattern}: {error}");
            let way_out = hint_of(&error).unwrap().to_string();
            assert!(way_out.contains(hint), "{pattern}: {way_out}");
        }
        for address in ["https://host/a.tar", "pipe:curl x"] {
            let error = files(address, "tar").unwrap_err();
            assert!(error.to_string().contains("not a file of this machine"));
        }
    }
}
