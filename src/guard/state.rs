//! The states of a transaction.

use serde::{Deserialize, Serialize};

use crate::exit::Exit;

/// Where a transaction stands. Each is durable before it is acted on; see DESIGN, "The transaction".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Accepted; nothing has been done.
    Planned,
    /// How the machine was is recorded.
    Baselined,
    /// The dead man's timer runs.
    Armed,
    /// The candidate's switch script runs.
    Activating,
    /// The checks run.
    Probing,
    /// All is well; it must stay so for a while.
    Soaking,
    /// The profile and the boot loader are being set.
    Committing,
    /// The machine is being put back.
    RollingBack,
    /// The end: the candidate runs and boots.
    Committed,
    /// The end: the same, but a wanted check fails.
    CommittedDegraded,
    /// The end: the machine is as it was.
    RolledBack,
    /// The end: the machine went down before the candidate was proved; what it boots is the previous system.
    Interrupted,
    /// The end: somebody else switched the machine; it was left alone.
    Superseded,
    /// The end: the rollback failed; a person is needed.
    Held,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 14] = [
        Self::Planned,
        Self::Baselined,
        Self::Armed,
        Self::Activating,
        Self::Probing,
        Self::Soaking,
        Self::Committing,
        Self::RollingBack,
        Self::Committed,
        Self::CommittedDegraded,
        Self::RolledBack,
        Self::Interrupted,
        Self::Superseded,
        Self::Held,
    ];

    /// The exit code of a transaction that ended here; `None` if it has not ended.
    pub fn exit(self) -> Option<Exit> {
        match self {
            Self::Planned
            | Self::Baselined
            | Self::Armed
            | Self::Activating
            | Self::Probing
            | Self::Soaking
            | Self::Committing
            | Self::RollingBack => None,
            Self::Committed => Some(Exit::Ok),
            Self::CommittedDegraded => Some(Exit::Degraded),
            Self::RolledBack => Some(Exit::RolledBack),
            Self::Interrupted => Some(Exit::Interrupted),
            Self::Superseded => Some(Exit::Superseded),
            Self::Held => Some(Exit::Held),
        }
    }

    /// Whether the transaction has ended.
    pub fn ended(self) -> bool {
        self.exit().is_some()
    }

    /// As people and JSON write it: `rolling-back`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Baselined => "baselined",
            Self::Armed => "armed",
            Self::Activating => "activating",
            Self::Probing => "probing",
            Self::Soaking => "soaking",
            Self::Committing => "committing",
            Self::RollingBack => "rolling back",
            Self::Committed => "committed",
            Self::CommittedDegraded => "committed, degraded",
            Self::RolledBack => "rolled back",
            Self::Interrupted => "interrupted",
            Self::Superseded => "superseded",
            Self::Held => "held",
        }
    }
}
