//! What one probe said.

use serde::{Deserialize, Serialize};

/// The answer of one probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeResult {
    /// How it went.
    pub status: ProbeStatus,
    /// One line for a person.
    pub message: String,
    /// What must stay the same once the check passes: a service's invocation, for one.
    pub fingerprint: Option<String>,
}

/// How a probe went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProbeStatus {
    /// As declared.
    Pass,
    /// Not as declared.
    Fail,
    /// Still starting: neither.
    Pending,
    /// The probe itself could not be made.
    Unknown,
}

impl ProbeResult {
    /// It is as declared.
    pub fn pass(message: impl Into<String>) -> Self {
        Self { status: ProbeStatus::Pass, message: message.into(), fingerprint: None }
    }

    /// It is not as declared.
    pub fn fail(message: impl Into<String>) -> Self {
        Self { status: ProbeStatus::Fail, message: message.into(), fingerprint: None }
    }

    /// It is still starting.
    pub fn pending(message: impl Into<String>) -> Self {
        Self { status: ProbeStatus::Pending, message: message.into(), fingerprint: None }
    }

    /// It could not be probed.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self { status: ProbeStatus::Unknown, message: message.into(), fingerprint: None }
    }

    /// Adds what must stay the same.
    #[must_use]
    pub fn with_fingerprint(mut self, fingerprint: String) -> Self {
        self.fingerprint = Some(fingerprint);
        self
    }
}
