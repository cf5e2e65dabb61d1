//! The answer.

use serde::Serialize;

use super::change::Change;
use super::graph::Graph;
use crate::model::StorePath;

/// Why two derivations differ.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// The old derivation.
    pub old: StorePath,
    /// The new derivation.
    pub new: StorePath,
    /// Root causes, those that explain most first.
    pub roots: Vec<Cause>,
    /// Pairs of derivations that differ: what is built or downloaded anew.
    pub differing: usize,
    /// Those of them in which nothing changed but inputs.
    pub cascades: usize,
    /// Derivations that are not there any more: what changed in or below them is not known.
    pub absent: Vec<StorePath>,
    /// What a reader of this should know, in sentences.
    pub notes: Vec<String>,
    /// Pairs that differ, for questions about one package.
    #[serde(skip)]
    pub(super) graph: Graph,
}

/// A pair of derivations in which something changed by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// The package's name: `pname`, else from the derivation's name. The new one where they differ.
    pub name: String,
    /// Its version before; none if it has none.
    pub old: Option<String>,
    /// Its version after.
    pub new: Option<String>,
    /// The old derivation.
    pub old_drv: StorePath,
    /// The new derivation.
    pub new_drv: StorePath,
    /// What changed.
    pub changes: Vec<Change>,
    /// How many differing pairs depend on it, itself included.
    pub explains: usize,
    /// Names of the differing derivations that use it directly, at most eight: a download is often called `source`.
    pub used_by: Vec<String>,
}

impl Why {
    /// Whether nothing is built anew.
    pub fn is_empty(&self) -> bool {
        self.differing == 0
    }
}
