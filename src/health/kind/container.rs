//! `container`: a container runs, and is healthy if it has a health check of its own.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::words;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Container {
    /// Its name, or id.
    pub name: String,
    /// The absolute path of podman or docker.
    pub program: PathBuf,
    /// Whose container it is; root's if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

impl Container {
    pub(super) fn fault(&self) -> Option<String> {
        words::plain("name", &self.name)
            .or_else(|| words::absolute("program", &self.program))
            .or_else(|| self.user.as_deref().and_then(|u| words::plain("user", u)))
    }
}
