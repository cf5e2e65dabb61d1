//! A file of two slots that are written in turn, in place: after any crash one of them holds the last or the last
//! but one content, whole. Writing needs no free space, because both slots were filled when the file was made.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::files;
use crate::model::text::hex;

/// Bytes of one slot, its header line included.
const SLOT: usize = 64 << 10;
const MAGIC: &str = "nqd-slot 1";

/// The file.
#[derive(Debug)]
pub struct Slots {
    path: PathBuf,
}

/// Why a slot file cannot be used.
#[derive(Debug, Error)]
pub enum SlotsError {
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Neither slot is whole, which no crash of ours can cause.
    #[error("{}: neither of its two records is readable. See what the machine runs and boots, then move it away", .0.display())]
    Unreadable(PathBuf),
    /// The content does not fit.
    #[error("a record of {0} bytes does not fit")]
    TooLarge(usize),
}

/// One slot as found.
enum Slot {
    Blank,
    Torn,
    Whole { sequence: u64, payload: Vec<u8> },
}

impl Slots {
    /// The file at `path`, whether it exists or not.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The newest whole content; `None` if nothing was ever written whole.
    pub fn read(&self) -> Result<Option<Vec<u8>>, SlotsError> {
        Ok(self.newest()?.map(|(_, payload)| payload))
    }

    /// Writes the next content and returns once it is durable.
    pub fn write(&self, payload: &[u8]) -> Result<(), SlotsError> {
        let next = match self.newest() {
            Ok(newest) => newest.map_or(0, |(sequence, _)| sequence + 1),
            Err(e) => return Err(e),
        };
        let header = format!("{MAGIC} {next} {} {}\n", payload.len(), checksum(payload));
        let bytes = [header.as_bytes(), payload].concat();
        if bytes.len() > SLOT {
            return Err(SlotsError::TooLarge(payload.len()));
        }
        let file = self.open()?;
        let offset = u64::try_from(SLOT).unwrap_or(0) * (next % 2);
        file.write_all_at(&bytes, offset).and_then(|()| file.sync_data()).map_err(files::at(&self.path))?;
        Ok(())
    }

    fn newest(&self) -> Result<Option<(u64, Vec<u8>)>, SlotsError> {
        let Some(bytes) = files::read_own(&self.path, 2 * SLOT as u64)? else { return Ok(None) };
        let slot = |i: usize| parse(bytes.get(i * SLOT..).unwrap_or_default());
        match (slot(0), slot(1)) {
            (Slot::Whole { sequence: a, payload: pa }, Slot::Whole { sequence: b, payload: pb }) => {
                Ok(Some(if a > b { (a, pa) } else { (b, pb) }))
            }
            (Slot::Whole { sequence, payload }, _) | (_, Slot::Whole { sequence, payload }) => {
                Ok(Some((sequence, payload)))
            }
            // The very first write was torn: nothing had been acted on.
            (Slot::Torn | Slot::Blank, Slot::Blank) => Ok(None),
            (_, Slot::Torn) => Err(SlotsError::Unreadable(self.path.clone())),
        }
    }

    /// Opens the file for writing, filling it first if that never happened.
    fn open(&self) -> Result<File, SlotsError> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(files::no_follow());
        let file = options.open(&self.path).map_err(files::at(&self.path))?;
        let len = file.metadata().map_err(files::at(&self.path))?.len();
        let full = 2 * SLOT;
        if len < u64::try_from(full).unwrap_or(0) {
            let missing = vec![0; full - usize::try_from(len).unwrap_or(0)];
            file.write_all_at(&missing, len).and_then(|()| file.sync_all()).map_err(files::at(&self.path))?;
            files::sync_dir(self.path.parent().unwrap_or_else(|| Path::new("/")))?;
        }
        Ok(file)
    }
}

fn parse(slot: &[u8]) -> Slot {
    let slot = slot.get(..SLOT).unwrap_or(slot);
    if slot.iter().all(|b| *b == 0) {
        return Slot::Blank;
    }
    whole(slot).map_or(Slot::Torn, |(sequence, payload)| Slot::Whole { sequence, payload })
}

