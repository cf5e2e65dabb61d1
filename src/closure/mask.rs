//! Secrets are never shown, nor written anywhere: each text of a system is masked when it becomes a fact, so that
//! nothing after that (comparison, rendering, JSON, snapshots) has a secret to lose.
//!
//! A changed secret must still show as changed. A digest of a secret in a snapshot would let whoever finds it try
//! passwords against it, and a salt beside it does not help. So the digest ([`Seal`]) is keyed with a random key that
//! lives as long as the process and is never written: two systems read by one process compare exactly, and facts
//! from a snapshot say that their masked values cannot be compared ([`Secrets::NotComparable`]).
//!
//! What is masked: values whose key looks secret, what is named below /run/secrets*, /run/agenix* and
//! /run/credentials, password hashes, private keys, passwords in URLs, and tokens that look random and are no store
//! hash, git revision (40 hex digits) or content hash (64 or 128 hex digits, Nix's base 32, SRI). Too much is masked
//! rather than too little: a masked value that was none costs a reader some context, no more.

mod keys;
mod places;
mod random;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::paths;

/// What stands where a secret stood.
pub const MASKED: &str = "‹masked›";

/// Masks texts. One masker reads everything that is to be compared.
pub struct Masker {
    key: [u8; 32],
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Masker(…)")
    }
}

/// A digest of masked values, comparable only with those of the same [`Masker`]. It is never written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seal([u8; 32]);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(…)")
    }
}

/// A text without its secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Masked {
    /// The text, with [`MASKED`] for each secret.
    pub text: String,
    /// How many values were masked.
    #[serde(default)]
    pub masked: usize,
    #[serde(skip)]
    seal: Option<Seal>,
}

/// What is known of the masked values of two texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Secrets {
    /// They are the same, or there are none.
    #[default]
    Same,
    /// They differ.
    Changed,
    /// At least one text is from a snapshot, which holds nothing of them.
    NotComparable,
}

impl Masker {
    /// With a random key, which must not be used for anything else.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// Takes the secrets out of a text.
    pub fn mask(&self, text: &str) -> Masked {
        self.without(text, &spans(text, keys::Kind::Any))
    }

    /// The same of a file of `/etc`, of which more is taken for a secret.
    pub fn mask_etc(&self, text: &str) -> Masked {
        self.without(text, &spans(text, keys::Kind::Etc))
    }

    fn without(&self, text: &str, spans: &[Range<usize>]) -> Masked {
        if spans.is_empty() {
            return Masked { text: text.to_owned(), masked: 0, seal: None };
        }
        let mut out = String::with_capacity(text.len());
        let mut secrets = Vec::new();
        let mut at = 0;
        for span in spans {
            out.push_str(text.get(at..span.start).unwrap_or_default());
            // With the line before it, so that two values that change places are noticed, and lines that do are not.
            let line = paths::normalised(out.rsplit('\n').next().unwrap_or_default()).into_owned();
            secrets.push((line, text.get(span.clone()).unwrap_or_default()));
            out.push_str(MASKED);
            at = span.end;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        secrets.sort_unstable();
        Masked { text: out, masked: spans.len(), seal: Some(self.seal(&secrets)) }
    }

    /// Seals a value that is a secret as a whole; its text is empty.
    pub fn hide(&self, secret: &str) -> Masked {
        let seal = self.seal(&[(String::new(), secret)]);
        Masked { text: String::new(), masked: 1, seal: Some(seal) }
    }

    fn seal(&self, secrets: &[(String, &str)]) -> Seal {
        let mut digest = Sha256::new().chain_update(self.key);
        for (before, secret) in secrets {
            for part in [before.as_str(), secret] {
                digest.update((part.len() as u64).to_le_bytes());
                digest.update(part);
            }
        }
        Seal(digest.finalize().into())
    }
}

impl Masked {
    /// The same with a SHA-256 in the text's place, of the masked text with its store hashes normalised: it tells
    /// whether the text changed, and holds nothing of what was masked.
    #[must_use]
    pub fn digested(self) -> Self {
        let digest = Sha256::digest(paths::normalised(&self.text).as_bytes());
        Self { text: crate::model::text::hex(&digest), ..self }
    }

    /// Whether the masked values of two texts differ.
    pub fn secrets(&self, other: &Self) -> Secrets {
        match (self.masked, other.masked, self.seal, other.seal) {
            (0, 0, ..) => Secrets::Same,
            (0, ..) | (_, 0, ..) => Secrets::Changed,
            (_, _, Some(a), Some(b)) if a == b => Secrets::Same,
            (_, _, Some(_), Some(_)) => Secrets::Changed,
            _ => Secrets::NotComparable,
        }
    }
}

/// `text`, the value of `key`, with what may be a secret masked: all of it if the key says so.
pub fn value<'a>(key: &str, text: &'a str) -> Cow<'a, str> {
    if keys::is_secret(key) && !text.is_empty() {
        return Cow::Borrowed(MASKED);
    }
    let mut out = text.to_owned();
    let spans = spans(text, keys::Kind::Any);
    if spans.is_empty() {
        return Cow::Borrowed(text);
    }
    for span in spans.into_iter().rev() {
        out.replace_range(span, MASKED);
    }
    Cow::Owned(out)
}

/// Several texts as one, to be masked as one: `--password` and what follows it are two. A text with blanks that may be
/// a secret is quoted, so that all of it is its key's value.
pub fn joined<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let mut out = String::new();
    let mut after_key = false;
    for text in texts {
        let text = text.as_ref();
        let head = text.split(['=', ':']).next().unwrap_or_default().trim();
        let quoted = text.contains(char::is_whitespace) && (after_key || keys::is_secret(head));
        let blank = if out.is_empty() { "" } else { " " };
        out.push_str(blank);
        out.push_str(&if quoted { Cow::Owned(format!("{text:?}")) } else { Cow::Borrowed(text) });
        after_key = keys::is_secret(text);
    }
    out
}

/// Where the secrets of a text are: in order, not overlapping, never empty.
fn spans(text: &str, kind: keys::Kind) -> Vec<Range<usize>> {
    let mut all = keys::find(text, kind);
    all.extend(places::find(text));
    all.extend(random::find(text));
    all.retain(|s| s.start < s.end);
    all.sort_unstable_by_key(|s| (s.start, s.end));
    let mut merged: Vec<Range<usize>> = Vec::new();
    for span in all {
        match merged.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}

#[cfg(test)]
mod tests;
