//! What the operator can do to a target. [`super::host::Host`] does it; a fake simulates it.

use std::time::Duration;

use super::gather::{Purpose, RemoteSystem};
use crate::closure::Closure;
#[cfg(feature = "operator")]
use crate::closure::{mask::Masker, system::SystemReading};
use crate::deploy::facts::TargetFacts;
use crate::failure::Failure;
use crate::guard::Spec;
use crate::model::{Address, StorePath, TxId};

/// Hears each line of a transaction's events. `false` ends the listening.
pub type OnLine<'a> = dyn FnMut(&str) -> bool + 'a;

/// A machine to deploy to.
pub trait Target: Send + Sync {
    /// Opens the one connection that everything but the confirmation shares.
    fn connect(&self) -> Result<(), Failure>;
    /// How the machine is.
    fn gather(&self, purpose: Purpose) -> Result<TargetFacts, Failure>;
    /// Describes a system in its store.
    fn describe(&self, system: &StorePath, specialisation: Option<&str>) -> Result<RemoteSystem, Failure>;
    /// Which of these paths its store lacks. What a power cut left torn of an earlier copy is removed first.
    fn missing(&self, paths: &[StorePath]) -> Result<Vec<StorePath>, Failure>;
    /// Whether its store has a path. Nothing is changed.
    fn has(&self, path: &StorePath) -> Result<bool, Failure>;
    /// What a switch to a system in its store would do, as its own script says.
    fn dry_activate(&self, system: &StorePath) -> Result<Vec<String>, Failure>;
    /// Keeps paths from its garbage collector for a transaction; they need not be there yet. The transaction's guard
    /// lets go of them when it ends. Notes durably what is going to be copied: a power cut may leave that torn.
    fn protect(&self, id: &TxId, keep: &[StorePath], copied: &[StorePath]) -> Result<(), Failure>;
    /// Lets go of them if it never began.
    fn release(&self, id: &TxId) -> Result<(), Failure>;
    /// Has a guard begin a transaction, and follows it. The first line is a
    /// [`Reply`](crate::guard::protocol::Reply), then come events.
    fn begin(&self, guard: &StorePath, spec: &Spec, on_line: &mut OnLine<'_>) -> Result<(), Failure>;
    /// Follows the last transaction, over a new connection.
    fn follow(&self, id: Option<&TxId>, on_line: &mut OnLine<'_>) -> Result<(), Failure>;
    /// Confirms over a new connection, within a time.
    fn confirm(&self, id: &TxId, token: &str, time: Duration) -> Result<(), Failure>;
    /// The closure of a system in its store, with references and sizes.
    fn closure(&self, system: &StorePath) -> Result<Closure, Failure>;
    /// What a system in its store is made of beyond its packages.
    #[cfg(feature = "operator")]
    fn system(&self, system: &StorePath, masker: &Masker) -> Result<SystemReading, Failure>;
    /// Has the running transaction rolled back.
    fn cancel(&self, by: &str) -> Result<String, Failure>;
    /// Gives this transaction up unless it has begun to change something: then that is [`Exit::Busy`], and it goes on.
    fn withdraw(&self, id: &TxId, by: &str) -> Result<String, Failure>;
    /// The newest records of past transactions, one JSON object each, the newest last; and how many a
    /// crash tore.
    fn history(&self, limit: usize) -> Result<(Vec<String>, usize), Failure>;
    /// Lifts the ban of one system, or all; says which were lifted.
    fn unban(&self, system: Option<&StorePath>) -> Result<Vec<StorePath>, Failure>;
    /// Runs the checks of the running system with this guard, or with the one that is there; the report as JSON.
    fn health(&self, guard: Option<&StorePath>) -> Result<String, Failure>;
    /// Where Nix copies to; `None` for this very machine.
    fn store(&self) -> Option<RemoteStore>;
    /// The words that run a command there as root: `ssh root@web`, or nothing.
    fn login(&self) -> String;
    /// How a person names it.
    fn name(&self) -> String;
}

/// A store that Nix reaches by SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteStore {
    /// The address.
    pub address: Address,
    /// For `NIX_SSHOPTS`.
    pub ssh_options: String,
}
