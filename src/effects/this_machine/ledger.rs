//! What outlives the guard: journal, snapshot, history, under /nix/var/nqd.

use std::fs;
use std::io;
use std::path::Path;

use rustix::rand::{GetRandomFlags, getrandom};

use super::ThisMachine;
use crate::effects::machine::{Fault, Ledger, Snapshot, tried};
use crate::effects::slots::Slots;
use crate::effects::{files, layout, system_files};
use crate::guard::{Ban, Bans, Evidence, Frozen, Record, ban, evidence, record};
use crate::model::{StorePath, TxId};

/// Space that is freed for a rollback.
const BALLAST: usize = 8 << 20;
/// Snapshots that are kept.
const SNAPSHOTS: usize = 20;
/// A history that has grown larger than this is set aside, and a new one begun.
const HISTORY: u64 = 8 << 20;
/// The longest line of it that is looked at again.
const LINE: u64 = 1 << 20;
/// Of what the public history is readable by.
const READERS: &str = "nqd-ingest";

/// What the journal holds.
#[derive(Debug)]
pub enum Journal {
    /// There never was a transaction.
    Empty,
    /// A record of ours.
    Ours(Box<Record>),
    /// A record of another version, whose frozen fields name the guard that can read it.
    Foreign(Frozen),
}

/// Reads the journal.
pub fn journal() -> Result<Journal, Fault> {
    let what = "reading the journal";
    let Some(bytes) = Slots::at(layout::state("journal")).read().map_err(tried(what))? else {
        return Ok(Journal::Empty);
    };
    let record = serde_json::from_slice::<Record>(&bytes);
    match (record, serde_json::from_slice::<Frozen>(&bytes)) {
        (Ok(record), _) if record.format <= record::FORMAT => Ok(Journal::Ours(Box::new(record))),
        (_, Ok(frozen)) => Ok(Journal::Foreign(frozen)),
        (Ok(_), Err(e)) | (Err(e), Err(_)) => Err(Fault::new(what, e)),
    }
}

