//! Text in plots: escaped for XML, and cut to the room at hand.

use console::{measure_text_width, truncate_str};

/// The width of a letter by its height, on the generous side for letters of a sans-serif.
pub const WIDTH: f64 = 0.58;

/// Replaces control characters, those that change the direction of text and those that XML does not allow by spaces.
pub fn printable(text: &str) -> String {
    let is_known = |c: char| {
        let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        !c.is_control() && !turns && !matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    text.chars()
        .map(|c| if is_known(c) { c } else { ' ' })
        .collect()
}

/// Escapes `text` for XML and HTML, attributes included.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Cuts `text` to `room`, in heights of its letters.
pub fn shortened(text: &str, room: f64) -> String {
    let columns = (room / WIDTH).max(1.0) as usize;
    truncate_str(text, columns, "…").into_owned()
}

/// Returns the width of the longest of `texts`, in heights of its letters.
pub fn room<'a>(texts: impl IntoIterator<Item = &'a str>) -> f64 {
    let widths = texts.into_iter().map(measure_text_width);
    widths.max().unwrap_or(0) as f64 * WIDTH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_element() {
        assert_eq!(
            escaped(&printable("</title><script>\"'&\u{0}\u{202e}")),
            "&lt;/title&gt;&lt;script&gt;&quot;&#39;&amp;  "
        );
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(shortened("고양이 고양이", 4.0 * WIDTH), "고…");
        assert_eq!(shortened("cat", 3.0 * WIDTH), "cat");
        assert!((room(["a", "고양"]) - 4.0 * WIDTH).abs() < 1e-9);
    }
}
