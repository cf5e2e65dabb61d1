//! Whether a switch script runs, without taking its lock: a moment of holding it would make another one fail.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::files::{at, read_text};
use super::layout::SWITCH_LOCK;

/// Whether somebody holds the lock of switch-to-configuration.
pub fn held() -> io::Result<bool> {
    let path = Path::new(SWITCH_LOCK);
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(at(path)(e)),
    };
    let locks = read_text(Path::new("/proc/locks"), 8 << 20)?.unwrap_or_default();
    let device = (rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev()));
    Ok(is_locked(&locks, device, meta.ino()))
}

/// Lines of proc(5), locks: `1: FLOCK  ADVISORY  WRITE 123 00:19:5678 0 EOF`, device numbers in hexadecimal.
fn is_locked(locks: &str, (major, minor): (u32, u32), inode: u64) -> bool {
    let file = format!("{major:02x}:{minor:02x}:{inode}");
    locks
        .lines()
        .any(|l| l.split_whitespace().any(|w| w == "FLOCK") && l.split_whitespace().any(|w| w == file))
}

#[cfg(test)]
mod tests {
    use super::is_locked;

    #[test]
    fn finds_the_lock_by_device_and_inode() {
        let locks =
            "1: POSIX  ADVISORY  WRITE 7 00:1a:99 0 EOF\n2: FLOCK  ADVISORY  WRITE 8 00:1a:5678 0 EOF\n";
        assert!(is_locked(locks, (0, 0x1a), 5678));
        assert!(!is_locked(locks, (0, 0x1a), 99), "another kind of lock");
        assert!(!is_locked(locks, (0, 0x1b), 5678));
    }
}
