//! Whether a switch script runs, without taking its lock: a moment of holding it would make another one fail.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::files::{at, read_text, write_durable};
use super::layout::SWITCH_LOCK;

/// More of a file of proc(5) is not read.
const LIMIT: u64 = 8 << 20;

/// A device and an inode: which file is meant.
type FileId = ((u32, u32), u64);

/// Whether a process of root's holds the lock of switch-to-configuration. The file is everybody's to read, and so to
/// lock (flock(2)): a stranger's lock is nobody's switch.
pub fn held() -> io::Result<bool> {
    let Some(file) = lock_file()? else { return Ok(false) };
    let locks = read_text(Path::new("/proc/locks"), LIMIT)?.unwrap_or_default();
    Ok(is_locked(&locks, file) && root_holds(file)?)
}

/// After a script that could not get the lock: where it is a stranger who keeps it, the file is replaced by one that
/// only root can open. Else anybody could keep a rollback from running.
pub fn take_from_strangers() -> io::Result<()> {
    let Some(file) = lock_file()? else { return Ok(()) };
    // Twice: between two looks one of root's may have handed over to another.
    if root_holds(file)? || root_holds(file)? {
        return Ok(());
    }
    write_durable(Path::new(SWITCH_LOCK), b"", 0o600)
}

fn lock_file() -> io::Result<Option<FileId>> {
    let path = Path::new(SWITCH_LOCK);
    match fs::metadata(path) {
        Ok(meta) => Ok(Some(((rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev())), meta.ino()))),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(at(path)(e)),
    }
}

/// Whether a process that root started has a lock on a file. Nobody else can make one of root's take it.
fn root_holds(file: FileId) -> io::Result<bool> {
    let proc = Path::new("/proc");
    for entry in fs::read_dir(proc).map_err(at(proc))? {
        let dir = entry.map_err(at(proc))?.path();
        // Processes come and go: what cannot be read is gone.
        let status = fs::read_to_string(dir.join("status")).unwrap_or_default();
        let Ok(fds) = fs::read_dir(dir.join("fdinfo")) else { continue };
        let mut infos = fds.flatten().filter_map(|fd| fs::read_to_string(fd.path()).ok());
        if is_of_root(&status) && infos.any(|info| is_locked(&info, file)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether root started it: the first number is the real user, whom a setuid program keeps.
fn is_of_root(status: &str) -> bool {
    let user = status.lines().find_map(|l| l.strip_prefix("Uid:")).and_then(|l| l.split_whitespace().next());
    user == Some("0")
}

/// Lines of proc(5), locks and fdinfo: `1: FLOCK  ADVISORY  WRITE 123 00:19:5678 0 EOF`, device numbers in hexadecimal.
fn is_locked(locks: &str, ((major, minor), inode): FileId) -> bool {
    let file = format!("{major:02x}:{minor:02x}:{inode}");
    locks
        .lines()
        .any(|l| l.split_whitespace().any(|w| w == "FLOCK") && l.split_whitespace().any(|w| w == file))
}

#[cfg(test)]
mod tests {
    use super::{is_locked, is_of_root};

    #[test]
    fn finds_the_lock_by_device_and_inode() {
        let locks =
            "1: POSIX  ADVISORY  WRITE 7 00:1a:99 0 EOF\n2: FLOCK  ADVISORY  WRITE 8 00:1a:5678 0 EOF\n";
        assert!(is_locked(locks, ((0, 0x1a), 5678)));
        assert!(!is_locked(locks, ((0, 0x1a), 99)), "another kind of lock");
        assert!(!is_locked(locks, ((0, 0x1b), 5678)));
    }

    #[test]
    fn a_lock_of_an_open_file_shows_in_its_fdinfo() {
        let info =
            "pos:\t0\nflags:\t0100000\nmnt_id:\t26\nlock:\t1: FLOCK  ADVISORY  READ 8 00:1a:5678 0 EOF\n";
        assert!(is_locked(info, ((0, 0x1a), 5678)));
    }

    #[test]
    fn a_setuid_program_is_whose_started_it() {
        assert!(is_of_root("Name:\tsh\nUid:\t0\t0\t0\t0\n"));
        assert!(!is_of_root("Name:\tpasswd\nUid:\t1000\t0\t0\t0\n"));
        assert!(!is_of_root(""));
    }
}
