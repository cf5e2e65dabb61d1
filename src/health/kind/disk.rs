//! `disk`: a file system has room.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::words;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Disk {
    /// A path on it.
    pub path: PathBuf,
    /// Largest part of the blocks in use, as `df` counts.
    #[serde(default = "percent")]
    pub max_used_percent: u8,
    /// Largest part of the inodes in use; file systems without inodes pass.
    #[serde(default = "percent")]
    pub max_inodes_percent: u8,
}

fn percent() -> u8 {
    90
}

impl Disk {
    pub(super) fn fault(&self) -> Option<String> {
        words::absolute("path", &self.path)
            .or_else(|| words::percent("maxUsedPercent", self.max_used_percent))
            .or_else(|| words::percent("maxInodesPercent", self.max_inodes_percent))
    }
}
