//! Everything that is said of two systems: what `nqd diff --json` prints (docs/FORMATS.md).

use serde::{Deserialize, Serialize};

use super::ClosureDiff;
use super::system;
use crate::model::StorePath;

/// The version of [`Comparison`].
pub const VERSION: u32 = 1;

/// Two systems compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// [`VERSION`].
    pub version: u32,
    /// The old one.
    pub old: Side,
    /// The new one.
    pub new: Side,
    /// Packages and sizes.
    pub packages: ClosureDiff,
    /// Everything else that makes a system: units, files, users, ports.
    pub system: system::Comparison,
    /// What a person should know about how this was found out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// How it was named: `generation 12`, `./result`, `.#web`, `what web runs`.
    pub named: String,
    /// Its path.
    pub path: StorePath,
}

impl Comparison {
    /// Whether there is any difference.
    pub fn is_empty(&self) -> bool {
        self.packages.is_empty()
    }
}
