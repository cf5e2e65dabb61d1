//! What the guard answers to the operator: the first line of its standard output, as JSON.

use serde::{Deserialize, Serialize};

use super::{Bans, Evidence, Record};
use crate::failure::Failure;
use crate::model::{StorePath, TxId};

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// `begin`: the transaction runs; its events follow, one a line.
    Begun(TxId),
    /// `follow`: this transaction's events follow; `None`: there never was one.
    Following(Option<TxId>),
    /// `confirm`, `cancel`: done.
    Granted(String),
    /// `history`: its lines follow.
    History {
        /// Lines that a crash tore, and that are left out.
        torn: usize,
    },
    /// `unban`: the systems that were.
    Unbanned(Vec<StorePath>),
    /// `status`.
    Status(Box<Status>),
    /// Any command: no, and why.
    Refused(Failure),
}

/// What the guard knows of the machine's transactions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// [`super::PROTOCOL`] of the guard that answers.
    pub protocol: u32,
    /// The last transaction.
    pub record: Option<Record>,
    /// Whether a guard runs it.
    pub alive: bool,
    /// The history's record of it, once it has ended.
    pub evidence: Option<Evidence>,
    /// Systems that are not deployed again by themselves.
    #[serde(default)]
    pub bans: Bans,
}
