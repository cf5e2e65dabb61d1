//! Values whose key looks secret: `PASSWORD=x`, `"apiKey": "x"`, `--token x`, `SetCredential=id:x`.

use std::ops::Range;

/// A key that holds one of these is secret.
const HOLDS: [&str; 22] = [
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
    "privkey",
    "passkey",
    "cryptkey",
];
/// A key whose last word is one of these is secret.
const LAST: [&str; 14] = [
    "pass", "pw", "psk", "pin", "key", "keys", "auth", "salt", "seed", "dsn", "otp", "totp", "cred", "creds",
];
/// A key whose last word ends with one of these is secret: `DBPASS`, `BINDPW`, `masterauth`.
const ENDS: [&str; 4] = ["pass", "pwd", "pw", "auth"];
/// Words that end so and mean something else.
const NO_ENDS: [&str; 6] = ["bypass", "compass", "encompass", "surpass", "trespass", "multipass"];
/// A key of which any word is this is secret.
const WORD: &str = "pwd";
/// After these words come a key and its value: `makeWrapper --set KEY x`, `bwrap --setenv KEY x`.
const SETS: [&str; 4] = ["--set", "--set-default", "--setenv", "setenv"];
/// After these comes `user:password` (curl(1)).
const USERS: [&str; 4] = ["-u", "--user", "-U", "--proxy-user"];
/// Programs that take a password with `-p`, as one word.
const WITH_P: [&str; 8] =
    ["mysql", "mysqldump", "mysqladmin", "mysqlcheck", "mariadb", "mariadb-dump", "mariadb-admin", "mytop"];
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

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A unit, a script, a command line, a value.
    Any,
    /// A file of `/etc`: there a blank after a key that begins a line is enough (`password x` of msmtprc).
    Etc,
}

/// PAM's words after `auth` and `password` (pam.conf(5)).
const PAM: [&str; 6] = ["required", "requisite", "sufficient", "optional", "include", "substack"];

/// The secret values of a text.
pub fn find(text: &str, kind: Kind) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for line in logical_lines(text) {
        let bytes = text.as_bytes();
        let mut at = line.start;
        while at < line.end {
            let len = bytes[at..line.end].iter().take_while(|b| is_key(**b)).count();
            let key = text.get(at..at + len).unwrap_or_default();
            if is_secret(key) {
                found.extend(value(text, at..at + len, &line, kind));
            } else if USERS.contains(&key) {
                found.extend(password_of_user(text, at..at + len, &line));
            } else if key.starts_with("-p") && !key.starts_with("--") {
                found.extend(password_of_program(text, at, &line));
            }
            at += len.max(1);
        }
    }
    found
}

/// Lines; one that ends with a backslash goes on, and comments do not end it (systemd.syntax(7)).
fn logical_lines(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut lines = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(end) = text[at..].find('\n').map(|i| at + i) {
        at = end + 1;
        if end > start && bytes[end - 1] == b'\\' {
            at = past_comments(bytes, at, bytes.len());
        } else {
            lines.push(start..end);
            start = at;
        }
    }
    lines.push(start..text.len());
    lines
}

/// Past lines that are comments.
fn past_comments(bytes: &[u8], mut at: usize, end: usize) -> usize {
    loop {
        let first = at + bytes[at..end].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        if !matches!(bytes.get(first), Some(b'#' | b';')) || first >= end {
            return at;
        }
        at = bytes[first..end].iter().position(|b| *b == b'\n').map_or(end, |i| first + i + 1);
    }
}

/// Past blanks, where a line goes on too.
fn past_blanks(bytes: &[u8], mut at: usize, end: usize) -> usize {
    while at < end {
        match bytes[at] {
            b' ' | b'\t' => at += 1,
            b'\\' if goes_on(bytes, at) => at = past_comments(bytes, at + 2, end),
            _ => break,
        }
    }
    at
}

/// Whether there is the backslash that continues a line.
fn goes_on(bytes: &[u8], at: usize) -> bool {
    bytes[at..].starts_with(b"\\\n")
}

