//! Directories of our own, private, and gone at the end: for the sockets of shared connections, short and without blanks;
//! and for the disks of virtual machines.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::rand::{GetRandomFlags, getrandom};

use super::env;
use super::files::at;
use crate::model::text::hex;

/// Longest path that leaves room for what SSH appends while it makes a socket (`sun_path` holds 108 bytes).
const LONGEST: usize = 60;

/// The directory.
#[derive(Debug)]
pub struct Dir {
    path: PathBuf,
    next: AtomicU32,
}

impl Dir {
    /// Makes it: under `$XDG_RUNTIME_DIR` if that is short enough and without blanks, else under /tmp.
    pub fn new() -> io::Result<Self> {
        let fits = |p: &PathBuf| {
            p.to_str().is_some_and(|s| s.len() < LONGEST && !s.contains(char::is_whitespace)) && p.is_dir()
        };
        let base = env::path("XDG_RUNTIME_DIR").filter(fits).unwrap_or_else(|| PathBuf::from("/tmp"));
        let mut random = [0_u8; 6];
        getrandom(&mut random, GetRandomFlags::empty())?;
        let name = hex(&random);
        let path = base.join(format!("nqd-{name}"));
        // Not recursive: a directory that somebody else has made already is an error.
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path, next: AtomicU32::new(0) })
    }

    /// A path for one more socket.
    pub fn socket(&self) -> PathBuf {
        self.path.join(format!("s{}", self.next.fetch_add(1, Ordering::Relaxed)))
    }
}

/// A directory for the disks of a virtual machine, gone at the end unless it is kept.
#[derive(Debug)]
pub struct Disks {
    path: PathBuf,
    kept: bool,
}

impl Disks {
    /// Makes it: under `$TMPDIR`, else /var/tmp, else /tmp; the first that QEMU's options can name (no blanks, no commas,
    /// and short, for there are sockets in it).
    pub fn new() -> io::Result<Self> {
        let fits = |p: &PathBuf| {
            p.to_str()
                .is_some_and(|s| s.len() < LONGEST && !s.contains(|c: char| c.is_whitespace() || c == ','))
                && p.is_dir()
        };
        let places = [env::path("TMPDIR"), Some("/var/tmp".into()), Some("/tmp".into())];
        let base = places.into_iter().flatten().find(fits).unwrap_or_else(|| PathBuf::from("/tmp"));
        let mut random = [0_u8; 6];
        getrandom(&mut random, GetRandomFlags::empty())?;
        let path = base.join(format!("nqd-vm-{}", hex(&random)));
        DirBuilder::new().mode(0o700).create(&path).map_err(at(&path))?;
        Ok(Self { path, kept: false })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it where it is.
    pub fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        if !self.kept {
            // What is left hurts nobody, and there is nobody left to tell.
            fs::remove_dir_all(&self.path).unwrap_or(());
        }
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // What is left in /tmp hurts nobody, and there is nobody left to tell.
        fs::remove_dir_all(&self.path).unwrap_or(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_short_private_and_goes() {
        use std::os::unix::fs::PermissionsExt;
        let dir = Dir::new().unwrap();
        assert_eq!(fs::metadata(&dir.path).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(dir.socket().as_os_str().len() < 90 && dir.socket() != dir.socket());
        let path = dir.path.clone();
        drop(dir);
        assert!(!path.exists());
    }
}
