//! `nqd-guard follow` and `status`: what a transaction does, and what is known of the last one.

use std::time::Duration;

use super::begin::{may_be_starting, recover_first};
use super::run::{DEAD, gives_sign, kill_owners};
use super::{internal, must_be_root, say, say_line};
use crate::effects::files::Lock;
use crate::effects::machine::Fault;
use crate::effects::runner::Runner;
use crate::effects::systemd::Systemd;
use crate::effects::this_machine::{
    Heartbeat, follow as follow_events, last_evidence, read_bans, read_journal,
};
use crate::effects::{clock, env, layout, system_files};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::protocol::{Reply, Status};
use crate::guard::{PROTOCOL, Record};
use crate::model::TxId;
use crate::report::event::{Event, Line, VERSION};

/// How often a follower without news looks whether any can still come.
const LOOK: Duration = Duration::from_millis(500);
/// A guard that has given no sign of life for so long will not give any more.
const SILENT: Duration = Duration::from_secs(120);

pub(super) fn follow(id: Option<&TxId>) -> Result<Exit, Failure> {
    must_be_root()?;
    recover_if_dead()?;
    let record = read_journal()?;
    let found = record.map(|r| r.id);
    if let Some(id) = id.filter(|id| found.as_ref() != Some(*id)) {
        return earlier(id);
    }
    say(&Reply::Following(found.clone()))?;
    match found {
        Some(id) => stream(&id),
        None => Ok(Exit::Ok),
    }
}

/// A transaction that is not the machine's last one: the history knows how it ended.
fn earlier(id: &TxId) -> Result<Exit, Failure> {
    let evidence = last_evidence(id)?.ok_or_else(|| {
        Failure::refused(format!("there was no transaction {id} on this machine"))
            .hint("nqd status shows the last one")
    })?;
    say(&Reply::Following(Some(id.clone())))?;
    tell(Event::Outcome { outcome: evidence.outcome.clone() })?;
    tell(Event::Evidence { evidence: Box::new(evidence) })?;
    Ok(Exit::Ok)
}

/// Prints the events of a transaction to its end, then its outcome and record as they were persisted.
pub(super) fn stream(id: &TxId) -> Result<Exit, Failure> {
    let mut told = false;
    if in_this_boot(id)? {
        let mut looked = clock::start();
        let go_on = || {
            if looked.elapsed() < LOOK {
                return Ok(true);
            }
            looked = clock::start();
            let running = read_journal()?.filter(|r| r.id == *id && !r.ended());
            running.map_or(Ok(false), |record| is_silent(&record).map(|silent| !silent))
        };
        let print = |line: &str| {
            told |= line.contains(r#""event":"outcome""#);
            say_line(line).map_err(|f| Fault::new("telling the operator", f))
        };
        follow_events(id, go_on, print)?;
    }
    let record = read_journal()?.filter(|r| r.id == *id);
    if let (Some(outcome), false) = (record.and_then(|r| r.outcome), told) {
        tell(Event::Outcome { outcome })?;
    }
    if let Some(evidence) = last_evidence(id)? {
        tell(Event::Evidence { evidence: Box::new(evidence) })?;
    }
    Ok(Exit::Ok)
}

fn tell(event: Event) -> Result<(), Failure> {
    say(&Line { v: VERSION, at: clock::wall(), host: None, event })
}

/// Events lie in memory: of a transaction of an earlier boot there are none.
fn in_this_boot(id: &TxId) -> Result<bool, Failure> {
    let boot_id = system_files::boot_id().map_err(|e| internal("reading the boot id", e))?;
    Ok(read_journal()?.is_some_and(|r| r.id == *id && r.boot_id == boot_id))
}

/// Whether no news can come any more. A guard that never gave a sign was never started, once its time for that is over:
/// whoever attaches again then has the transaction finished.
fn is_silent(record: &Record) -> Result<bool, Fault> {
    let now = clock::boot_now();
    match Heartbeat::of(&record.id).read()? {
        Some(last) => Ok(now.since(last) > SILENT),
        None => may_be_starting(record).map(|starting| !starting),
    }
}

/// Finishes a transaction that nobody else will: its guard is dead, and no dead man's timer runs (DESIGN rule 15).
fn recover_if_dead() -> Result<(), Failure> {
    let Some(record) = read_journal()?.filter(|r| !r.ended()) else { return Ok(()) };
    if may_be_starting(&record)? {
        return Ok(());
    }
    let systemd = Systemd::new(Runner::default(), record.previous.clone());
    let timer = format!("{}.timer", layout::dead_man_unit(&record.id));
    let timers = systemd.matching(&timer).map_err(|e| internal("looking for the dead man's timer", e))?;
    if !timers.is_empty() {
        return Ok(());
    }
    match owner(&record)? {
        Owner::Lives => return Ok(()),
        Owner::Hangs => kill_owners(&systemd, &record.id)?,
        // Somebody else may be about to recover it, as we are: whoever comes second leaves it to the first.
        Owner::Nobody => {}
    }
    let guard = env::current_exe().map_err(|e| internal("finding this program", e))?;
    recover_first(&Runner::default(), &guard, &record.id, &record.previous)
}

/// Who holds the lock of an unfinished transaction; its guard does for as long as it lives.
enum Owner {
    Nobody,
    Lives,
    Hangs,
}

/// A guard that recovers from another boot is waited for: it has no followers, and soon comes to an end. One that gives
/// no sign may have just been started.
fn owner(record: &Record) -> Result<Owner, Failure> {
    let boot_id = system_files::boot_id().map_err(|e| internal("reading the boot id", e))?;
    let watched = clock::start();
    loop {
        let lock = Lock::try_take(&layout::state("lock")).map_err(|e| internal("taking the lock", e))?;
        if lock.is_some() {
            return Ok(Owner::Nobody);
        }
        let Some(now) = read_journal()?.filter(|r| r.id == record.id && !r.ended()) else {
            return Ok(Owner::Lives);
        };
        if gives_sign(&record.id)? {
            if now.boot_id == boot_id {
                return Ok(Owner::Lives);
            }
        } else if watched.elapsed() > DEAD {
            return Ok(Owner::Hangs);
        }
        clock::sleep(LOOK);
    }
}

pub(super) fn status(as_is: bool) -> Result<Exit, Failure> {
    must_be_root()?;
    if !as_is {
        recover_if_dead()?;
    }
    let record = read_journal()?;
    let evidence = record.as_ref().map(|r| last_evidence(&r.id)).transpose()?.flatten();
    let alive = record.as_ref().map_or(Ok(false), is_alive)?;
    say(&Reply::Status(Box::new(Status {
        protocol: PROTOCOL,
        record,
        alive,
        evidence,
        bans: read_bans()?,
    })))?;
    Ok(Exit::Ok)
}

fn is_alive(record: &Record) -> Result<bool, Failure> {
    Ok(!record.ended() && gives_sign(&record.id)?)
}
