//! Words for every message: numbers with their nouns, amounts of memory, and words of a shell's command line.

use std::borrow::Cow;

/// Returns a number with its noun: `1 image`, `6,000 images`, `2 classes`.
pub fn counted(number: impl TryInto<u64>, noun: &str) -> String {
    // A number too large for u64 takes the plural, too.
    let number = number.try_into().unwrap_or(u64::MAX);
    let ending = match number {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {noun}{ending}", thousands(number))
}

/// Returns a number with a comma between thousands, as Python's `{:,}`.
pub fn thousands(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns an amount of memory: `0.3 MB`, `85 MB`, `1.5 GB`.
pub fn amount(bytes: u64) -> String {
    let megabytes = bytes as f64 / 1e6;
    let (number, unit) = match megabytes {
        // What rounds to 1000 MB is a gigabyte.
        small if small < 999.5 => (small, "MB"),
        large => (large / 1e3, "GB"),
    };
    if number < 9.95 {
        format!("{number:.1} {unit}")
    } else {
        format!("{number:.0} {unit}")
    }
}

/// Returns `text` as one word of a shell's command line, quoted if needed.
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
    fn one_is_singular_and_all_others_are_plural() {
        assert_eq!(counted(1_u64, "image"), "1 image");
        assert_eq!(counted(0_usize, "image"), "0 images");
        assert_eq!(counted(1_usize, "class"), "1 class");
        assert_eq!(counted(999_u32, "class"), "999 classes");
        assert_eq!(counted(1000_u32, "class"), "1,000 classes");
        assert_eq!(counted(1_281_167_u32, "image"), "1,281,167 images");
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
