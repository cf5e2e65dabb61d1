//! Lines of text that fit a width.

use console::{measure_text_width, truncate_str};

/// Joins words by `, ` or a blank into lines of at most `width` columns; those after the first are indented. A word
/// that is longer has a line of its own.
pub fn wrapped<S: AsRef<str>>(
    words: impl IntoIterator<Item = S>,
    by: &str,
    (width, indent): (usize, usize),
) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let end = by.trim_end();
    for word in words {
        let word = word.as_ref();
        let columns = by.len() + measure_text_width(word) + end.len();
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + columns <= width => {
                line.push_str(by);
                line.push_str(word);
            }
            Some(line) => {
                line.push_str(end);
                lines.push(format!("{}{word}", " ".repeat(indent)));
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `text`, at most so many columns, with … where some is missing.
pub fn cut(text: &str, width: usize) -> String {
    truncate_str(text, width, "…").into_owned()
}

/// `text` and spaces up to `width` columns; whatever colours are in it take none.
pub fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(measure_text_width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_longer_than_the_width() {
        assert_eq!(wrapped(["aaa", "bbb", "cc"], ", ", (9, 0)), ["aaa, bbb,", "cc"]);
        assert_eq!(wrapped(["a long word", "b"], ", ", (5, 0)), ["a long word,", "b"]);
        assert_eq!(wrapped(["aaa", "bbb", "cc"], " ", (7, 2)), ["aaa bbb", "  cc"]);
        assert_eq!(wrapped(["aaa", "bbb", "cc"], " ", (6, 2)), ["aaa", "  bbb", "  cc"]);
        assert!(wrapped(Vec::<String>::new(), ", ", (5, 0)).is_empty());
        assert_eq!((cut("abcdef", 4), cut("abcd", 4)), ("abc…".to_owned(), "abcd".to_owned()));
        assert_eq!(padded("\x1b[1mab\x1b[0m", 4), "\x1b[1mab\x1b[0m  ");
    }
}
