//! `mcp`: a server of the Model Context Protocol answers and lists its tools. None is ever called.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::words;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mcp {
    /// Where it speaks "streamable HTTP".
    pub url: String,
    /// Tools that must be listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// The absolute path of a file with a bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
}

impl Mcp {
    pub(super) fn fault(&self) -> Option<String> {
        // The token is read from a file so that it is not in the store; here it would be.
        if self.url.split('/').nth(2).is_some_and(|authority| authority.contains('@')) {
            return Some("url must not hold a user or a password: use tokenFile".to_owned());
        }
        let odd = |t: &&String| t.is_empty() || t.chars().any(|c| c.is_whitespace() || c.is_control());
        words::url(&self.url)
            .or_else(|| self.tools.iter().find(odd).map(|t| format!("tool {t:?} is not a name")))
            .or_else(|| self.token_file.as_deref().and_then(|p| words::absolute("tokenFile", p)))
    }
}
