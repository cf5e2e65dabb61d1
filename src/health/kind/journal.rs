//! `journal`: a pattern does not appear in the journal.
//!
//! After a switch, everything counts that was logged since it began; otherwise, the last [`Journal::within_seconds`]
//! of this boot.

use serde::{Deserialize, Serialize};

use super::words;
use crate::model::UnitName;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Journal {
    /// A regular expression that must match no line of a message.
    pub pattern: String,
    /// Only what this unit says, or systemd of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitName>,
    /// Only what is at least as important.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// How far it is looked back where there was no switch.
    #[serde(default = "hour")]
    pub within_seconds: u64,
}

/// syslog(3)'s levels, under the names that journalctl knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// The system is unusable.
    Emerg,
    /// Somebody must act at once.
    Alert,
    /// Critical.
    Crit,
    /// An error.
    Err,
    /// A warning.
    Warning,
    /// Normal, but worth noting.
    Notice,
    /// Of interest.
    Info,
    /// For developers.
    Debug,
}

impl Priority {
    /// journalctl's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Emerg => "emerg",
            Self::Alert => "alert",
            Self::Crit => "crit",
            Self::Err => "err",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

fn hour() -> u64 {
    3600
}

impl Journal {
    pub(super) fn fault(&self) -> Option<String> {
        if regex_lite::Regex::new(&self.pattern).is_ok_and(|r| r.is_match("")) {
            return Some("pattern matches the empty line, and so everything".to_owned());
        }
        (self.within_seconds == 0)
            .then(|| "withinSeconds must be more than 0".to_owned())
            .or_else(|| words::regex("pattern", Some(&self.pattern)))
    }
}
