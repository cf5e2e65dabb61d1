//! Text in columns.

use console::{measure_text_width, truncate_str};

/// `text`, at most so many columns, with … where some is missing.
pub(super) fn cut(text: &str, width: usize) -> String {
    truncate_str(text, width, "…").into_owned()
}

/// `text` in lines of at most so many columns, broken at spaces; lines after the first are indented. A word that is
/// longer is cut.
pub(super) fn wrap(text: &str, width: usize, indent: usize) -> Vec<String> {
    let width = width.max(20);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let empty = line.trim().is_empty();
        if !empty && measure_text_width(&line) + 1 + measure_text_width(word) > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            line.push_str(word);
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.push(line);
    lines.iter().map(|l| cut(l, width)).collect()
}
