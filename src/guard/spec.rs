//! What the operator asks of the guard.

use serde::{Deserialize, Serialize};

use crate::model::{BootId, Seconds, StorePath, Triple, TxId};

/// The version of everything the operator and the guard say to each other.
pub const PROTOCOL: u32 = 1;

/// One transaction to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Its id, made by the operator: whoever loses the connection in the very first moment can still ask for it.
    pub id: TxId,
    /// The toplevel that the profile and the boot loader get.
    pub candidate: StorePath,
    /// The toplevel that is switched to: the candidate, or one of its specialisations.
    pub activate: StorePath,
    /// What the plan found on the target: anything else is a stale plan.
    pub start: Triple,
    /// The boot in which the plan found it.
    pub boot_id: BootId,
    /// Numbers and switches.
    pub options: Options,
    /// For the record.
    pub origin: Origin,
}

/// How a transaction is to be run. Defaults: DESIGN rules 8, 10 and 11.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Options {
    /// Time for the operator to confirm over a new connection; `None`: nobody needs to.
    pub confirm: Option<Seconds>,
    /// How long all must stay well.
    pub soak: Seconds,
    /// The longest time from the switch's return to the commit.
    pub cap: Seconds,
    /// Time that one run of a switch script has.
    pub switch: Seconds,
    /// Required checks that failed before gate as well.
    pub strict: bool,
    /// Activation snippets that may fail.
    pub waive: Vec<String>,
    /// Reboot when the rollback failed.
    pub reboot_on_failed_rollback: bool,
    /// Start although the machine's starting point is diverged.
    pub from_diverged: bool,
    /// Deploy although the candidate is banned.
    pub force: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            confirm: Some(Seconds::whole(60)),
            soak: Seconds::whole(10),
            cap: Seconds::whole(600),
            switch: Seconds::whole(600),
            strict: false,
            waive: Vec::new(),
            reboot_on_failed_rollback: false,
            from_diverged: false,
            force: false,
        }
    }
}

/// Where a candidate comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Origin {
    /// `user@machine`.
    pub operator: String,
    /// The flake, as it was named; empty for a rollback.
    pub flake: String,
    /// Its revision, `-dirty` if so.
    pub revision: Option<String>,
    /// The toplevel's derivation.
    pub derivation: Option<String>,
    /// The diff in a line.
    pub diff: String,
}
