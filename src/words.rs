//! Words for every message: those that go with numbers, and those of a command to be typed.

use std::borrow::Cow;

/// `1 picture`, `2 pictures`; `1 class`, `2 classes`.
pub fn counted(number: impl TryInto<u64>, noun: &str) -> String {
    // More than u64 has is many, too.
    let number = number.try_into().unwrap_or(u64::MAX);
    let ending = match number {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{number} {noun}{ending}")
}

/// An amount of memory: `0.3 MB`, `85 MB`, `1.5 GB`.
pub fn amount(bytes: u64) -> String {
    let megabytes = bytes as f64 / 1e6;
    let (number, unit) = match megabytes {
        // What rounds to a thousand of them is a gigabyte.
        small if small < 999.5 => (small, "MB"),
        large => (large / 1e3, "GB"),
    };
    if number < 9.95 {
        format!("{number:.1} {unit}")
    } else {
        format!("{number:.0} {unit}")
    }
}

/// `text` as one word of a shell's command line, in quotes where it needs them.
pub fn shell_word(text: &str) -> Cow<'_, str> {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+:@%,=~".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_need_quotes_have_them() {
        assert_eq!(shell_word("runs/a-1_b.c"), "runs/a-1_b.c");
        assert_eq!(shell_word("고양이"), "고양이");
        assert_eq!(shell_word("v w"), "'v w'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn one_stands_alone_and_all_others_are_many() {
        assert_eq!(counted(1_u64, "picture"), "1 picture");
        assert_eq!(counted(0_usize, "picture"), "0 pictures");
        assert_eq!(counted(1_usize, "class"), "1 class");
        assert_eq!(counted(1000_u32, "class"), "1000 classes");
    }

    #[test]
    fn amounts_have_two_digits_or_more() {
        assert_eq!(amount(0), "0.0 MB");
        assert_eq!(amount(9_949_999), "9.9 MB");
        assert_eq!(amount(9_950_000), "10 MB");
        assert_eq!(amount(999_499_999), "999 MB");
        assert_eq!(amount(999_500_000), "1.0 GB");
        assert_eq!(amount(12_288_000_000_000), "12288 GB");
    }
}
