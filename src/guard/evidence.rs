//! The record of an attempt that outlives it: one line of the history.

use serde::{Deserialize, Serialize};

use super::{Outcome, Record, State};
use crate::health::CheckReport;
use crate::model::{StorePath, TxId, UnitName};

/// The version of [`Evidence`].
pub const FORMAT: u32 = 1;

/// What happened in one attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// [`FORMAT`].
    pub format: u32,
    /// The transaction.
    pub id: TxId,
    /// When it began and ended, RFC 3339.
    pub began: String,
    /// See `began`.
    pub ended: String,
    /// Who asked for it.
    pub operator: String,
    /// Which flake, at which revision.
    pub flake: String,
    /// See `flake`.
    pub revision: Option<String>,
    /// What was to be deployed.
    pub candidate: StorePath,
    /// What ran before.
    pub previous: StorePath,
    /// The diff in a line.
    pub diff: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Every check.
    pub checks: Vec<CheckReport>,
    /// The unit that is to blame and its last lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<UnitLog>,
    /// Milliseconds spent in each state.
    pub timings: Vec<(State, u64)>,
}

/// The end of a unit's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitLog {
    /// The unit.
    pub unit: UnitName,
    /// Its last lines.
    pub lines: Vec<String>,
}

/// The attempt that a line of the history tells of, if it is a record, of whatever version.
pub fn id_of_record(line: &str) -> Option<TxId> {
    #[derive(Deserialize)]
    struct Least {
        #[allow(dead_code, reason = "only whether it is there matters")]
        format: u32,
        id: TxId,
    }
    serde_json::from_str::<Least>(line).ok().map(|l| l.id)
}

impl Evidence {
    /// Of a transaction that ended.
    pub fn new(record: &Record, outcome: Outcome, ended: String) -> Self {
        let origin = &record.spec.origin;
        Self {
            format: FORMAT,
            id: record.id.clone(),
            began: record.began.clone(),
            ended,
            operator: origin.operator.clone(),
            flake: origin.flake.clone(),
            revision: origin.revision.clone(),
            candidate: record.candidate.clone(),
            previous: record.previous.clone(),
            diff: origin.diff.clone(),
            outcome,
            checks: Vec::new(),
            log: None,
            timings: Vec::new(),
        }
    }

    /// Whether it tells of the same end of the same attempt.
    pub fn tells_of(&self, other: &Self) -> bool {
        self.id == other.id && self.outcome.state == other.outcome.state
    }

    /// For readers who may not read logs: no log lines, and no words that a check or a program said.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mut copy = self.clone();
        copy.log = None;
        for check in &mut copy.checks {
            check.message.clear();
        }
        copy.outcome.notes.clear();
        copy.outcome.reason = copy.outcome.reason.map(super::Reason::redacted);
        copy
    }
}
