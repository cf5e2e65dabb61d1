//! `tcp`: a connection is accepted; and `port-closed`: none is.

use serde::{Deserialize, Serialize};

use super::words;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tcp {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Tcp {
    pub(super) fn fault(&self) -> Option<String> {
        if self.host.is_empty() || self.host.contains(char::is_whitespace) {
            return Some(format!("host {:?} is not a name or an address", self.host));
        }
        words::port(self.port)
    }
}
