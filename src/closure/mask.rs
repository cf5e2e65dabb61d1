//! Secrets in what is shown.

use std::borrow::Cow;

/// What stands for a secret.
pub const HIDDEN: &str = "***";

/// `text`, the value of `key`, with what may be a secret hidden: all of it if the key says so, else the value of
/// each `password=…`, the password of each URL, and words that look random and are no store hash, git revision, UUID
/// or content hash. Rather too much than too little.
pub fn value<'a>(key: &str, text: &'a str) -> Cow<'a, str> {
    if is_secret_key(key) && !text.is_empty() {
        return Cow::Borrowed(HIDDEN);
    }
    let mut out = String::new();
    let mut next = Next::Shown;
    let mut before = "";
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        out.push_str(&match next {
            _ if word.is_empty() => Cow::Borrowed(word),
            Next::Shown => shown(word),
            Next::Word | Next::Line => Cow::Borrowed(HIDDEN),
        });
        out.push_str(&piece[word.len()..]);
        if !word.is_empty() {
            next = if next == Next::Line { next } else { after(before, word) };
            before = word;
        }
        if piece.ends_with('\n') {
            (next, before) = (Next::Shown, "");
        }
    }
    if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) }
}

/// What comes after a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Shown,
    /// One word that is a secret.
    Word,
    /// A secret to the end of the line.
    Line,
}

/// After `--password`, one word is a secret; after `password:` and `password =` the rest of the line.
fn after(before: &str, word: &str) -> Next {
    let key = if matches!(word, "=" | ":") { Some(before) } else { word.strip_suffix([':', '=']) };
    match key {
        Some(key) if is_secret_key(key) => Next::Line,
        None if word.starts_with('-') && !word.contains('=') && is_secret_key(word) => Next::Word,
        _ => Next::Shown,
    }
}

/// Whether what has this name is a secret: `DB_PASSWORD`, `api-key`, `accessToken`; not `passwordFile`, `publicKey`.
fn is_secret_key(key: &str) -> bool {
    let mut words = String::with_capacity(key.len() + 8);
    let mut small = false;
    for c in key.chars() {
        if c.is_uppercase() && small {
            words.push(' ');
        }
        small = c.is_lowercase() || c.is_numeric();
        words.push(if c.is_alphanumeric() { c.to_ascii_lowercase() } else { ' ' });
    }
    let harmless = ["file", "path", "files", "dir", "command"];
    let mut last = words.split_whitespace();
    if last.next_back().is_some_and(|w| harmless.contains(&w)) || words.contains("public") {
        return false;
    }
    let joined = ["password", "passwd", "passphrase", "secret", "credential", "apikey", "privatekey"];
    let single = ["token", "tokens", "key", "keys", "pass", "pwd", "psk", "auth"];
    joined.iter().any(|w| words.contains(w)) || words.split_whitespace().any(|w| single.contains(&w))
}

fn shown(word: &str) -> Cow<'_, str> {
    if let Some((key, value)) = word.split_once(['=', ':'])
        && !value.is_empty()
        && !value.starts_with("//")
        && is_secret_key(key)
    {
        return Cow::Owned(format!("{}{HIDDEN}", &word[..=key.len()]));
    }
    if let Some((scheme, rest)) = word.split_once("://")
        && let Some((user, host)) = rest.split('/').next().and_then(|authority| authority.rsplit_once('@'))
    {
        let name = user.split(':').next().unwrap_or_default();
        let end = scheme.len() + "://".len() + user.len() + "@".len() + host.len();
        return Cow::Owned(format!("{scheme}://{name}:{HIDDEN}@{host}{}", &word[end..]));
    }
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-');
    let parts = || word.split_inclusive(|c| !part(c));
    if !parts().any(|p| is_random(p.trim_end_matches(|c| !part(c)))) {
        return Cow::Borrowed(word);
    }
    let hide = |p: &str| {
        let token = p.trim_end_matches(|c| !part(c));
        if is_random(token) { format!("{HIDDEN}{}", &p[token.len()..]) } else { p.to_owned() }
    };
    Cow::Owned(parts().map(hide).collect())
}

/// Whether it looks like random digits: long, and letters, capitals and figures change places as chance would have it.
fn is_random(token: &str) -> bool {
    if token.len() < 20 || is_hash(token) {
        return false;
    }
    let class = |b: u8| match b {
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        b'0'..=b'9' => 3,
        _ => 0,
    };
    let pairs = || token.as_bytes().windows(2).map(|w| (class(w[0]), class(w[1])));
    let changes = pairs().filter(|(a, b)| *a != 0 && *b != 0 && a != b).count();
    let figures = pairs().filter(|(a, b)| *a != 0 && *b != 0 && (*a == 3) != (*b == 3)).count();
    changes * 4 >= token.len() && figures >= 2
}

/// Hashes that are no secret: git revisions, sha256 and sha512 in hexadecimal, base 32 or SRI, store hashes, UUIDs.
fn is_hash(token: &str) -> bool {
    if ["sha256-", "sha512-", "sha1-"].iter().any(|p| token.starts_with(p)) {
        return true;
    }
    let hexadecimal = |t: &str| t.bytes().all(|b| b.is_ascii_hexdigit());
    let base32 = |t: &str| t.bytes().all(crate::model::store_path::is_base32);
    let name = token.rsplit('/').next().unwrap_or_default();
    let store =
        name.split_once('-').is_some_and(|(hash, name)| hash.len() == 32 && base32(hash) && !is_random(name));
    let uuid = name.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && hexadecimal(&name.replace('-', ""));
    let digits = token.len();
    store
        || uuid
        || ([40, 64, 128].contains(&digits) && hexadecimal(token))
        || ([52, 103].contains(&digits) && base32(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden() {
        for (key, text, shown) in [
            ("DB_PASSWORD", "hunter2", "***"),
            ("accessToken", "x", "***"),
            ("script", "curl --token hunter2 x", "curl --token *** x"),
            ("script", "PASSWORD=hunter2 run", "PASSWORD=*** run"),
            ("text", "password: hunter2\nx y\n", "password: ***\nx y\n"),
            ("text", "  password = \"correct horse\";\nx", "  password = *** ***\nx"),
            ("text", "{\"token\":\"abc\"}", "{\"token\":***"),
            ("url", "https://me:hunter2@example.org/x", "https://me:***@example.org/x"),
            ("text", "x = \"vN3kQ9zLw2Rt7YpX4mBc8JdF\";", "x = \"***\";"),
            ("wireguard", "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=", "***"),
        ] {
            assert_eq!(value(key, text), shown, "{key}");
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for (key, text) in [
            ("passwordFile", "/run/secrets/db"),
            ("trusted-public-keys", "short"),
            ("keyboard", "us"),
            ("rev", "b1946ac92492d2347c6235b4d2611184d2611184"),
            ("hash", "sha256-yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="),
            ("src", "/nix/store/vakjsx50nwzqhr3axzyw5c2b7k3fwy1p-source"),
            ("outputHash", "0ssi1wpaf7plaswqqjwigppsg5fyh99vdlb9kzl7c9lng89ndq1i"),
            ("fs", "/dev/disk/by-uuid/0a1b2c3d-1a2b-3c4d-5e6f-0a1b2c3d4e5f"),
            (
                "flags",
                "--enable-languages=c,c++ -DCMAKE_INSTALL_RPATH_USE_LINK_PATH=ON x86_64-unknown-linux-gnu",
            ),
        ] {
            assert_eq!(value(key, text), text, "{key}");
        }
    }
}
