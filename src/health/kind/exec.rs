//! `exec`: a program exits with 0. It runs in a cgroup of its own, as a user that exists only for it.

use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exec {
    /// The program's absolute path and its arguments; no shell is involved.
    pub command: Vec<String>,
    /// Run as this user instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Memory it may use.
    #[serde(default = "memory")]
    pub memory_max_bytes: u64,
}

fn memory() -> u64 {
    256 << 20
}

impl Exec {
    pub(super) fn fault(&self) -> Option<String> {
        match self.command.first() {
            Some(program) if program.starts_with('/') => None,
            _ => Some("command must start with an absolute path".to_owned()),
        }
    }
}
