//! What outlives the guard: journal, snapshot, history, under /nix/var/nqd.

use std::fs;
use std::io;
use std::path::Path;

use rustix::rand::{GetRandomFlags, getrandom};

use super::ThisMachine;
use crate::effects::machine::{Fault, Ledger, Snapshot, tried};
use crate::effects::slots::Slots;
use crate::effects::{files, layout, system_files};
use crate::guard::{Evidence, Frozen, Record, record};
use crate::model::{StorePath, TxId};

/// Space that is freed for a rollback.
const BALLAST: usize = 8 << 20;
/// A history that has grown larger than this is set aside, and a new one begun.
const HISTORY: u64 = 8 << 20;
/// Of what the public history is readable by.
const READERS: &str = "nqd-ingest";

/// The journal's record.
pub fn read_journal() -> Result<Option<Record>, Fault> {
    let what = "reading the journal";
    let Some(bytes) = Slots::at(layout::state("journal")).read().map_err(tried(what))? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| unreadable(&bytes, &e))
}

/// A record that we cannot read, but whose frozen fields name the guard that can.
fn unreadable(bytes: &[u8], e: &serde_json::Error) -> Fault {
    match serde_json::from_slice::<Frozen>(bytes) {
        Ok(frozen) => {
            let why = format!(
                "it is of another version than {}; the guard that wrote it can read it: {} status",
                record::FORMAT,
                frozen.guard.display()
            );
            Fault::new("reading the journal", why)
        }
        Err(_) => Fault::new("reading the journal", e),
    }
}

/// Makes the directories of our lasting state, and fills what must be there before a transaction begins.
pub fn prepare() -> Result<(), Fault> {
    let what = "preparing /nix/var/nqd";
    let dirs = [(layout::state(""), 0o711), (layout::state("tx"), 0o700), (layout::state("public"), 0o750)];
    for (dir, mode) in dirs {
        files::make_dir(&dir, mode).map_err(tried(what))?;
    }
    fs::create_dir_all(layout::ROOTS).map_err(tried(what))?;
    let ballast = layout::state("ballast");
    if fs::metadata(&ballast).map_or(0, |m| m.len()) < BALLAST as u64 {
        files::write_durable(&ballast, &incompressible().map_err(tried(what))?, 0o600)
            .map_err(tried(what))?;
    }
    Ok(())
}

/// Random bytes: zeros would take no space on a file system that compresses.
fn incompressible() -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; BALLAST];
    for chunk in bytes.chunks_mut(1 << 20) {
        let n = getrandom(&mut *chunk, GetRandomFlags::empty())?;
        if n < chunk.len() {
            return Err(io::Error::other("the kernel gave too few random bytes"));
        }
    }
    Ok(bytes)
}

/// The last line of the history for a transaction.
pub fn last_evidence(id: &TxId) -> Result<Option<Evidence>, Fault> {
    let text = files::read_text(&layout::state("history.jsonl"), HISTORY * 2)
        .map_err(tried("reading the history"))?;
    // A torn line is no record; what follows it is.
    let records =
        text.iter().flat_map(|t| t.lines()).filter_map(|l| serde_json::from_str::<Evidence>(l).ok());
    Ok(records.fold(None, |last, e| if e.id == *id { Some(e) } else { last }))
}

impl Ledger for ThisMachine {
    fn journal(&self) -> Result<Option<Record>, Fault> {
        read_journal()
    }

    fn write_journal(&mut self, record: &Record) -> Result<(), Fault> {
        write_journal(record)
    }

    fn release_ballast(&mut self) -> Result<(), Fault> {
        files::remove(&layout::state("ballast")).map_err(tried("freeing the reserved space"))
    }

    fn write_snapshot(&mut self, id: &TxId, snapshot: &Snapshot) -> Result<(), Fault> {
        let what = "writing the snapshot";
        files::make_dir(&layout::of_transaction(id, ""), 0o700).map_err(tried(what))?;
        let bytes = serde_json::to_vec(snapshot).map_err(tried(what))?;
        files::write_durable(&layout::of_transaction(id, "snapshot.json"), &bytes, 0o600).map_err(tried(what))
    }

    fn snapshot(&self, id: &TxId) -> Result<Option<Snapshot>, Fault> {
        let what = "reading the snapshot";
        let text =
            files::read_text(&layout::of_transaction(id, "snapshot.json"), 64 << 20).map_err(tried(what))?;
        text.map(|t| serde_json::from_str(&t).map_err(tried(what))).transpose()
    }

    fn append_history(&mut self, evidence: &Evidence) -> Result<(), Fault> {
        let what = "appending to the history";
        let append = |path: &Path, evidence: &Evidence, mode| {
            if fs::metadata(path).map_or(0, |m| m.len()) > HISTORY {
                fs::rename(path, path.with_extension("jsonl.1"))?;
            }
            files::append_line(path, &serde_json::to_string(evidence)?, mode)
        };
        append(&layout::state("history.jsonl"), evidence, 0o600).map_err(tried(what))?;
        let public = layout::state("public/history.jsonl");
        append(&public, &evidence.redacted(), 0o640).map_err(tried(what))?;
        give_to_readers(&public).map_err(tried("making the public history readable"))
    }

    fn record_boot(&mut self, system: &StorePath) -> Result<(), Fault> {
        system_files::write_boot_record(system).map_err(tried("recording what boots"))
    }
}

/// Makes a transaction's first record durable, and the guard and the systems that it needs safe from the garbage
/// collector. The caller holds the lock.
pub fn write_first(record: &Record) -> Result<(), Fault> {
    let what = "writing the first record";
    for (name, path) in [("candidate", &record.candidate), ("previous", &record.previous)] {
        // Not synced: no garbage is collected before the next boot, and then nothing of this transaction is needed.
        files::point_link(&layout::root(&record.id, name), path.as_path()).map_err(tried(what))?;
    }
    if let Ok(guard) = StorePath::containing(&record.guard) {
        let root = Path::new(layout::ROOTS).join("guard");
        files::replace_link(&root, guard.as_path()).map_err(tried(what))?;
    }
    files::replace_link(Path::new(layout::GUARD), &record.guard).map_err(tried(what))?;
    write_journal(record)
}

/// Makes a record durable.
fn write_journal(record: &Record) -> Result<(), Fault> {
    let what = "writing the journal";
    let bytes = serde_json::to_vec(record).map_err(tried(what))?;
    Slots::at(layout::state("journal")).write(&bytes).map_err(tried(what))
}

/// Where the group of the knowledge service exists, the public history and its directory are its to read.
fn give_to_readers(path: &Path) -> io::Result<()> {
    let groups = files::read_text(Path::new("/etc/group"), 4 << 20)?.unwrap_or_default();
    let gid = groups
        .lines()
        .find_map(|l| l.strip_prefix(READERS)?.strip_prefix(':')?.split(':').nth(1)?.parse().ok());
    for path in [Some(path), path.parent()].into_iter().flatten() {
        std::os::unix::fs::lchown(path, None, gid)?;
    }
    Ok(())
}
