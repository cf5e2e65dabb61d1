//! What the guard can do to the machine it runs on. [`super::this_machine`] does it; a fake simulates it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::{Ban, Evidence, Record};
use crate::health::{Check, CheckName, CheckReport, ProbeResult, Units};
use crate::model::text::short;
use crate::model::{BootId, BootTime, Described, StorePath, Triple, TxId, UnitName};
use crate::report::event::Event;

/// Something the guard tried did not work.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what}: {why}")]
pub struct Fault {
    /// What was tried.
    pub what: String,
    /// What happened.
    pub why: String,
}

impl Fault {
    /// `what` was tried and `why` happened.
    pub fn new(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self { what: what.into(), why: short(why.to_string()) }
    }
}

/// A fault of the guard's own machine, where it ends a command.
impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::new(Exit::Internal, fault.to_string())
    }
}

/// For `map_err`: names what was tried.
pub fn tried<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> Fault + '_ {
    move |why| Fault::new(what, why)
}

/// What can be asked of a switch script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Activate, but leave the boot loader alone.
    Test,
    /// Install the boot loader only.
    Boot,
}

impl Action {
    /// The script's argument.
    pub fn word(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Boot => "boot",
        }
    }
}

/// How a switch script ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchEnd {
    /// How.
    pub how: SwitchHow,
    /// Activation snippets that its output says failed.
    pub failed_snippets: Vec<String>,
}

/// See [`SwitchEnd`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwitchHow {
    /// With this status.
    Exited(i32),
    /// In another way: a signal, out of memory. systemd's word for it.
    Killed(String),
    /// Not within this time; its whole cgroup was killed.
    TimedOut(Duration),
}

/// What `/etc` is made of: the target of `/etc/static`, and the store paths in the mounts over `/etc`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtcIdentity {
    /// `/etc/static`, one step.
    pub link: Option<PathBuf>,
    /// For an `/etc` that is an overlay.
    pub mounts: BTreeSet<String>,
}

/// How the machine was before the switch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Every loaded unit.
    pub units: Units,
    /// `/etc`.
    pub etc: EtcIdentity,
    /// The declared checks that both systems know, as they stood.
    pub checks: Vec<CheckReport>,
}

/// What somebody asks of a running transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    /// Confirm that the machine can be reached.
    Confirm {
        /// Whether the token was right.
        token_is_right: bool,
        /// When the connection over which it came was opened; `None` if that cannot be told.
        connected: Option<BootTime>,
    },
    /// Roll back now.
    Cancel {
        /// Who asks.
        by: String,
    },
    /// Give it up if nothing was begun yet: whoever started it has left.
    Withdraw {
        /// Who asks.
        by: String,
    },
}

/// What happened while the guard waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// A probe has answered.
    Probe(CheckName, ProbeResult),
    /// Somebody asks for something; answer with [`Machine::reply`].
    Asked {
        /// Names the asker.
        id: u64,
        /// What is asked.
        ask: Ask,
    },
}

/// What must outlive the guard.
pub trait Ledger {
    /// The journal's record, if there ever was one.
    fn journal(&self) -> Result<Option<Record>, Fault>;
    /// Makes a record durable.
    fn write_journal(&mut self, record: &Record) -> Result<(), Fault>;
    /// Frees the space that is kept for a rollback.
    fn release_ballast(&mut self) -> Result<(), Fault>;
    /// Makes the snapshot of a transaction durable.
    fn write_snapshot(&mut self, id: &TxId, snapshot: &Snapshot) -> Result<(), Fault>;
    /// The snapshot of a transaction.
    fn snapshot(&self, id: &TxId) -> Result<Option<Snapshot>, Fault>;
    /// Appends to the history, and its redacted copy to the public one.
    fn append_history(&mut self, evidence: &Evidence) -> Result<(), Fault>;
    /// Remembers for which system a boot loader was installed successfully.
    fn record_boot(&mut self, system: &StorePath) -> Result<(), Fault>;
    /// Bans a system, durably.
    fn ban(&mut self, ban: &Ban) -> Result<(), Fault>;
    /// Lifts a system's ban, if there is one.
    fn lift_ban(&mut self, system: &StorePath) -> Result<(), Fault>;
}

