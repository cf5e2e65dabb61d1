//! Why a transaction did not simply commit.

use serde::{Deserialize, Serialize};

use crate::health::CheckReport;

/// Why a candidate was not committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Reason {
    /// Required checks regressed; the first is the reason.
    Regressed {
        /// At most [`Reason::MOST_CHECKS`].
        checks: Vec<CheckReport>,
    },
    /// No operator confirmed over a new connection in time.
    NotConfirmed {
        /// How long one had.
        seconds: f64,
    },
    /// Somebody asked for it.
    Cancelled {
        /// Who.
        by: String,
    },
    /// The candidate's switch script failed.
    SwitchFailed {
        /// "exited with 1", "was killed by signal 9", "did not end within 600 s".
        how: String,
    },
    /// An activation script of the candidate failed.
    ActivationFailed {
        /// The snippet's name, or the script's status.
        what: String,
    },
    /// The candidate can only be reached by a reboot.
    NeedsReboot,
    /// Setting the profile or the boot loader failed.
    BootLoader {
        /// What happened.
        how: String,
    },
    /// The guard ended, or hung, before it was done.
    GuardDied {
        /// In which state.
        state: String,
    },
    /// The machine went down meanwhile.
    WentDown {
        /// In which state.
        state: String,
    },
    /// Somebody else's switch.
    ForeignSwitch {
        /// What was found instead of what we left.
        found: String,
    },
    /// Something the guard has to do failed.
    Fault {
        /// What was tried and what happened.
        what: String,
    },
}

impl Reason {
    /// So many checks are kept in the journal; the history holds all.
    pub const MOST_CHECKS: usize = 8;

    /// For required checks that regressed.
    pub fn regressed(mut checks: Vec<CheckReport>) -> Self {
        checks.truncate(Self::MOST_CHECKS);
        for check in &mut checks {
            check.message = check.message.chars().take(400).collect();
        }
        Self::Regressed { checks }
    }

    /// Without the words of checks and programs.
    #[must_use]
    pub fn redacted(self) -> Self {
        match self {
            Self::Regressed { mut checks } => {
                for check in &mut checks {
                    check.message.clear();
                }
                Self::Regressed { checks }
            }
            Self::Fault { .. } => Self::Fault { what: "a step failed".to_owned() },
            Self::BootLoader { .. } => Self::BootLoader { how: "failed".to_owned() },
            other => other,
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Regressed { checks } => match checks.as_slice() {
                [] => write!(f, "a required check failed"),
                [one] => write!(f, "check {}", one.describe()),
                [first, rest @ ..] => write!(f, "check {}, and {} more", first.describe(), rest.len()),
            },
            Self::NotConfirmed { seconds } => {
                write!(f, "not confirmed: no operator reached the machine within {seconds} s")
            }
            Self::Cancelled { by } => write!(f, "cancelled by {by}"),
            Self::SwitchFailed { how } => write!(f, "the switch script {how}"),
            Self::ActivationFailed { what } => write!(f, "activation failed: {what}"),
            Self::NeedsReboot => write!(f, "it needs a reboot: the running system cannot be switched to it"),
            Self::BootLoader { how } => write!(f, "it could not be made the boot default: {how}"),
            Self::GuardDied { state } => write!(f, "the guard died while {state}"),
            Self::WentDown { state } => write!(f, "the machine went down while {state}"),
            Self::ForeignSwitch { found } => write!(f, "somebody else switched the machine: {found}"),
            Self::Fault { what } => write!(f, "{what}"),
        }
    }
}
