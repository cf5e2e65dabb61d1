//! Values whose key looks secret: `PASSWORD=x`, `"apiKey": "x"`, `--token x`, `SetCredential=id:x`.

use std::ops::Range;

/// A key that holds one of these is secret.
const HOLDS: [&str; 19] = [
    "passw",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "accesskey",
    "credential",
    "authkey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "presharedkey",
    "bearer",
    "cookie",
    "authorization",
    "webhook",
    "sessionkey",
    "licensekey",
];
/// A key whose last word is one of these is secret.
const LAST: [&str; 13] =
    ["pass", "pwd", "pw", "psk", "pin", "key", "keys", "auth", "salt", "seed", "dsn", "otp", "totp"];
/// What names a place of a secret, not the secret.
const PLACES: [&str; 6] = ["file", "files", "path", "dir", "directory", "command"];
/// No secret is one of these.
const NO_SECRETS: [&str; 9] = ["", "true", "false", "yes", "no", "on", "off", "null", "none"];
/// systemd's keys that look secret and hold names or paths (systemd.exec(5)); what lies there is masked by its place.
const LOADS: [&str; 5] = [
    "LoadCredential",
    "LoadCredentialEncrypted",
    "ImportCredential",
    "ConditionCredential",
    "PassEnvironment",
];

/// The secret values of a text.
pub fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for line in logical_lines(text) {
        let bytes = text.as_bytes();
        let mut at = line.start;
        while at < line.end {
            let len = bytes[at..line.end].iter().take_while(|b| is_key(**b)).count();
            if len > 0 && is_secret(&text[at..at + len]) {
                found.extend(value(text, at..at + len, &line));
            }
            at += len.max(1);
        }
    }
    found
}

/// Lines; one that ends with a backslash goes on.
fn logical_lines(text: &str) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = 0;
    for (i, b) in text.bytes().enumerate() {
        if b == b'\n' && (i == 0 || text.as_bytes()[i - 1] != b'\\') {
            lines.push(start..i);
            start = i + 1;
        }
    }
    lines.push(start..text.len());
    lines
}

fn is_key(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

pub fn is_secret(key: &str) -> bool {
    if LOADS.contains(&key) {
        return false;
    }
    let words = words(key);
    let last = words.last().map(String::as_str).unwrap_or_default();
    if PLACES.contains(&last) || words.iter().any(|w| w == "public") {
        return false;
    }
    let joined = words.concat();
    // `HandlePowerKey`, as systemd writes its own keys.
    let own = last == "key"
        && words.len() > 1
        && joined.len() == key.len()
        && key.as_bytes()[0].is_ascii_uppercase();
    (LAST.contains(&last) && !own) || HOLDS.iter().any(|w| joined.contains(w))
}

/// `DB_apiKey` is `db`, `api`, `key`.
fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for c in key.chars() {
        if !c.is_ascii_alphanumeric() || (c.is_ascii_uppercase() && small) {
            words.push(String::new());
        }
        small = c.is_ascii_lowercase();
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

/// The value of a key, if it has one that may be secret.
fn value(text: &str, key: Range<usize>, line: &Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let before = &bytes[line.start..key.start];
    let quote = before.last().copied().filter(|b| matches!(b, b'"' | b'\''));
    let first = before.iter().all(|b| blank(b) || matches!(b, b'"' | b'\''));
    // A quoted key ends with its quote, perhaps escaped, and blanks may follow.
    let mut at = key.end;
    at += bytes[at..line.end].iter().take_while(|b| matches!(b, b'\\' | b'"' | b'\'')).count();
    let quoted = at > key.end;
    let blanks = bytes[at..line.end].iter().take_while(|b| blank(b)).count();
    at += blanks;
    match bytes.get(at).filter(|_| at < line.end) {
        Some(b'=') => at += 1,
        // A blank before a colon is no mapping: `authorized_keys :0600`.
        Some(b':') if blanks == 0 || quoted => at += 1,
        // `--password x`
        Some(_) if blanks > 0 && bytes[key.start] == b'-' => {}
        _ => return None,
    }
    at += bytes[at..line.end].iter().take_while(|b| blank(b)).count();
    if key_is(text, &key, "SetCredential") || key_is(text, &key, "SetCredentialEncrypted") {
        let id = text[at..line.end].find(':')?;
        return Some(at + id + 1..line.end);
    }
    // In `"KEY=a b"` the quote is the pair's, in `"key": "a"` the key's.
    let quoted_pair = quote.filter(|q| bytes.get(key.end) != Some(q));
    let range = end_of(bytes, at, line.end, quoted_pair, first);
    let plain = text[range.clone()].trim_matches(['"', '\'', ',', ';', ' ']);
    (!NO_SECRETS.contains(&plain.to_ascii_lowercase().as_str())).then_some(range)
}

fn key_is(text: &str, key: &Range<usize>, name: &str) -> bool {
    &text[key.clone()] == name
}

/// Where a value begins and ends: a quoted one with its quote, one within a quoted pair (`"KEY=a b"`) with the pair's,
/// the only one of a line with the line, any other with the next blank.
fn end_of(bytes: &[u8], at: usize, line_end: usize, pair: Option<u8>, whole_line: bool) -> Range<usize> {
    let escaped = bytes.get(at) == Some(&b'\\');
    let open = if escaped { at + 1 } else { at };
    if let Some(quote) = bytes.get(open).copied().filter(|b| open < line_end && matches!(b, b'"' | b'\'')) {
        return open + 1..closing(bytes, open + 1, line_end, quote, escaped);
    }
    if let Some(quote) = pair {
        return at..closing(bytes, at, line_end, quote, false);
    }
    if whole_line {
        return at..line_end;
    }
    let ends = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'');
    at..at + bytes[at..line_end].iter().position(ends).unwrap_or(line_end - at)
}

/// The position of a closing quote, or the end of the line: better too much than half a secret.
fn closing(bytes: &[u8], at: usize, line_end: usize, quote: u8, escaped: bool) -> usize {
    let mut i = at;
    while i < line_end {
        match bytes[i] {
            b'\\' if escaped && bytes.get(i + 1) == Some(&quote) => return i,
            b'\\' => i += 1,
            b if b == quote => return i,
            _ => {}
        }
        i += 1;
    }
    line_end
}
