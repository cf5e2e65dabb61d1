//! Finishing what another guard began (DESIGN rules 5 and 15).

use super::transaction::Transaction;
use super::{Outcome, Reason, Record, State};
use crate::effects::machine::{Fault, Machine};
use crate::model::StorePath;

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
    /// The machine rebooted into what it booted before; nothing was installed.
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
        (State::RollingBack, false) => Course::ProbePrevious,
        (State::Committing, true) => Course::Commit,
        (State::Committing, false) if runs_candidate => Course::Commit,
        (State::Committing, false) => Course::PutBackBoot,
        (_, false) => Course::Interrupted,
        (_, true) if record.activated => Course::RollBack,
        (_, true) => Course::Unchanged,
    }
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
    let mut tx = Transaction::new(m, record);
    match course {
        Course::Ended => Err(Fault::new("recovering", "the journal says it ended, but not how")),
        Course::Unchanged => tx.finish(State::RolledBack, Some(reason), true),
        Course::RollBack => tx.back_out(reason),
        Course::Interrupted => tx.finish(State::Interrupted, Some(reason), false),
        Course::Commit => {
            let committed = tx.commit();
            tx.conclude(committed)
        }
        Course::PutBackBoot => match tx.twice(Transaction::put_back_boot) {
            Ok(()) => tx.finish(State::Interrupted, Some(reason), false),
            Err(why) => {
                tx.notes.push(format!("the boot default could not be put back: {why}"));
                tx.finish(State::Held, Some(reason), false)
            }
        },
        Course::ProbePrevious => probe_previous(tx, reason),
    }
}

fn probe_previous(mut tx: Transaction<'_>, reason: Reason) -> Result<Outcome, Fault> {
    let put_back = if tx.rec.installing { tx.twice(Transaction::put_back_boot) } else { Ok(()) };
    let failing = tx.still_failing();
    match (put_back, failing) {
        (Ok(()), None) => tx.finish(State::RolledBack, Some(reason), false),
        (Err(why), _) | (Ok(()), Some(why)) => {
            tx.notes.push(format!("after the reboot: {why}"));
            tx.finish(State::Held, Some(reason), false)
        }
    }
}
