//! A closure kept in a file, to be compared elsewhere or later (docs/FORMATS.md).

use serde::{Deserialize, Serialize};

use super::Closure;
use super::system::SystemReading;

/// The version of [`Snapshot`].
pub const VERSION: u32 = 1;

/// What `nqd snapshot` writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// [`VERSION`].
    pub nqd_snapshot: u32,
    /// When it was taken: RFC 3339, UTC.
    pub taken: String,
    /// How its system was named.
    pub named: String,
    /// Its paths.
    pub closure: Closure,
    /// What else makes the system; secrets are masked, and what is masked cannot be compared later.
    pub system: SystemReading,
}

impl Snapshot {
    /// Reads one. A newer version is refused.
    pub fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Any {
            nqd_snapshot: u32,
        }
        let any: Any = serde_json::from_str(text).map_err(|e| format!("this is no snapshot: {e}"))?;
        if any.nqd_snapshot > VERSION {
            return Err(format!(
                "this snapshot is of version {}, this nqd knows {VERSION}: use a newer nqd",
                any.nqd_snapshot
            ));
        }
        let snapshot: Self =
            serde_json::from_str(text).map_err(|e| format!("this snapshot is damaged: {e}"))?;
        if snapshot.closure.get(&snapshot.closure.root).is_none() {
            return Err("this snapshot is damaged: its root is not in it".to_owned());
        }
        if !snapshot.closure.members.is_sorted_by(|a, b| a.path < b.path) {
            return Err("this snapshot is damaged: its paths are not in order".to_owned());
        }
        Ok(snapshot)
    }
}
