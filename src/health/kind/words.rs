//! What several kinds ask of a word in the manifest. Each says what is wrong with it, if anything.

use std::path::Path;

use regex_lite::Regex;

/// A path that starts with `/`.
pub(super) fn absolute(field: &str, path: &Path) -> Option<String> {
    (!path.is_absolute()).then(|| format!("{field} {} is not absolute", path.display()))
}

/// A regular expression, if there is one.
pub(super) fn regex(field: &str, regex: Option<&str>) -> Option<String> {
    regex.and_then(|r| Regex::new(r).err()).map(|e| format!("{field} is not a regular expression: {e}"))
}

/// `http://…` or `https://…` with a host and without blanks.
pub(super) fn url(url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let odd = rest.is_none_or(|r| r.is_empty() || r.starts_with('/')) || url.contains(char::is_whitespace);
    odd.then(|| format!("url {url:?} is not http://… or https://…"))
}

/// A name that a program gets as an argument: letters, digits and `. _ -`, and it is no option.
pub(super) fn plain(field: &str, name: &str) -> Option<String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let plain = !name.is_empty() && name.len() <= 100 && !name.starts_with('-') && name.bytes().all(fits);
    (!plain).then(|| {
        format!("{field} {name:?} is not a name: up to 100 letters, digits and . _ -, and no - at its start")
    })
}

/// A part of a hundred.
pub(super) fn percent(field: &str, value: u8) -> Option<String> {
    (value > 100).then(|| format!("{field} is a percentage: at most 100"))
}

/// A port that something can listen on.
pub(super) fn port(port: u16) -> Option<String> {
    (port == 0).then(|| "port must not be 0".to_owned())
}
