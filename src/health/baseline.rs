//! How a check stood before the switch.

use serde::{Deserialize, Serialize};

/// How a check stood before the switch, if that can be compared at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Baseline {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It was not probed, because one that it comes after failed.
    Skipped,
    /// It could not be probed, or was not decided in time.
    Unknown,
    /// The previous system does not declare it in the same way.
    New,
}

impl Baseline {
    /// "passed before", "new"…
    pub fn words(self) -> &'static str {
        match self {
            Self::Passed => "passed before",
            Self::Failed => "failed before too",
            Self::Skipped => "was skipped before",
            Self::Unknown => "not known before",
            Self::New => "new",
        }
    }
}
