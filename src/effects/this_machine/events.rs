//! The events of a transaction, as its followers read them: a file in memory that goes with the boot.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::effects::machine::{Fault, tried};
use crate::effects::runner::{Observer, Ran};
use crate::effects::{clock, files, layout};
use crate::model::TxId;
use crate::report::event::{Event, Line, VERSION};

/// How often a follower looks for more.
const LOOK: Duration = Duration::from_millis(15);

/// Where the guard writes its events.
pub(super) struct EventLog {
    path: PathBuf,
}

impl EventLog {
    pub(super) fn open(id: &TxId) -> Result<Self, Fault> {
        let path = layout::of_run(id, "events.jsonl");
        // Made empty now, so that a follower never finds nothing to follow.
        let mut options = File::options();
        options.create(true).append(true).custom_flags(files::no_follow()).mode(0o600);
        options.open(&path).map_err(tried("making the file of events"))?;
        Ok(Self { path })
    }

    /// Appends an event. Followers are not what a transaction depends on: a failure goes to the journal of systemd.
    pub(super) fn append(&self, event: Event) {
        let line = Line { v: VERSION, at: clock::wall(), host: None, event };
        let written = serde_json::to_string(&line).map_err(std::io::Error::from).and_then(|text| {
            let mut file = File::options().append(true).custom_flags(files::no_follow()).open(&self.path)?;
            file.write_all(format!("{text}\n").as_bytes())
        });
        if let Err(e) = written {
            eprintln!("nqd-guard: {}: {e}", self.path.display());
        }
    }
}

/// Tells a transaction's followers of every program that its guard runs: what nobody waits for costs nothing.
pub fn observer(id: &TxId) -> Observer {
    let log = EventLog { path: layout::of_run(id, "events.jsonl") };
    Arc::new(move |ran: &Ran| {
        log.append(Event::Ran { command: ran.cmd.clone(), from: ran.from.0, to: ran.to.0 });
    })
}

/// Hands every event of a transaction to `tell`, from its first to its outcome, for as long as `go_on` says so.
pub fn follow(
    id: &TxId,
    mut go_on: impl FnMut() -> Result<bool, Fault>,
    mut tell: impl FnMut(&str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let path = layout::of_run(id, "events.jsonl");
    let what = "reading the events";
    let mut reader = loop {
        match File::options().read(true).custom_flags(files::no_follow()).open(&path) {
            Ok(file) => break BufReader::new(file),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                if !go_on()? {
                    return Ok(());
                }
                clock::sleep(LOOK);
            }
            Err(e) => return Err(Fault::new(what, e)),
        }
    };
    let mut line = String::new();
    loop {
        let read = reader.read_line(&mut line).map_err(tried(what))?;
        if line.ends_with('\n') {
            tell(line.trim_end())?;
            let over = line.contains(r#""event":"outcome""#);
            line.clear();
            if over {
                return Ok(());
            }
        } else {
            // Not complete yet: read it again from its start.
            let back = i64::try_from(read).unwrap_or(0);
            reader.seek(SeekFrom::Current(-back)).map_err(tried(what))?;
            line.clear();
            if !go_on()? {
                return Ok(());
            }
            clock::sleep(LOOK);
        }
    }
}
