//! Text of messages: numbers with their nouns and units, words of a shell's command line, and line breaks.

#[cfg(feature = "report")]
use console::{measure_text_width, truncate_str};
use std::borrow::Cow;

/// Returns a number with its noun: `1 image`, `6,000 images`, `2 classes`.
pub fn pluralize(number: impl TryInto<u64>, noun: &str) -> String {
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
pub fn format_bytes(bytes: u64) -> String {
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

/// Formats a count in at most seven columns: `272.5 K`, `25.56 M`, `4.09 G`.
pub fn format_count(count: u64) -> String {
    let count = count as f64;
    let (scaled, unit) = match count {
        small if small < 1e3 => return format!("{small}"),
        small if small < 999_950.0 => (small / 1e3, "K"),
        middle if middle < 999.95e6 => (middle / 1e6, "M"),
        large => (large / 1e9, "G"),
    };
    format!("{scaled:.1} {unit}")
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

/// Breaks `text` at spaces into lines of at most `columns` columns; a longer word has a line of its own.
#[cfg(feature = "report")]
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + 1 + measure_text_width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Cuts `text` in its middle to at most `columns` columns, as the ends of names tell them apart.
#[cfg(feature = "report")]
pub fn cut_middle(text: &str, columns: usize) -> String {
    if measure_text_width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(1);
    let ends = text.char_indices().map(|(at, _)| &text[at..]);
    let mut ends = ends.filter(|end| measure_text_width(end) <= room / 2);
    let end = ends.next().unwrap_or_default();
    let start = truncate_str(text, room - measure_text_width(end), "");
    format!("{start}…{end}")
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

    #[cfg(feature = "report")]
    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrapped("a few words here", 7), ["a few", "words", "here"]);
        assert_eq!(wrapped("a word-too-long b", 4), ["a", "word-too-long", "b"]);
        assert_eq!(wrapped("고양이 고양이", 6), ["고양이", "고양이"]);
        assert!(wrapped("", 4).is_empty());
    }

    #[cfg(feature = "report")]
    #[test]
    fn names_are_cut_in_their_middle() {
        assert_eq!(cut_middle("photos-resnet18-1", 17), "photos-resnet18-1");
        assert_eq!(cut_middle("photos-resnet18-1", 12), "photos…t18-1");
        assert_eq!(cut_middle("고양이고양이", 7), "고양…이");
        for columns in 1..12 {
            let cut = cut_middle("고양이 고양이 고양이", columns);
            assert!(measure_text_width(&cut) <= columns, "{cut}");
        }
        assert_eq!(cut_middle("abc", 1), "…");
    }

    #[test]
    fn one_is_singular_and_all_others_are_plural() {
        assert_eq!(pluralize(1_u64, "image"), "1 image");
        assert_eq!(pluralize(0_usize, "image"), "0 images");
        assert_eq!(pluralize(1_usize, "class"), "1 class");
        assert_eq!(pluralize(999_u32, "class"), "999 classes");
        assert_eq!(pluralize(1000_u32, "class"), "1,000 classes");
        assert_eq!(pluralize(1_281_167_u32, "image"), "1,281,167 images");
    }

    #[test]
    fn counts_have_one_decimal_and_a_unit() {
        for (count, shown) in [
            (0, "0"),
            (999, "999"),
            (272_474, "272.5 K"),
            (999_950, "1.0 M"),
            (25_557_032, "25.6 M"),
            (4_089_184_256, "4.1 G"),
        ] {
            assert_eq!(format_count(count), shown);
        }
    }

    #[test]
    fn amounts_have_two_digits_or_more() {
        assert_eq!(format_bytes(0), "0.0 MB");
        assert_eq!(format_bytes(9_949_999), "9.9 MB");
        assert_eq!(format_bytes(9_950_000), "10 MB");
        assert_eq!(format_bytes(999_499_999), "999 MB");
        assert_eq!(format_bytes(999_500_000), "1.0 GB");
        assert_eq!(format_bytes(12_288_000_000_000), "12288 GB");
    }
}