fn is_key(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

pub fn is_secret(key: &str) -> bool {
    if key.is_empty() || LOADS.contains(&key) {
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
    let ends = ENDS.iter().any(|end| last.ends_with(end)) && !NO_ENDS.contains(&last);
    ((LAST.contains(&last) || ends) && !own)
        || words.iter().any(|w| w == WORD)
        || HOLDS.iter().any(|w| joined.contains(w))
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
fn value(text: &str, key: Range<usize>, line: &Range<usize>, kind: Kind) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let before = &bytes[line.start..key.start];
    let quote = before.last().copied().filter(|b| matches!(b, b'"' | b'\''));
    let first = before.iter().all(|b| matches!(b, b' ' | b'\t' | b'"' | b'\''));
    // `--password x`
    let blank_is_enough = bytes[key.start] == b'-'
        || is_set(&text[line.start..key.start])
        || (kind == Kind::Etc && blank_assigns(text, &key, line, first));
    let at = start_of(bytes, &key, line, blank_is_enough)?;
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

/// Where the value of a key begins.
fn start_of(bytes: &[u8], key: &Range<usize>, line: &Range<usize>, blank_is_enough: bool) -> Option<usize> {
    let mut at = key.end;
    // A quoted key ends with its quote, perhaps escaped, and blanks may follow.
    while at < line.end && matches!(bytes[at], b'\\' | b'"' | b'\'') && !goes_on(bytes, at) {
        at += 1;
    }
    let (quoted, blanks) = (at > key.end, at);
    at = past_blanks(bytes, at, line.end);
    let blanks = at > blanks;
    match bytes.get(at).filter(|_| at < line.end) {
        Some(b'=') => at += 1,
        // A blank before a colon is no mapping: `authorized_keys :0600`.
        Some(b':') if !blanks || quoted => at += 1,
        Some(_) if blanks && blank_is_enough => {}
        _ => return None,
    }
    Some(past_blanks(bytes, at, line.end))
}

/// Whether a key of a file of `/etc` may have its value after a blank: at the start of a line, or in an entry of netrc(5).
fn blank_assigns(text: &str, key: &Range<usize>, line: &Range<usize>, first: bool) -> bool {
    let after = text[key.end..line.end].split_whitespace().next().unwrap_or_default();
    let pam = PAM.contains(&after) || after.starts_with('[');
    (first && !pam) || (key_is(text, key, "password") && text[line.start..key.start].contains("login "))
}

/// Whether what stands before a key says that its value comes next.
fn is_set(before: &str) -> bool {
    let word = before.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\'));
    let word = word.rsplit(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')).next();
    word.is_some_and(|w| SETS.contains(&w))
}

/// The password of `-u user:password`; `1000:100` has none.
fn password_of_user(text: &str, key: Range<usize>, line: &Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let at = start_of(bytes, &key, line, true)?;
    let all = end_of(bytes, at, line.end, None, false);
    let (user, password) = text[all.clone()].split_once(':')?;
    let no_password = password.bytes().all(|b| b.is_ascii_digit()) || user.starts_with('+');
    (!no_password).then(|| all.start + user.len() + 1..all.end)
}

/// The password of `sshpass -p x`, `sshpass -px` and `mysql -px`; `mysql -p x` asks for it, and `x` is a database.
fn password_of_program(text: &str, option: usize, line: &Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let blank = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '=' | ';' | '|' | '&' | '(' | '\\');
    let before = || text[line.start..option].rsplit(blank).filter(|w| !w.is_empty());
    let program =
        |word: &str| word.trim_start_matches(['-', '@', '+', '!', ':']).rsplit('/').next().map(str::to_owned);
    // Options of the command that sshpass starts come after its name.
    let sshpass = before().find(|w| !w.starts_with('-')).and_then(program).is_some_and(|w| w == "sshpass");
    let client = || before().filter_map(program).any(|w| WITH_P.contains(&w.as_str()));
    let at = option + 2;
    let attached = at < line.end && !bytes[at].is_ascii_whitespace() && !goes_on(bytes, at);
    let value = if attached { at } else { past_blanks(bytes, at, line.end) };
    (sshpass || (attached && client())).then(|| end_of(bytes, value, line.end, None, false))
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
    // A shell joins a word that a continued line cuts.
    let ends = |i: &usize| match bytes[*i] {
        b'\n' => bytes[*i - 1] != b'\\',
        b => b.is_ascii_whitespace() || matches!(b, b'"' | b'\''),
    };
    at..(at..line_end).find(ends).unwrap_or(line_end)
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
