//! Store paths in texts, replaced by words that are the same on both sides.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::model::store_path::{HASH_LEN, STORE_DIR, is_base32, is_name_byte};

/// What replaces the store paths of one side of a pair.
#[derive(Debug, Default)]
pub(super) struct Normal {
    /// Output paths of its own → `$out`.
    own: Vec<(String, String)>,
    /// Names of inputs that were paired with one of another name → a word for both.
    names: HashMap<String, String>,
    /// Whether outputs may be named by placeholders, since their paths are not known.
    pub(super) placeholders: bool,
}

impl Normal {
    /// One of its own output paths is called by the output's name.
    pub(super) fn own(&mut self, path: &str, output: &str) {
        self.own.push((path.to_owned(), format!("${output}")));
    }

    /// An input's name stands for `word`.
    pub(super) fn name(&mut self, name: String, word: String) {
        self.names.insert(name, word);
    }

    /// `text` with each store path replaced: its own outputs by `$out`, paired inputs by their word, any other by
    /// its name. Placeholders (`/` and 52 digits) become `/placeholder`.
    pub(super) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(STORE_DIR) {
            let path = &rest[at..];
            let Some(name) = name_of(path) else {
                out.push_str(&rest[..at + STORE_DIR.len()]);
                rest = &path[STORE_DIR.len()..];
                continue;
            };
            let end = STORE_DIR.len() + 1 + HASH_LEN + 1 + name.len();
            out.push_str(&rest[..at]);
            out.push_str(self.word(&path[..end], name));
            rest = &path[end..];
        }
        let out = if rest.len() == text.len() {
            Cow::Borrowed(text)
        } else {
            out.push_str(rest);
            Cow::Owned(out)
        };
        if self.placeholders { Cow::Owned(without_placeholders(&out)) } else { out }
    }

    fn word<'a>(&'a self, path: &str, name: &'a str) -> &'a str {
        if let Some((_, own)) = self.own.iter().find(|(p, _)| p == path) {
            return own;
        }
        if self.names.is_empty() { name } else { self.names.get(name).map_or(name, String::as_str) }
    }
}

/// The name in the store path that `text` starts with; `/nix/store/` alone starts none.
fn name_of(text: &str) -> Option<&str> {
    let base = text.get(STORE_DIR.len()..)?.strip_prefix('/')?;
    let (hash, rest) = base.split_at_checked(HASH_LEN)?;
    let rest = rest.strip_prefix('-').filter(|_| hash.bytes().all(is_base32))?;
    let end = rest.bytes().position(|b| !is_name_byte(b)).unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}

/// Digits of a placeholder: a SHA-256 in base 32.
const PLACEHOLDER: usize = 52;

fn without_placeholders(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('/') {
        let digits = rest[at + 1..].bytes().take_while(|b| is_base32(*b)).count();
        out.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        if digits == PLACEHOLDER {
            out.push_str("placeholder");
            rest = &rest[digits..];
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_words() {
        let mut normal = Normal::default();
        let hash = "a".repeat(32);
        normal.own(&format!("/nix/store/{hash}-web-1"), "out");
        normal.name("zlib-1.2-dev".to_owned(), "zlib-dev".to_owned());
        for (text, expected) in [
            ("/nix/store/H-web-1/bin", "$out/bin"),
            ("-I/nix/store/H-zlib-1.2-dev/include:/nix/store/H-x", "-Izlib-dev/include:x"),
            ("/nix/store/H", "/nix/store/H"),
            ("/nix/store /nix/store/é", "/nix/store /nix/store/é"),
            ("no path", "no path"),
        ] {
            let with = |t: &str| t.replace('H', &hash);
            assert_eq!(normal.text(&with(text)), with(expected));
        }
    }

    #[test]
    fn placeholders_go_where_there_may_be_some() {
        let text = format!("/{}/bin /{}", "1".repeat(52), "1".repeat(51));
        let mut normal = Normal::default();
        assert_eq!(normal.text(&text), text);
        normal.placeholders = true;
        assert_eq!(normal.text(&text), format!("/placeholder/bin /{}", "1".repeat(51)));
    }
}