fn whole(slot: &[u8]) -> Option<(u64, Vec<u8>)> {
    let end = slot.iter().position(|b| *b == b'\n')?;
    let header = std::str::from_utf8(slot.get(..end)?).ok()?.strip_prefix(MAGIC)?;
    let mut words = header.split_whitespace();
    let (sequence, len, sum) =
        (words.next()?.parse().ok()?, words.next()?.parse::<usize>().ok()?, words.next()?);
    let payload = slot.get(end + 1..)?.get(..len)?;
    (checksum(payload) == sum).then(|| (sequence, payload.to_vec()))
}

fn checksum(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn slots() -> (tempfile::TempDir, Slots) {
        let dir = tempfile::tempdir().unwrap();
        let slots = Slots::at(dir.path().join("journal"));
        (dir, slots)
    }

    #[test]
    fn the_last_write_is_read() {
        let (_dir, slots) = slots();
        assert!(slots.read().unwrap().is_none());
        for i in 0..5 {
            slots.write(format!("record {i}").as_bytes()).unwrap();
            assert_eq!(slots.read().unwrap().unwrap(), format!("record {i}").as_bytes());
        }
        assert_eq!(fs::metadata(&slots.path).unwrap().len(), 2 * SLOT as u64);
    }

    #[test]
    fn a_torn_write_leaves_the_one_before() {
        let (_dir, slots) = slots();
        slots.write(b"first").unwrap();
        slots.write(b"second").unwrap();
        let mut bytes = fs::read(&slots.path).unwrap();
        bytes[SLOT + 84] ^= 1;
        fs::write(&slots.path, &bytes).unwrap();
        assert_eq!(slots.read().unwrap().unwrap(), b"first");
        slots.write(b"third").unwrap();
        assert_eq!(slots.read().unwrap().unwrap(), b"third");
    }

    #[test]
    fn empty_short_and_first_torn_files_hold_nothing() {
        let (_dir, slots) = slots();
        for content in [Vec::new(), vec![0; 10], b"nqd-slot 1 0 99".to_vec()] {
            fs::write(&slots.path, content).unwrap();
            assert!(slots.read().unwrap().is_none());
        }
        slots.write(b"x").unwrap();
        assert_eq!(slots.read().unwrap().unwrap(), b"x");
    }

    #[test]
    fn two_unreadable_slots_are_an_error_not_nothing() {
        let (_dir, slots) = slots();
        fs::write(&slots.path, vec![b'?'; 2 * SLOT]).unwrap();
        assert!(matches!(slots.read(), Err(SlotsError::Unreadable(_))));
        assert!(slots.write(b"x").is_err(), "what cannot be read must not be overwritten");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (_dir, slots) = slots();
        assert!(matches!(slots.write(&vec![b'x'; SLOT]), Err(SlotsError::TooLarge(_))));
    }

    #[test]
    fn a_journal_of_any_size_takes_no_more_memory() {
        let (dir, slots) = slots();
        slots.write(b"x").unwrap();
        // Larger than any memory, and without a block on disk.
        OpenOptions::new().write(true).open(&slots.path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(slots.read().unwrap().unwrap(), b"x");
        let link = Slots::at(dir.path().join("link"));
        std::os::unix::fs::symlink(&slots.path, &link.path).unwrap();
        assert!(link.read().is_err(), "a link was followed");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn a_crash_in_the_middle_of_a_write_shows_old_or_new(cut in 0usize..400) {
            let (_dir, slots) = slots();
            slots.write(b"old").unwrap();
            let before = fs::read(&slots.path).unwrap();
            slots.write(b"new").unwrap();
            let after = fs::read(&slots.path).unwrap();
            let mixed = [&after[..SLOT + cut], &before[SLOT + cut..]].concat();
            fs::write(&slots.path, mixed).unwrap();
            let seen = slots.read().unwrap().unwrap();
            prop_assert!(seen == b"old" || seen == b"new");
        }
    }
}
