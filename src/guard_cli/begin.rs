//! `nqd-guard begin`: admits a transaction, makes its first record durable, and starts its guard, detached.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::run::GUARD_PROPERTIES;
use super::{internal, must_be_root, read_input, say, watch};
use crate::effects::files::Lock;
use crate::effects::machine::Fault;
use crate::effects::runner::{Cmd, Runner};
use crate::effects::systemd::Systemd;
use crate::effects::this_machine::{Journal, ThisMachine, journal, prepare, read_bans, write_first};
use crate::effects::{clock, env, files, layout, system_files};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::admit::{Found, admit};
use crate::guard::protocol::Reply;
use crate::guard::{Frozen, Record, Spec, State, record, recovery};
use crate::health::Manifest;
use crate::model::store_path::STORE_DIR;
use crate::model::{StorePath, TxId};

/// How long another guard's recovery may take before we give up waiting for it.
const RECOVERY: Duration = Duration::from_secs(1800);

pub(super) fn begin() -> Result<Exit, Failure> {
    must_be_root()?;
    let spec: Spec =
        serde_json::from_str(&read_input()?).map_err(|e| internal("reading the specification", e))?;
    prepare()?;
    let runner = Runner::default();
    let guard = env::current_exe().map_err(|e| internal("finding this program", e))?;
    let lock = take_lock(&runner, &guard)?;
    let found = find(&spec, &runner)?;
    admit(&spec, &found)?;
    sync_store(&found.triple.running, &runner)?;
    // What was copied is on disk now.
    files::remove(&Path::new(layout::COPIES).join(spec.id.as_str()))
        .map_err(|e| internal("noting that all is copied", e))?;
    let record = first_record(spec, &found, guard);
    write_first(&record)?;
    if let Err(failure) = start(&runner, &record) {
        return Err(take_back(&runner, record, failure));
    }
    // From here on the unfinished journal is the lock; the guard waits for ours.
    drop(lock);
    say(&Reply::Begun(record.id.clone()))?;
    watch::stream(&record.id)
}

/// The lock, once no transaction is unfinished; one whose guard has died is recovered first.
fn take_lock(runner: &Runner, guard: &Path) -> Result<Lock, Failure> {
    let waited = clock::start();
    let mut asked = None;
    loop {
        let lock = Lock::try_take(&layout::state("lock")).map_err(|e| internal("taking the lock", e))?;
        let unfinished = match journal()? {
            Journal::Empty => None,
            Journal::Ours(record) => Some(Unfinished::Ours(record)).filter(|u| !u.ended()),
            Journal::Foreign(frozen) => Some(Unfinished::Foreign(frozen)).filter(|u| !u.ended()),
        };
        match (lock, unfinished) {
            (Some(lock), None) => return Ok(lock),
            (Some(lock), Some(Unfinished::Ours(record)))
                if !may_be_starting(&record)? && waited.elapsed() < RECOVERY =>
            {
                drop(lock);
                recover_first(runner, guard, &record.id, &record.previous)?;
            }
            // Only the guard that wrote it can finish it, and needs the lock for that.
            (Some(lock), Some(Unfinished::Foreign(frozen))) if asked.as_ref() != Some(&frozen) => {
                drop(lock);
                recover_first(runner, &frozen.guard, &frozen.id, &frozen.previous)
                    .map_err(|f| f.hint("the journal is of another version; use that version of nqd"))?;
                asked = Some(frozen);
            }
            (_, Some(unfinished)) => return Err(unfinished.busy()),
            (None, None) if waited.elapsed() > Duration::from_secs(5) => {
                return Err(Failure::new(Exit::Busy, "another transaction is beginning on this machine"));
            }
            (None, None) => clock::sleep(Duration::from_millis(50)),
        }
    }
}

/// A transaction that the journal does not say to have ended.
enum Unfinished {
    Ours(Box<Record>),
    Foreign(Frozen),
}

impl Unfinished {
    fn ended(&self) -> bool {
        match self {
            Self::Ours(record) => record.ended(),
            Self::Foreign(frozen) => frozen.ended(),
        }
    }

    fn busy(&self) -> Failure {
        let (what, hint) = match self {
            Self::Ours(record) => (record.describe(), "nqd follow shows it, nqd cancel rolls it back"),
            Self::Foreign(Frozen { id, state, .. }) => {
                (format!("{id}, {state}"), "it is of another version; use that version of nqd")
            }
        };
        Failure::new(Exit::Busy, format!("a transaction is running on this machine: {what}")).hint(hint)
    }
}

