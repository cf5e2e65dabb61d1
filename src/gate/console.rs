//! What a console shows once all is written: systemd moves up a line to write it again.

use crate::model::text::without_colour;

/// Moves the cursor up a line (ECMA-48 RI), and back to its beginning.
const AGAIN: &str = "\u{1b}M\r";

/// A line as it comes, without what moves the cursor.
pub fn line(text: &str) -> String {
    let text = without_colour(text.strip_prefix(AGAIN).unwrap_or(text));
    text.trim_end().rsplit('\r').next().unwrap_or_default().to_owned()
}

/// The last lines of a log, at most so many, without empty ones.
pub fn end(log: &[u8], most: usize) -> Vec<String> {
    let text = without_colour(&String::from_utf8_lossy(log));
    let mut lines: Vec<&str> = Vec::new();
    for line in text.split('\n') {
        let (line, again) = line.strip_prefix(AGAIN).map_or((line, false), |rest| (rest, true));
        // What stands before a carriage return is written over.
        let line = line.trim_end().rsplit('\r').next().unwrap_or_default();
        if again {
            lines.pop();
        }
        if !line.is_empty() {
            lines.push(line);
        }
    }
    lines.iter().skip(lines.len().saturating_sub(most)).map(|l| (*l).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_again_is_there_once() {
        let log = b"[  OK  ] one\r\n\n[*   ] job (7s)\n\x1bM\r[\x1b[31m**  ] job (8s)\n\x1bM\r[  OK  ] done\nold\rnew\n\xff";
        assert_eq!(end(log, 9), ["[  OK  ] one", "[  OK  ] done", "new", "\u{fffd}"]);
        assert_eq!(line("\x1bM\r[\x1b[31m**  ] job (8s)\r"), "[**  ] job (8s)");
        assert_eq!(end(log, 2), ["new", "\u{fffd}"]);
        assert!(end(b"", 9).is_empty() && end(b"\x1bM\r\n", 9).is_empty());
    }
}
