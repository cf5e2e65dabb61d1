//! Text for a terminal: what a target, a log or a manifest says is data, never control sequences.

/// `text` with control characters shown as escapes, so that it can neither move the cursor nor colour nor ring.
/// Tabs become spaces; new lines are kept only if `lines`.
pub fn printable(text: &str, lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' if lines => out.push('\n'),
            '\t' => out.push_str("    "),
            c if c.is_control() || is_invisible(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// Zero-width and direction-changing characters, with which a name can be made to look like another.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// `text` without the colours and links that programs add for terminals (ECMA-48 CSI and OSC sequences).
pub fn without_colour(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\u{1b}', Some('[')) => {
                chars.next();
                while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {}
            }
            ('\u{1b}', Some(']')) => while chars.next().is_some_and(|c| c != '\u{7}' && c != '\\') {},
            _ => out.push(c),
        }
    }
    out
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, b| {
        // Writing to a string cannot fail.
        write!(out, "{b:02x}").unwrap_or(());
        out
    })
}

/// A size for people: `812 B`, `3.4 MiB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    #[allow(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let mut value = n as f64 / 1024.0;
    if n < 1024 {
        return format!("{n} B");
    }
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// "1 path", "3 paths".
pub fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_are_shown_not_sent() {
        assert_eq!(printable("\x1b[2Jgone\x07\r\n", false), r"\u{1b}[2Jgone\u{7}\r\n");
        assert_eq!(printable("a\nb", true), "a\nb");
        assert_eq!(printable("caf\u{e9} \u{202e}x", false), "caf\u{e9} \\u{202e}x");
    }

    #[test]
    fn colours_and_links_go() {
        assert_eq!(without_colour("\x1b[31;1merror:\x1b[0m no"), "error: no");
        assert_eq!(without_colour("\x1b]8;;http://x\x1b\\link\x1b]8;;\x07"), "link");
        assert_eq!(without_colour("a\x1b["), "a");
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(5 * 1024 * 1024 * 1024), "5.0 GiB");
    }
}
