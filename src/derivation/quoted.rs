//! A string of a `.drv` file.

use std::borrow::Cow;

/// A string as it stands in the file, without its quotes but with its escapes (`\"`, `\\`, `\n`, `\r`, `\t`). Nix
/// writes each string in one way only, so that equal bytes here are equal strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quoted<'a>(&'a [u8]);

impl<'a> Quoted<'a> {
    /// From the bytes between the quotes.
    pub(super) fn new(raw: &'a [u8]) -> Self {
        Self(raw)
    }

    /// As it stands in the file.
    pub fn raw(self) -> &'a [u8] {
        self.0
    }

    /// Whether it is the empty string.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// What it means: escapes undone. It need not be UTF-8.
    pub fn bytes(self) -> Cow<'a, [u8]> {
        if !self.0.contains(&b'\\') {
            return Cow::Borrowed(self.0);
        }
        let mut out = Vec::with_capacity(self.0.len());
        let mut bytes = self.0.iter();
        while let Some(&b) = bytes.next() {
            out.push(match b {
                b'\\' => match bytes.next() {
                    Some(b'n') => b'\n',
                    Some(b'r') => b'\r',
                    Some(b't') => b'\t',
                    Some(&other) => other,
                    None => b'\\',
                },
                other => other,
            });
        }
        Cow::Owned(out)
    }

    /// What it means, for people: what is not UTF-8 is replaced.
    pub fn text(self) -> Cow<'a, str> {
        match self.bytes() {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Cow::Owned(text),
                Err(e) => Cow::Owned(String::from_utf8_lossy(e.as_bytes()).into_owned()),
            },
        }
    }
}

impl PartialEq<str> for Quoted<'_> {
    fn eq(&self, other: &str) -> bool {
        *self.bytes() == *other.as_bytes()
    }
}

impl PartialEq<&str> for Quoted<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}
