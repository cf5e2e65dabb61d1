//! `nqd-guard run`, `tick` and `recover`: the processes that own a transaction.

use std::sync::Arc;
use std::time::Duration;

use super::begin::may_be_starting;
use super::{internal, must_be_root};
use crate::effects::files::Lock;
use crate::effects::runner::Runner;
use crate::effects::systemd::Systemd;
use crate::effects::this_machine::{Heartbeat, ThisMachine, observer, read_journal};
use crate::effects::{clock, env, layout, system_files};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::{Outcome, Record, State, Transaction, recovery};
use crate::model::TxId;
use crate::model::text::printable;

/// Of the units that own a transaction.
pub(super) const GUARD_PROPERTIES: [&str; 4] =
    ["Type=exec", "OOMScoreAdjust=-900", "KillMode=control-group", "TimeoutStopSec=5"];
/// A guard that has given no sign of life for so long is dead.
pub(super) const DEAD: Duration = Duration::from_secs(15);
/// Time to get the lock from a process that is about to end.
const LOCK: Duration = Duration::from_secs(10);

/// Runs the transaction that `begin` has just recorded.
pub(super) fn run(id: &TxId) -> Result<Exit, Failure> {
    must_be_root()?;
    let lock = wait_for_lock()?;
    let record = read_journal()?.filter(|r| r.id == *id && r.state == State::Planned).ok_or_else(|| {
        Failure::refused(format!("the journal holds no transaction {id} that is to be run"))
    })?;
    let mut machine = ThisMachine::for_transaction(&record, runner(&record))?;
    let outcome = Transaction::new(&mut machine, record).run()?;
    drop(lock);
    Ok(report(&outcome))
}

/// Takes over from a guard that is dead or hangs; does nothing for one that is well.
pub(super) fn tick(id: &TxId) -> Result<Exit, Failure> {
    must_be_root()?;
    let Some(record) = read_journal()?.filter(|r| r.id == *id) else {
        return Ok(Exit::Ok);
    };
    let systemd = Systemd::new(Runner::default(), record.previous.clone());
    if record.ended() {
        // Its own guard could not stop the timer.
        let timer = format!("{}.timer", layout::dead_man_unit(id));
        systemd.forget(&timer).map_err(|e| internal("stopping the dead man's timer", e))?;
        return Ok(Exit::Ok);
    }
    if is_well(&record)? {
        return Ok(Exit::Ok);
    }
    eprintln!(
        "nqd-guard: the guard of {} gives no sign of life, or is past its deadline: taking over",
        record.describe()
    );
    kill_owners(&systemd, id)?;
    // Not here: whoever takes over may hang too, and then the next tick must find it.
    let guard = env::current_exe().map_err(|e| internal("finding this program", e))?;
    let argv = [guard.display().to_string(), "recover".to_owned()];
    let unit = layout::recovery_unit(id, std::process::id());
    systemd.start_transient(&unit, &GUARD_PROPERTIES, &argv).map_err(|e| internal("taking over", e))?;
    Ok(Exit::Ok)
}

/// Kills whatever owns a transaction and gives no sign of life.
pub(super) fn kill_owners(systemd: &Systemd, id: &TxId) -> Result<(), Failure> {
    for pattern in [&*format!("nqd-transaction-{id}*.service"), layout::BOOT_UNIT] {
        let owners = systemd.matching(pattern).map_err(|e| internal("looking for the guard", e))?;
        for unit in owners {
            systemd.kill(&unit).map_err(|e| internal("killing the guard", e))?;
        }
    }
    Ok(())
}

/// Finishes a transaction that is unfinished, unless its guard is at work. At boot, and by hand at any time.
pub(super) fn recover() -> Result<Exit, Failure> {
    must_be_root()?;
    let Some(record) = read_journal()?.filter(|r| !r.ended()) else { return Ok(Exit::Ok) };
    let waited = clock::start();
    loop {
        let lock = Lock::try_take(&layout::state("lock")).map_err(|e| internal("taking the lock", e))?;
        let free = lock.is_some();
        drop(lock);
        if if free { may_be_starting(&record)? } else { is_well(&record)? } {
            println!("transaction {} has a guard that is at work", printable(&record.describe(), false));
            return Ok(Exit::Ok);
        }
        // Whoever holds it may have just been started, and give its first sign in a moment.
        if free || waited.elapsed() >= LOCK {
            return take_over();
        }
        clock::sleep(Duration::from_millis(50));
    }
}

fn take_over() -> Result<Exit, Failure> {
    let lock = wait_for_lock()?;
    // It may have ended while we waited.
    let Some(record) = read_journal()?.filter(|r| !r.ended()) else {
        return Ok(Exit::Ok);
    };
    let mut machine = ThisMachine::for_transaction(&record, runner(&record))?;
    let outcome = recovery::recover(&mut machine, record)?;
    drop(lock);
    Ok(report(&outcome))
}

fn is_well(record: &Record) -> Result<bool, Failure> {
    let boot_id = system_files::boot_id().map_err(|e| internal("reading the boot id", e))?;
    // A deadline of another boot says nothing: what lives now is a guard that recovers from it.
    let in_time = boot_id != record.boot_id || record.deadline.is_none_or(|d| clock::boot_now() < d);
    Ok(in_time && gives_sign(&record.id)?)
}

/// Whether a guard of this transaction has lately shown that it lives. The sign goes with the boot.
pub(super) fn gives_sign(id: &TxId) -> Result<bool, Failure> {
    let beat = Heartbeat::of(id).read()?;
    Ok(beat.is_some_and(|t| clock::boot_now().since(t) < DEAD))
}

fn wait_for_lock() -> Result<Lock, Failure> {
    let waited = clock::start();
    loop {
        match Lock::try_take(&layout::state("lock")) {
            Ok(Some(lock)) => return Ok(lock),
            Ok(None) if waited.elapsed() < LOCK => clock::sleep(Duration::from_millis(20)),
            Ok(None) => {
                return Err(Failure::new(
                    Exit::Busy,
                    "another process holds the lock of this machine's transactions",
                ));
            }
            Err(e) => return Err(internal("taking the lock", e)),
        }
    }
}

/// A runner whose programs show up among the transaction's events.
fn runner(record: &Record) -> Runner {
    Runner::new(Arc::default(), Some(observer(&record.id)))
}

/// For the log of systemd: what a person who looks there wants to know.
fn report(outcome: &Outcome) -> Exit {
    println!("{}", printable(&outcome.summary(), false));
    for note in &outcome.notes {
        println!("note: {}", printable(note, false));
    }
    Exit::Ok
}
