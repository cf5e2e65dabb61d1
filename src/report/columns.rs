//! Lines of text that fit a width.

use console::measure_text_width;

/// Joins words by `, ` or a blank into lines of at most `width` columns. A word that is longer has a line of its own.
pub fn wrapped<S: AsRef<str>>(words: impl IntoIterator<Item = S>, by: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        let word = word.as_ref();
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + by.len() + 1 + measure_text_width(word) <= width => {
                line.push_str(by);
                line.push_str(word);
            }
            Some(line) => {
                line.push_str(by.trim_end());
                lines.push(word.to_owned());
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
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
        assert_eq!(wrapped(["aaa", "bbb", "cc"], ", ", 9), ["aaa, bbb,", "cc"]);
        assert_eq!(wrapped(["a long word", "b"], ", ", 5), ["a long word,", "b"]);
        assert!(wrapped(Vec::<String>::new(), ", ", 5).is_empty());
        assert_eq!(padded("\x1b[1mab\x1b[0m", 4), "\x1b[1mab\x1b[0m  ");
    }
}