/// What probing needs.
pub trait Prober {
    /// `CLOCK_BOOTTIME`.
    fn now(&self) -> BootTime;
    /// Starts a probe; its answer comes from [`Prober::wait`].
    fn start_probe(&mut self, name: &CheckName, check: &Check);
    /// Waits for signals, no longer than `until`, and shows meanwhile that the guard is alive.
    fn wait(&mut self, until: BootTime) -> Result<Vec<Signal>, Fault>;
}

/// The machine.
pub trait Machine: Ledger + Prober {
    /// Wall time for people, RFC 3339.
    fn wall(&self) -> String;
    /// Which boot this is.
    fn boot_id(&self) -> Result<BootId, Fault>;
    /// What runs, what the profile names, what boots.
    fn triple(&self) -> Result<Triple, Fault>;
    /// What runs.
    fn running(&self) -> Result<StorePath, Fault>;
    /// What booted.
    fn booted(&self) -> Result<Option<StorePath>, Fault>;
    /// What a toplevel's files say.
    fn describe(&self, system: &StorePath) -> Result<Described, Fault>;
    /// Whether a toplevel has a unit's file.
    fn has_unit(&self, system: &StorePath, unit: &UnitName) -> Result<bool, Fault>;
    /// What `/etc` is.
    fn etc(&self) -> Result<EtcIdentity, Fault>;
    /// Every loaded unit.
    fn units(&mut self) -> Result<Units, Fault>;
    /// Every loaded unit in short: its states, and all that is known of those that are in trouble. This is cheap.
    fn units_in_short(&mut self) -> Result<Units, Fault>;
    /// Whether the boot is still starting units.
    fn booting(&self) -> Result<bool, Fault>;
    /// Whether some other switch script runs.
    fn foreign_switch(&self) -> Result<bool, Fault>;
    /// The last lines of a unit's log.
    fn unit_log(&mut self, unit: &UnitName, lines: usize) -> Result<Vec<String>, Fault>;

    /// Runs a toplevel's switch script, in a cgroup of its own, to its end or `limit`.
    fn switch(&mut self, system: &StorePath, action: Action, limit: Duration) -> Result<SwitchEnd, Fault>;
    /// Kills a switch script that an earlier guard left running.
    fn kill_left_over_switch(&mut self) -> Result<(), Fault>;
    /// Points `/run/current-system` somewhere.
    fn point_running_at(&mut self, system: &StorePath) -> Result<(), Fault>;
    /// Makes sure that all of the store is on disk: Nix itself does not, and a boot default must survive a power cut.
    fn sync_store(&mut self) -> Result<(), Fault>;
    /// Makes a system the profile's newest generation, unless the profile names it already.
    fn set_profile(&mut self, system: &StorePath) -> Result<(), Fault>;
    /// Points the profile back at a generation.
    fn set_generation(&mut self, number: u64) -> Result<(), Fault>;
    /// Starts units, waiting for their jobs no longer than `limit`.
    fn start_units(&mut self, units: &[UnitName], limit: Duration) -> Result<(), Fault>;
    /// Cancels all of systemd's queued jobs.
    fn cancel_jobs(&mut self) -> Result<(), Fault>;
    /// Starts the dead man's timer for a transaction and makes its confirmation token, which goes out as an event.
    fn arm(&mut self, record: &Record) -> Result<(), Fault>;
    /// Stops the dead man's timer and lets go of the transaction's garbage collector roots.
    fn disarm(&mut self, record: &Record) -> Result<(), Fault>;
    /// Reboots.
    fn reboot(&mut self) -> Result<(), Fault>;

    /// Answers an [`Ask`]: `Err` says why not.
    fn reply(&mut self, id: u64, answer: Result<String, String>);
    /// Tells followers.
    fn emit(&mut self, event: Event);
}
