//! Secrets that are known by how or where they stand: below the directories of secrets, password hashes, private keys,
//! passwords in URLs.

use std::ops::Range;

/// Below directories whose names begin so, every name is masked: sops-nix and agenix (also `/run/secrets.d`,
/// `/run/secrets-for-users`, `/run/agenix.d`), and systemd's credentials.
const SECRET_DIRS: [&str; 3] = ["/run/secrets", "/run/agenix", "/run/credentials"];
/// Identifiers of password hashes (crypt(5), and what other programs add to them).
const HASHES: [&str; 25] = [
    "1",
    "2",
    "2a",
    "2b",
    "2x",
    "2y",
    "5",
    "6",
    "7",
    "8",
    "9",
    "14",
    "y",
    "gy",
    "sha1",
    "md5",
    "apr1",
    "P",
    "H",
    "argon2i",
    "argon2d",
    "argon2id",
    "scrypt",
    "bcrypt-sha256",
    "pbkdf2-sha512",
];

/// The secrets of a text.
pub fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for dir in SECRET_DIRS {
        found.extend(text.match_indices(dir).filter_map(|(at, _)| below(text, at + dir.len())));
    }
    found.extend(text.match_indices('$').filter_map(|(at, _)| password_hash(text, at)));
    found.extend(text.match_indices("://").filter_map(|(at, _)| url_password(text, at + 3)));
    found.extend(text.match_indices("eyJ").filter_map(|(at, _)| web_token(text, at)));
    found.extend(private_keys(text));
    found
}

/// A JSON web token: base 64 of `{"…`, and parts after dots (RFC 7519).
fn web_token(text: &str, at: usize) -> Option<Range<usize>> {
    let is = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let len = text[at..].find(|c| !is(c)).unwrap_or(text.len() - at);
    text[at..at + len].contains('.').then_some(at..at + len)
}

/// How far a word goes: to a blank, a quote or a bracket.
fn word(text: &str) -> usize {
    text.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ')' | ']' | '}' | '<' | '>'))
        .unwrap_or(text.len())
}

fn below(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = &text[at..];
    let name = rest.find('/')?;
    let end = word(rest);
    (name < end).then_some(at + name + 1..at + end)
}

/// `$6$salt$hash`; systemd wants dollars doubled.
fn password_hash(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = text[at..].trim_start_matches('$');
    let id = rest.split('$').next().filter(|id| HASHES.contains(id))?;
    let hash = |c: char| c.is_ascii_alphanumeric() || "./+=,$-_".contains(c);
    let len = rest.find(|c| !hash(c)).unwrap_or(rest.len());
    let start = at + text[at..].len() - rest.len();
    (rest[..len].contains('$') && len >= id.len() + 8).then_some(start..start + len)
}

/// The password of `//user:password@host`.
fn url_password(text: &str, at: usize) -> Option<Range<usize>> {
    let authority = &text[at..at + word(&text[at..])];
    let colon = authority.find([':', '/', '@']).filter(|i| authority[*i..].starts_with(':'))?;
    let rest = &authority[colon + 1..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    // `host:8080/@scope` has a port, not a password.
    if rest[digits..].starts_with('/') {
        return None;
    }
    // A password may hold an @ that nobody escaped: the last one before the path counts, else the first one at all.
    let host = rest
        .find('/')
        .and_then(|end| rest[..end].rfind('@'))
        .or_else(|| if rest.contains('/') { rest.find('@') } else { rest.rfind('@') })?;
    Some(at + colon + 1..at + colon + 1 + host)
}

/// Whole PEM blocks; one without an end goes to the end of the text.
fn private_keys(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(begin) = text[at..].find("-----BEGIN ").map(|i| at + i) {
        let label = &text[begin + 11..];
        let label_end = label.find("-----").unwrap_or(label.len());
        at = begin + 11;
        if !label[..label_end].contains("PRIVATE KEY") {
            continue;
        }
        let end = text[at..].find("-----END ").map_or(text.len(), |i| at + i);
        found.push(begin..end);
        at = end;
    }
    found
}
