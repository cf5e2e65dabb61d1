//! A place in a `.drv` file, which moves forward over what Nix's terms are made of.

use thiserror::Error;

use super::quoted::Quoted;

/// Why a file is not a derivation.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a derivation: {expected} was expected at byte {at}")]
pub struct ParseError {
    /// Where, in bytes from the start.
    pub at: usize,
    /// What should have been there.
    pub expected: &'static str,
}

/// Where a string lies in the file, without its quotes. Bytes from the start; files are below 4 GiB.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(super) fn of(self, text: &[u8]) -> Quoted<'_> {
        Quoted::new(text.get(self.start as usize..self.end as usize).unwrap_or_default())
    }
}

#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Result<Self, ParseError> {
        let cursor = Self { text, at: 0 };
        if u32::try_from(text.len()).is_err() {
            return Err(cursor.error("a file below 4 GiB"));
        }
        Ok(cursor)
    }

    pub(super) fn error(&self, expected: &'static str) -> ParseError {
        ParseError { at: self.at, expected }
    }

    pub(super) fn quote(&self, span: Span) -> Quoted<'a> {
        span.of(self.text)
    }

    /// Bytes from the start.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(super) fn at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// Moves over these bytes if they are next.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let next = self.text[self.at..].starts_with(word.as_bytes());
        if next {
            self.at += word.len();
        }
        next
    }

    pub(super) fn expect(&mut self, word: &'static str) -> Result<(), ParseError> {
        if self.take(word) { Ok(()) } else { Err(self.error(word)) }
    }

    /// A string in quotes.
    pub(super) fn string(&mut self) -> Result<Span, ParseError> {
        self.expect("\"")?;
        let start = self.at;
        let mut at = start;
        loop {
            let rest = self.text.get(at..).unwrap_or_default();
            let Some(found) = memchr::memchr2(b'"', b'\\', rest) else {
                return Err(self.error("the end of a string"));
            };
            at += found;
            if self.text[at] == b'"' {
                break;
            }
            at += 2;
        }
        self.at = at + 1;
        let small = |n| u32::try_from(n).map_err(|_| self.error("a file below 4 GiB"));
        Ok(Span { start: small(start)?, end: small(at)? })
    }

    /// A list in brackets; `each` takes one element.
    pub(super) fn list(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        self.expect("[")?;
        if self.take("]") {
            return Ok(());
        }
        loop {
            each(self)?;
            if self.take("]") {
                return Ok(());
            }
            self.expect(",")?;
        }
    }

    /// A list of strings.
    pub(super) fn strings(&mut self, into: &mut Vec<Span>) -> Result<(), ParseError> {
        self.list(|c| {
            into.push(c.string()?);
            Ok(())
        })
    }

    /// The same, with nothing kept.
    pub(super) fn skip_strings(&mut self) -> Result<(), ParseError> {
        self.list(|c| c.string().map(drop))
    }

    /// What opens a derivation; whether dynamic inputs may follow.
    pub(super) fn opening(&mut self) -> Result<bool, ParseError> {
        if self.take("Derive(") {
            return Ok(false);
        }
        if self.take("DrvWithVersion(\"xp-dyn-drv\",") {
            return Ok(true);
        }
        Err(self.error("Derive( or DrvWithVersion(\"xp-dyn-drv\","))
    }

    /// Four strings in parentheses: an output.
    pub(super) fn output(&mut self) -> Result<[Span; 4], ParseError> {
        self.expect("(")?;
        let name = self.string()?;
        self.expect(",")?;
        let path = self.string()?;
        self.expect(",")?;
        let algorithm = self.string()?;
        self.expect(",")?;
        let hash = self.string()?;
        self.expect(")")?;
        Ok([name, path, algorithm, hash])
    }

    /// Two strings in parentheses: a variable.
    pub(super) fn variable(&mut self) -> Result<(Span, Span), ParseError> {
        self.expect("(")?;
        let key = self.string()?;
        self.expect(",")?;
        let value = self.string()?;
        self.expect(")")?;
        Ok((key, value))
    }

    /// The outputs of an input, `[outs]`, or `([outs],[(out,…)…])` where `dynamic`: outputs of what that output
    /// is itself a derivation of. The outer ones go to `into`; the span is all of it where it is dynamic.
    pub(super) fn input_outputs(
        &mut self,
        into: &mut Vec<Span>,
        dynamic: bool,
    ) -> Result<Option<Span>, ParseError> {
        if !(dynamic && self.peek() == Some(b'(')) {
            self.strings(into)?;
            return Ok(None);
        }
        let start = self.at;
        self.expect("(")?;
        self.strings(into)?;
        self.expect(",")?;
        self.inner_outputs(MAX_DEPTH)?;
        self.expect(")")?;
        let small = |n| u32::try_from(n).map_err(|_| self.error("a file below 4 GiB"));
        Ok(Some(Span { start: small(start)?, end: small(self.at)? }))
    }

    fn inner_outputs(&mut self, depth: usize) -> Result<(), ParseError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.error("at most 64 dynamic derivations in each other"));
        };
        self.list(|c| {
            c.expect("(")?;
            c.string()?;
            c.expect(",")?;
            if c.take("(") {
                c.skip_strings()?;
                c.expect(",")?;
                c.inner_outputs(depth)?;
                c.expect(")")?;
            } else {
                c.skip_strings()?;
            }
            c.expect(")")
        })
    }
}

/// How deep dynamic derivations may lie in each other: no file can make the stack overflow.
const MAX_DEPTH: usize = 64;
