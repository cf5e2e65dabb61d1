//! Finishing what another guard began (DESIGN rules 5 and 15).

use std::time::Duration;

use super::transaction::Transaction;
use super::{Outcome, Reason, Record, State};
use crate::effects::machine::{Fault, Machine};
use crate::model::StorePath;

/// How long a boot may take before what it has started is looked at all the same: systemd's own time for a unit.
const BOOT: Duration = Duration::from_secs(90);
/// Time between two looks at it.
const LOOK: Duration = Duration::from_secs(1);

/// What is to be done about an unfinished transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// Nothing: it has ended.
    Ended,
    /// Say that nothing was changed.
    Unchanged,
    /// Roll back.
    RollBack,
    /// Commit: it was proved, and making it the boot default was under way.
    Commit,
    /// The machine rebooted into what it booted before, or what a person chose; nothing was installed.
    Interrupted,
    /// The same, but the profile and the boot loader have to be put back first.
    PutBackBoot,
    /// The machine rebooted while it was being rolled back: see whether it is well.
    ProbePrevious,
}

/// Decides, from what the journal says and what the machine runs. Pure.
pub fn course(record: &Record, same_boot: bool, running: &StorePath) -> Course {
    let runs_candidate = *running == record.candidate || *running == record.spec.activate;
    match (record.state, same_boot) {
        (state, _) if state.ended() => Course::Ended,
        (State::RollingBack, true) => Course::RollBack,
        // A loader's script may have made the candidate the boot default before it failed.
        (State::RollingBack, false) if came_back(record, running) => Course::ProbePrevious,
        (State::RollingBack, false) if runs_candidate => Course::RollBack,
        (State::RollingBack, false) if record.installing => Course::PutBackBoot,
        (State::Committing, true) => Course::Commit,
        (State::Committing, false) if runs_candidate => Course::Commit,
        (State::Committing, false) => Course::PutBackBoot,
        (_, false) if runs_candidate && record.activated && !came_back(record, running) => Course::RollBack,
        (_, false) => Course::Interrupted,
        (_, true) if record.activated => Course::RollBack,
        (_, true) => Course::Unchanged,
    }
}

/// Whether the machine runs again what ran, or what it would have booted, before the transaction.
fn came_back(record: &Record, running: &StorePath) -> bool {
    let booted = record.start.boot_default.path().or(record.previous_profile());
    *running == record.previous || (booted == Some(running) && *running != record.candidate)
}

/// Finishes an unfinished transaction. The caller holds the lock and has made sure that no other guard lives.
pub fn recover(m: &mut dyn Machine, record: Record) -> Result<Outcome, Fault> {
    let same_boot = m.boot_id()? == record.boot_id;
    let running = m.running()?;
    let state = record.state.word().to_owned();
    let died = if same_boot { Reason::GuardDied { state } } else { Reason::WentDown { state } };
    let course = course(&record, same_boot, &running);
    if let (Course::Ended, Some(outcome)) = (course, &record.outcome) {
        return Ok(outcome.clone());
    }
    m.kill_left_over_switch()?;
    let reason = record.reason.clone().unwrap_or(died);
    let came_back = came_back(&record, &running);
    let mut tx = Transaction::new(m, record);
    if !same_boot && matches!(course, Course::RollBack | Course::ProbePrevious) {
        tx.wait_for_boot();
    }
    match course {
        Course::Ended => Err(Fault::new("recovering", "the journal says it ended, but not how")),
        Course::Unchanged => tx.finish(State::RolledBack, Some(reason), true),
        Course::RollBack => tx.back_out(reason),
        Course::Interrupted => interrupted(tx, reason, came_back),
        Course::Commit => {
            let committed = tx.commit();
            tx.conclude(committed)
        }
        Course::PutBackBoot => match tx.twice(Transaction::put_back_boot) {
            Ok(()) => interrupted(tx, reason, came_back),
            Err(why) => {
                tx.notes.push(format!("the boot default could not be put back: {why}"));
                tx.finish(State::Held, Some(reason), false)
            }
        },
        Course::ProbePrevious => probe_previous(tx, reason),
    }
}

/// What somebody chose to boot instead is left alone, and not said to be what was before.
fn interrupted(tx: Transaction<'_>, reason: Reason, came_back: bool) -> Result<Outcome, Fault> {
    if came_back || !tx.rec.activated {
        return tx.finish(State::Interrupted, Some(reason), false);
    }
    let found = "it booted neither the previous system nor the candidate".to_owned();
    tx.finish(State::Superseded, Some(Reason::ForeignSwitch { found }), false)
}

impl Transaction<'_> {
    /// Early in a boot units have not been started: neither a switch nor a check would say anything.
    fn wait_for_boot(&mut self) {
        let deadline = self.m.now().plus(BOOT);
        while self.m.now() < deadline {
            let booting = self.m.booting();
            if self.note(booting) != Some(true) {
                return;
            }
            let next = self.m.now().plus(LOOK);
            let signals = self.m.wait(next);
            let Some(signals) = self.note(signals) else { return };
            self.deferred.extend(signals);
        }
        self.notes.push(format!("the boot had not come to its end after {} s", BOOT.as_secs()));
    }
}

fn probe_previous(mut tx: Transaction<'_>, reason: Reason) -> Result<Outcome, Fault> {
    let put_back = if tx.rec.installing { tx.twice(Transaction::put_back_boot) } else { Ok(()) };
    let failing = tx.still_failing().map_err(|fault| fault.to_string());
    match (put_back, failing) {
        (Ok(()), Ok(None)) => tx.finish(State::RolledBack, Some(reason), false),
        (Err(why), _) | (Ok(()), Ok(Some(why)) | Err(why)) => {
            tx.notes.push(format!("after the reboot: {why}"));
            tx.finish(State::Held, Some(reason), false)
        }
    }
}