/// The journal's record.
pub fn read_journal() -> Result<Option<Record>, Fault> {
    match journal()? {
        Journal::Empty => Ok(None),
        Journal::Ours(record) => Ok(Some(*record)),
        Journal::Foreign(frozen) => {
            let why = format!(
                "it is of another version; the guard that wrote it reads it: {} status",
                frozen.guard.display()
            );
            Err(Fault::new("reading the journal", why))
        }
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
    forget_old_snapshots().map_err(tried(what))?;
    let ballast = layout::state("ballast");
    if fs::metadata(&ballast).map_or(0, |m| m.len()) < BALLAST as u64 {
        files::write_durable(&ballast, &incompressible().map_err(tried(what))?, 0o600)
            .map_err(tried(what))?;
    }
    Ok(())
}

/// Snapshots of all but the last transactions: the history keeps what is worth keeping.
fn forget_old_snapshots() -> io::Result<()> {
    let dir = layout::state("tx");
    let mut ids: Vec<_> = fs::read_dir(&dir)
        .map_err(files::at(&dir))?
        .map(|e| e.map(|e| e.file_name()))
        .collect::<io::Result<_>>()
        .map_err(files::at(&dir))?;
    // The names begin with their time.
    ids.sort_unstable();
    for id in ids.iter().take(ids.len().saturating_sub(SNAPSHOTS)) {
        fs::remove_dir_all(dir.join(id)).map_err(files::at(&dir))?;
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

/// The history as it lies on disk.
#[derive(Debug, Default)]
pub struct History {
    /// Every line that is a record, the oldest first.
    pub lines: Vec<String>,
    /// How many lines are none: a crash tore them.
    pub torn: usize,
}

/// Reads the history, the part that was set aside too.
pub fn read_history() -> Result<History, Fault> {
    let mut all = String::new();
    for name in ["history.jsonl.1", "history.jsonl"] {
        let bytes =
            files::read_own(&layout::state(name), HISTORY * 2).map_err(tried("reading the history"))?;
        all += &String::from_utf8_lossy(bytes.as_deref().unwrap_or_default());
        all.push('\n');
    }
    Ok(one_line_an_attempt(&all))
}

/// A guard that was killed between its line and the end of its journal may have left one, and the guard that finished
/// the attempt, otherwise, another: the last one of an attempt counts.
fn one_line_an_attempt(text: &str) -> History {
    let (mut lines, mut torn): (Vec<(TxId, &str)>, usize) = (Vec::new(), 0);
    for line in text.lines().filter(|l| !l.is_empty()) {
        match evidence::id_of_record(line) {
            Some(id) => {
                // Attempts follow one another: only the last can be told of again.
                lines.pop_if(|(last, _)| *last == id);
                lines.push((id, line));
            }
            None => torn += 1,
        }
    }
    History { lines: lines.into_iter().map(|(_, line)| line.to_owned()).collect(), torn }
}

/// The last line of the history for a transaction.
pub fn last_evidence(id: &TxId) -> Result<Option<Evidence>, Fault> {
    let history = read_history()?;
    let records = history.lines.iter().filter_map(|l| serde_json::from_str::<Evidence>(l).ok());
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
        let text = files::read_own_text(&layout::of_transaction(id, "snapshot.json"), 64 << 20)
            .map_err(tried(what))?;
        text.map(|t| serde_json::from_str(&t).map_err(tried(what))).transpose()
    }

    fn append_history(&mut self, evidence: &Evidence) -> Result<(), Fault> {
        let what = "appending to the history";
        append(&layout::state("history.jsonl"), evidence, 0o600).map_err(tried(what))?;
        let public = layout::state("public/history.jsonl");
        append(&public, &evidence.redacted(), 0o640).map_err(tried(what))?;
        give_to_readers(&public).map_err(tried("making the public history readable"))
    }

    fn record_boot(&mut self, system: &StorePath) -> Result<(), Fault> {
        system_files::write_boot_record(system).map_err(tried("recording what boots"))
    }

    fn ban(&mut self, ban: &Ban) -> Result<(), Fault> {
        let mut bans = read_bans()?;
        bans.add(ban.clone());
        write_bans(&bans)
    }

    fn lift_ban(&mut self, system: &StorePath) -> Result<(), Fault> {
        let mut bans = read_bans()?;
        if bans.lift(Some(system)).is_empty() { Ok(()) } else { write_bans(&bans) }
    }
}

/// Appends one line an attempt: where a guard wrote it and was killed before its journal said so, it is there.
fn append(path: &Path, evidence: &Evidence, mode: u32) -> io::Result<()> {
    let last = files::last_line(path, LINE)?;
    if last.and_then(|l| serde_json::from_str::<Evidence>(&l).ok()).is_some_and(|l| l.tells_of(evidence)) {
        return Ok(());
    }
    if fs::metadata(path).map_or(0, |m| m.len()) > HISTORY {
        fs::rename(path, path.with_extension("jsonl.1"))?;
    }
    files::append_line(path, &serde_json::to_string(evidence)?, mode)
}

/// The machine's bans.
pub fn read_bans() -> Result<Bans, Fault> {
    let what = "reading the bans";
    let path = layout::state("bans.json");
    let Some(text) = files::read_own_text(&path, 1 << 20).map_err(tried(what))? else {
        return Ok(Bans::default());
    };
    let bans: Bans = serde_json::from_str(&text).map_err(tried(what))?;
    if bans.format > ban::FORMAT {
        return Err(Fault::new(what, format!("{} is of a newer version", path.display())));
    }
    Ok(bans)
}

/// Makes the machine's bans durable.
pub fn write_bans(bans: &Bans) -> Result<(), Fault> {
    let what = "writing the bans";
    let text = serde_json::to_string(bans).map_err(tried(what))?;
    files::write_durable(&layout::state("bans.json"), text.as_bytes(), 0o600).map_err(tried(what))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::fake_machine::{FakeMachine, System, path};
    use crate::guard::{Options, State, Transaction};

    fn evidence(id: u8) -> Evidence {
        let mut m = FakeMachine::new(System::good(), System::good());
        let record = m.planned(&path('b'), Options::default());
        Transaction::new(&mut m, record).run().unwrap();
        Evidence { id: TxId::new("2026-11-22T06:03:01Z", [0, 0, id]), ..m.history.remove(0) }
    }

    #[test]
    fn one_line_an_attempt_although_its_guard_was_killed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("history.jsonl");
        // The second time, a guard that took over says the same.
        for id in [1, 2, 2] {
            append(&file, &evidence(id), 0o600).unwrap();
        }
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2);
        // It may also come to another end: that one counts.
        let mut other = evidence(2);
        other.outcome.state = State::Held;
        append(&file, &other, 0o600).unwrap();
        let history = one_line_an_attempt(&fs::read_to_string(&file).unwrap());
        let records: Vec<Evidence> = history.lines.iter().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(records, [evidence(1), other]);
        // A torn line is none, and the next is written whole.
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, &text[..text.len() - 9]).unwrap();
        append(&file, &evidence(2), 0o600).unwrap();
        let history = one_line_an_attempt(&fs::read_to_string(&file).unwrap());
        assert_eq!((history.lines.len(), history.torn), (2, 1));
    }
}
