//! How a transaction ended.

use serde::{Deserialize, Serialize};

use super::{Reason, State};
use crate::exit::Exit;
use crate::model::{BootDefault, StorePath};

/// How a transaction ended, as the target persisted it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The state it ended in.
    pub state: State,
    /// The operator's exit code.
    pub exit: Exit,
    /// Why it was not simply committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What the machine runs.
    pub runs: StorePath,
    /// What it boots.
    pub boots: BootDefault,
    /// Parts of the committed system that only a boot can prove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boot_unproved: Vec<String>,
    /// A check still failed after the rollback: the cause lies outside the candidate (DESIGN rule 13).
    #[serde(default)]
    pub suspect: bool,
    /// It is bad, and banned (DESIGN rule 14).
    #[serde(default)]
    pub bad: bool,
    /// Whether nothing on the machine was changed at all.
    #[serde(default)]
    pub unchanged: bool,
    /// What a person should know besides: pre-existing failures, steps that failed on the way back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Outcome {
    /// What the machine runs, what it boots, and why, in one line.
    pub fn summary(&self) -> String {
        let what = match (self.state, self.unchanged) {
            (State::RolledBack, true) => "nothing was changed",
            (State::Committed, true) => "nothing to do",
            (state, _) => state.word(),
        };
        let boots = match self.boots.path() {
            Some(path) if *path == self.runs => format!("runs and boots {}", self.runs.short()),
            _ => format!("runs {}, boots {}", self.runs.short(), self.boots),
        };
        let why = self.reason.as_ref().map_or_else(String::new, |r| format!(": {r}"));
        let suspect = match (self.suspect, self.bad) {
            (true, _) => "; the cause seems to lie outside the new system",
            (false, true) => "; it is banned from now on (--force insists)",
            (false, false) => "",
        };
        let unproved = match self.boot_unproved.as_slice() {
            [] => String::new(),
            parts => format!("; boot not proved: {} changed", parts.join(", ")),
        };
        format!("{what}{why}{suspect}; {boots}{unproved}")
    }
}
