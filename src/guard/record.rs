//! The journal's record: everything a later guard needs to finish what this one began.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Outcome, Reason, Spec, State};
use crate::model::{BootId, BootTime, StorePath, Triple, TxId};

/// The version of [`Record`].
pub const FORMAT: u32 = 1;

/// The fields that never change their name or meaning, whatever the version: enough to find the guard that can read
/// the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Frozen {
    /// The transaction.
    pub id: TxId,
    /// The boot in which `state` was entered.
    pub boot_id: BootId,
    /// Where it stands; as text, since a later version may have more states.
    pub state: String,
    /// What ran before.
    pub previous: StorePath,
    /// What is being deployed.
    pub candidate: StorePath,
    /// The guard that runs the transaction.
    pub guard: PathBuf,
}

impl Frozen {
    /// Whether its transaction has ended. A state that we do not know may be any.
    pub fn ended(&self) -> bool {
        let state = serde_json::from_value::<State>(self.state.as_str().into());
        state.is_ok_and(State::ended)
    }
}

/// The state of a transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// See [`Frozen`].
    pub id: TxId,
    /// See [`Frozen`].
    pub boot_id: BootId,
    /// See [`Frozen`].
    pub state: State,
    /// See [`Frozen`].
    pub previous: StorePath,
    /// See [`Frozen`].
    pub candidate: StorePath,
    /// See [`Frozen`].
    pub guard: PathBuf,
    /// [`FORMAT`].
    pub format: u32,
    /// When the transaction began: wall time, RFC 3339, for people.
    pub began: String,
    /// When `state` was entered.
    pub entered: BootTime,
    /// When `state` must be over: past it, the dead man's timer takes over.
    pub deadline: Option<BootTime>,
    /// What was asked for.
    pub spec: Spec,
    /// Where the machine started.
    pub start: Triple,
    /// SHA-256 of the candidate's manifest.
    pub manifest: Option<String>,
    /// Whether the switch script has been started: before that, nothing can have changed.
    pub activated: bool,
    /// Whether the profile or the boot loader may have been touched.
    pub installing: bool,
    /// Whether the confirmation has been received.
    pub confirmed: bool,
    /// Why it is being rolled back.
    pub reason: Option<Reason>,
    /// The verdict was degraded: wanted checks fail.
    pub degraded: bool,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

impl Record {
    /// What ran before and is restored.
    pub fn previous_profile(&self) -> Option<&StorePath> {
        self.start.profile.as_ref().map(|g| &g.path)
    }

    /// Whether this transaction has ended.
    pub fn ended(&self) -> bool {
        self.state.ended()
    }

    /// "20261122-060301-a1b2c3, begun 2026-11-22T06:03:01Z by alice@laptop, probing".
    pub fn describe(&self) -> String {
        let Self { id, began, spec, state, .. } = self;
        format!("{id}, begun {began} by {}, {}", spec.origin.operator, state.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_have_ended_has_not() {
        let frozen = |state: &str| {
            let path = format!("/nix/store/{}-nixos", "a".repeat(32));
            let text = format!(
                r#"{{"id":"20990101-000000-aaaaaa","bootId":"6600d058-bc74-4f75-b6e4-532f8a2d456e",
                "state":"{state}","previous":"{path}","candidate":"{path}","guard":"/guard"}}"#
            );
            serde_json::from_str::<Frozen>(&text).unwrap()
        };
        for state in ["committed", "committed-degraded", "rolled-back", "interrupted", "superseded", "held"] {
            assert!(frozen(state).ended(), "{state}");
        }
        for state in ["planned", "rolling-back", "committing", "boot-trial", ""] {
            assert!(!frozen(state).ended(), "{state}");
        }
    }
}
