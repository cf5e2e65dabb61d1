//! An output of a derivation.

use serde::{Deserialize, Serialize};

use super::quoted::Quoted;

/// One output, as its four strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output<'a> {
    /// `out`, `dev`, …
    pub name: Quoted<'a>,
    /// Its store path; empty where only the build tells.
    pub path: Quoted<'a>,
    /// `sha256`, `r:sha256` (recursive), …; empty where the path comes from the inputs.
    pub algorithm: Quoted<'a>,
    /// The content's hash in hexadecimal, or `impure`, or empty.
    pub hash: Quoted<'a>,
}

/// What decides an output's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OutputKind {
    /// All that goes in.
    InputAddressed,
    /// Its content, which is known before (a download).
    Fixed,
    /// Its content, which only the build tells.
    Floating,
    /// The inputs, one of which is floating.
    Deferred,
    /// Its content, built anew each time.
    Impure,
}

impl Output<'_> {
    /// What decides its path.
    pub fn kind(&self) -> OutputKind {
        match (self.path.is_empty(), self.algorithm.is_empty(), self.hash.is_empty()) {
            (_, _, false) if self.hash == "impure" => OutputKind::Impure,
            (_, _, false) => OutputKind::Fixed,
            (_, false, true) => OutputKind::Floating,
            (true, true, true) => OutputKind::Deferred,
            (false, true, true) => OutputKind::InputAddressed,
        }
    }
}
