//! The sign of life that the dead man's timer looks for.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::effects::machine::{Fault, tried};
use crate::effects::{clock, files, layout};
use crate::model::{BootTime, TxId};

/// Time between two signs of life.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// A living guard has written within this time: what is no time until then is no sign of life.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between two looks at a file that holds no time.
const LOOK: Duration = Duration::from_millis(100);

/// When the guard of a transaction was last alive, in memory that goes with the boot.
pub struct Heartbeat {
    path: PathBuf,
    last: AtomicU64,
}

impl Heartbeat {
    /// Of a transaction's guard.
    pub fn of(id: &TxId) -> Self {
        Self::at(layout::of_run(id, "heartbeat"))
    }

    fn at(path: PathBuf) -> Self {
        Self { path, last: AtomicU64::new(0) }
    }

    /// When the guard was last alive, as it wrote itself; `None` if it never was in this boot. A file without a time is
    /// looked at again: the guard may have just made it.
    pub fn read(&self) -> Result<Option<BootTime>, Fault> {
        let waited = clock::start();
        loop {
            let text =
                files::read_own_text(&self.path, 64).map_err(tried("reading the guard's sign of life"))?;
            let Some(text) = text else { return Ok(None) };
            match text.trim().parse() {
                Ok(time) => return Ok(Some(BootTime(time))),
                Err(_) if waited.elapsed() >= PATIENCE => return Ok(None),
                Err(_) => clock::sleep(LOOK),
            }
        }
    }

    /// Shows that we are alive.
    pub fn show(&self) {
        let now = clock::boot_now();
        let last = BootTime(self.last.load(Ordering::Relaxed));
        if now.since(last) >= HEARTBEAT {
            self.last.store(now.0, Ordering::Relaxed);
            // A failure shows as a missing sign of life: then the dead man's timer takes over, as it must.
            if let Err(e) = self.write(now) {
                eprintln!("nqd-guard: {}: {e}", self.path.display());
            }
        }
    }

    /// In place and always as long as before: whoever reads meanwhile never finds it empty, and takes us for dead.
    fn write(&self, now: BootTime) -> io::Result<()> {
        let mut options = File::options();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(files::no_follow());
        options.open(&self.path)?.write_all_at(format!("{:020}", now.0).as_bytes(), 0)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::thread;

    use super::*;

    fn heartbeat() -> (tempfile::TempDir, Heartbeat) {
        let dir = tempfile::tempdir().unwrap();
        let heartbeat = Heartbeat::at(dir.path().join("heartbeat"));
        (dir, heartbeat)
    }

    #[test]
    fn who_looks_while_it_is_written_never_finds_a_dead_guard() {
        let (_dir, heartbeat) = heartbeat();
        heartbeat.write(BootTime(7)).unwrap();
        thread::scope(|s| {
            let writer = s.spawn(|| (0..20_000).for_each(|n| heartbeat.write(BootTime(n)).unwrap()));
            while !writer.is_finished() {
                let text = fs::read_to_string(&heartbeat.path).unwrap();
                assert!(text.parse::<u64>().is_ok(), "{text:?}");
            }
        });
    }

    #[test]
    fn an_empty_file_is_looked_at_again() {
        let (_dir, heartbeat) = heartbeat();
        assert_eq!(heartbeat.read().unwrap(), None, "there never was a guard");
        fs::write(&heartbeat.path, "").unwrap();
        thread::scope(|s| {
            let seen = s.spawn(|| heartbeat.read().unwrap());
            clock::sleep(Duration::from_millis(300));
            heartbeat.show();
            assert!(seen.join().unwrap().is_some(), "it was taken for dead");
        });
    }

    #[test]
    fn it_is_private_and_follows_no_link() {
        let (dir, heartbeat) = heartbeat();
        heartbeat.write(BootTime(1)).unwrap();
        let mode = fs::metadata(&heartbeat.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let link = Heartbeat::at(dir.path().join("link"));
        std::os::unix::fs::symlink(dir.path().join("victim"), &link.path).unwrap();
        assert!(link.write(BootTime(1)).is_err() && !dir.path().join("victim").exists());
    }
}
