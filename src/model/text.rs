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

/// One line of JSON that a terminal may show: what JSON lets stand as it is and a terminal would obey is escaped. It
/// means the same.
pub fn printable_json(line: &str) -> String {
    use std::fmt::Write as _;
    let escape = |c: char| c.is_control() && !matches!(c, '\n' | '\t') || is_invisible(c);
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        if escape(c) {
            // Writing to a string cannot fail.
            write!(out, "\\u{:04x}", u32::from(c)).unwrap_or(());
        } else {
            out.push(c);
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

/// `text`, cut where it is longer than an error needs: what was read may be of any length.
pub fn short(mut text: String) -> String {
    const MOST: usize = 8 << 10;
    if text.len() > MOST {
        let end = (0..=MOST).rfind(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push_str(" … (cut)");
    }
    text
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
    fn json_means_the_same_and_drives_no_terminal() {
        let text = "a\u{9b}2J\u{7f}\u{202e} \u{1b}[2J\n";
        let line = serde_json::to_string(text).unwrap();
        let shown = printable_json(&line);
        assert!(!shown.contains(|c: char| c.is_control() || is_invisible(c)), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
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
