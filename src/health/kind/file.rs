//! `file`: a file is there, and as described.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::words;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct File {
    /// Absolute.
    pub path: PathBuf,
    /// What it must be.
    #[serde(default)]
    pub is: FileType,
    /// A regular expression that must match somewhere in the first 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_regex: Option<String>,
    /// It must have been changed within so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u64>,
}

/// What a [`File`] must be, links followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileType {
    /// Anything that exists.
    #[default]
    Any,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A socket.
    Socket,
}

impl File {
    pub(super) fn fault(&self) -> Option<String> {
        words::absolute("path", &self.path)
            .or_else(|| words::regex("contentRegex", self.content_regex.as_deref()))
    }
}