/// Between the first record and the guard's taking the lock there is a moment in which nobody holds it.
pub(super) fn may_be_starting(record: &Record) -> Result<bool, Fault> {
    let boot_id = system_files::boot_id().map_err(|e| Fault::new("reading the boot id", e))?;
    let young = clock::boot_now().since(record.entered) < Duration::from_secs(15);
    Ok(record.state == State::Planned && record.boot_id == boot_id && young)
}

/// Has a detached process finish what a dead guard began, and waits for it.
pub(super) fn recover_first(
    runner: &Runner,
    guard: &Path,
    id: &TxId,
    tools: &StorePath,
) -> Result<(), Failure> {
    let systemd = Systemd::new(runner.clone(), tools.clone());
    let unit = layout::recovery_unit(id, std::process::id());
    let argv = [guard.display().to_string(), "recover".to_owned()];
    systemd
        .run_and_wait(&unit, &GUARD_PROPERTIES, &argv, RECOVERY)
        .map_err(|e| internal(&format!("recovering transaction {id} first"), e))
}

fn find(spec: &Spec, runner: &Runner) -> Result<Found, Failure> {
    let read = |what: &'static str| move |e: std::io::Error| internal(what, e);
    let triple = system_files::triple().map_err(read("reading what the machine runs and boots"))?;
    let describe =
        |system: &StorePath| system_files::describe(system).map_err(read("reading a system's files"));
    Ok(Found {
        boot_id: system_files::boot_id().map_err(read("reading the boot id"))?,
        valid: is_valid(&triple.running, &spec.candidate, runner)?,
        bans: read_bans()?,
        previous: describe(&triple.running)?,
        candidate: describe(&spec.candidate)?,
        activate: describe(&spec.activate)?,
        triple,
    })
}

fn is_valid(tools: &StorePath, path: &StorePath, runner: &Runner) -> Result<bool, Failure> {
    let cmd = Cmd::new(tools.join("sw/bin/nix-store"))
        .args(["--check-validity", path.as_str()])
        .clear_env()
        .env("HOME", "/root")
        .accept(&[0, 1]);
    let out = runner.run(&cmd).map_err(|e| internal("asking Nix whether the candidate is valid", e))?;
    Ok(out.status == 0)
}

/// Makes what was copied durable. Nix syncs its database but not the files: after a power cut a path can be valid and
/// empty, the guard that was to recover among them.
fn sync_store(tools: &StorePath, runner: &Runner) -> Result<(), Failure> {
    let cmd = Cmd::new(tools.join("sw/bin/sync")).args(["-f", STORE_DIR]).clear_env();
    runner.run(&cmd).map(drop).map_err(|e| internal("writing the store to disk", e))
}

fn first_record(spec: Spec, found: &Found, guard: PathBuf) -> Record {
    Record {
        id: spec.id.clone(),
        boot_id: found.boot_id.clone(),
        state: State::Planned,
        previous: found.triple.running.clone(),
        candidate: spec.candidate.clone(),
        guard,
        format: record::FORMAT,
        began: clock::wall(),
        entered: clock::boot_now(),
        deadline: None,
        start: found.triple.clone(),
        manifest: found.activate.manifest.as_deref().map(Manifest::hash),
        activated: false,
        installing: false,
        confirmed: false,
        reason: None,
        degraded: false,
        outcome: None,
        spec,
    }
}

/// What was recorded and could not be started is ended, so that nobody finds it unfinished.
fn take_back(runner: &Runner, record: Record, failure: Failure) -> Failure {
    let systemd = Systemd::new(runner.clone(), record.previous.clone());
    let ended = systemd
        .kill(&layout::guard_unit(&record.id))
        .map_err(|e| Fault::new("killing the guard", e))
        .and_then(|()| ThisMachine::for_transaction(&record, runner.clone()))
        .and_then(|mut machine| recovery::recover(&mut machine, record));
    match ended {
        Ok(_) => failure,
        Err(also) => {
            Failure { what: format!("{}\nand it could not be taken back: {also}", failure.what), ..failure }
        }
    }
}

/// Starts the guard's own unit: it has no connection to the session that asked for it.
fn start(runner: &Runner, record: &Record) -> Result<(), Failure> {
    let systemd = Systemd::new(runner.clone(), record.previous.clone());
    let argv = [record.guard.display().to_string(), "run".to_owned(), record.id.to_string()];
    let unit = layout::guard_unit(&record.id);
    systemd.start_transient(&unit, &GUARD_PROPERTIES, &argv).map_err(|e| internal("starting the guard", e))
}
