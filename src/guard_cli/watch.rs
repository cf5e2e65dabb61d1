//! `nqd-guard follow` and `status`: what a transaction does, and what is known of the last one.

use std::time::Duration;

use super::begin::{may_be_starting, recover_first};
use super::{must_be_root, say, say_line};
use crate::effects::machine::Fault;
use crate::effects::runner::Runner;
use crate::effects::this_machine::{
    Heartbeat, follow as follow_events, last_evidence, read_bans, read_journal,
};
use crate::effects::{clock, env, system_files};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::protocol::{Reply, Status};
use crate::guard::{PROTOCOL, Record, State};
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
            Ok(read_journal()?.is_some_and(|r| r.id == *id && !r.ended()) && !is_silent(id)?)
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
    let boot_id = system_files::boot_id().map_err(|e| super::internal("reading the boot id", e))?;
    Ok(read_journal()?.is_some_and(|r| r.id == *id && r.boot_id == boot_id))
}

fn is_silent(id: &TxId) -> Result<bool, Fault> {
    let now = clock::boot_now();
    Ok(Heartbeat::of(id).read()?.is_some_and(|t| now.since(t) > SILENT))
}

/// Finishes a transaction that nobody else will: of an earlier boot, or one that died before its dead man's timer was
/// armed (DESIGN rule 15).
fn recover_if_dead() -> Result<(), Failure> {
    let Some(record) = read_journal()?.filter(|r| !r.ended()) else { return Ok(()) };
    let boot_id = system_files::boot_id().map_err(|e| super::internal("reading the boot id", e))?;
    let unarmed = matches!(record.state, State::Planned | State::Baselined | State::Armed);
    if record.boot_id != boot_id || (unarmed && !is_alive(&record)? && !may_be_starting(&record)?) {
        let guard = env::current_exe().map_err(|e| super::internal("finding this program", e))?;
        recover_first(&Runner::default(), &guard, &record)?;
    }
    Ok(())
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
    let boot_id = system_files::boot_id().map_err(|e| super::internal("reading the boot id", e))?;
    let now = clock::boot_now();
    let beat = Heartbeat::of(&record.id).read()?;
    let recent = beat.is_some_and(|t| now.since(t) < Duration::from_secs(15));
    Ok(!record.ended() && record.boot_id == boot_id && recent)
}
