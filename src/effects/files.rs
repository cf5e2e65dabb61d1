//! Files as the guard needs them: private, durable, never through a link that somebody left there.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Open flags that refuse a symbolic link at the end of the path.
pub fn no_follow() -> i32 {
    i32::try_from((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits()).unwrap_or(0)
}

/// Adds the path to an error that the operating system gave without one.
pub fn at(path: &Path) -> impl FnOnce(io::Error) -> io::Error + '_ {
    move |e| io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

/// A text file's content; `None` if there is no such file. Anything else that hinders reading is an error.
pub fn read_text(path: &Path, limit: u64) -> io::Result<Option<String>> {
    to_text(path, read_bytes(path, limit)?)
}

/// The same for a file of our own: a link that somebody put in its place is not followed.
pub fn read_own_text(path: &Path, limit: u64) -> io::Result<Option<String>> {
    to_text(path, read_own(path, limit)?)
}

fn to_text(path: &Path, bytes: Option<Vec<u8>>) -> io::Result<Option<String>> {
    let text = bytes.map(String::from_utf8).transpose();
    text.map_err(|e| at(path)(io::Error::new(ErrorKind::InvalidData, e)))
}

/// The same for a file that may hold anything.
pub fn read_bytes(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    read(path, limit, &mut File::options())
}

/// The same for a file of our own: a link that somebody put in its place is not followed.
pub fn read_own(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    read(path, limit, File::options().custom_flags(no_follow()))
}

fn read(path: &Path, limit: u64, options: &mut OpenOptions) -> io::Result<Option<Vec<u8>>> {
    let file = match options.read(true).open(path) {
        Ok(f) => f,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(at(path)(e)),
    };
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(at(path))?;
    Ok(Some(bytes))
}

/// Where a link leads, one step; `None` if there is no such link.
pub fn read_link(path: &Path) -> io::Result<Option<PathBuf>> {
    match fs::read_link(path) {
        Ok(p) => Ok(Some(p)),
        // EINVAL: it is there and no link.
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => Ok(None),
        Err(e) => Err(at(path)(e)),
    }
}

/// Makes a directory with exactly this mode; one that exists must be root's (or ours) and no link.
pub fn make_dir(path: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => sync_dir(path.parent().unwrap_or(path))?,
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
        Err(e) => return Err(at(path)(e)),
    }
    let meta = fs::symlink_metadata(path).map_err(at(path))?;
    let ours = meta.uid() == rustix::process::geteuid().as_raw();
    if !meta.is_dir() || !ours {
        return Err(at(path)(io::Error::new(ErrorKind::PermissionDenied, "is not a directory of our own")));
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(at(path))
}

/// Makes a directory and those above it; for an operator's own files.
pub fn make_dirs(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path).map_err(at(path))
}

/// Replaces a file's content in one step, durably.
pub fn write_durable(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".nqd-new");
    let new = std::path::PathBuf::from(new);
    let options = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .custom_flags(no_follow())
        .clone();
    let mut file = options.open(&new).map_err(at(&new))?;
    // The mode at creation goes through the umask, and does not matter to a file that a crash left.
    file.set_permissions(fs::Permissions::from_mode(mode)).map_err(at(&new))?;
    file.write_all(content).and_then(|()| file.sync_data()).map_err(at(&new))?;
    fs::rename(&new, path).map_err(at(path))?;
    sync_dir(path.parent().unwrap_or(path))
}

/// Whether there is anything of this name, be it a link that leads nowhere.
pub fn is_there(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(at(path)(e)),
    }
}

/// Writes a file that must not be there yet; for an operator's own files.
pub fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(at(path))?;
    file.write_all(content).map_err(at(path))
}

/// Writes a line to what is there already: a file, which holds nothing else then, a FIFO, or a device, such as a port to
/// a virtual machine's host. Nothing is made: a device that is missing must not become a file.
pub fn write_line(path: &Path, line: &str) -> io::Result<()> {
    let flags = i32::try_from((OFlags::NOCTTY | OFlags::CLOEXEC).bits()).unwrap_or(0);
    let mut file = OpenOptions::new().write(true).custom_flags(flags).open(path).map_err(at(path))?;
    let regular = file.metadata().map_err(at(path))?.is_file();
    if regular {
        file.set_len(0).map_err(at(path))?;
    }
    file.write_all(format!("{line}\n").as_bytes()).map_err(at(path))?;
    if regular {
        file.sync_data().map_err(at(path))?;
    } else if rustix::termios::isatty(&file) {
        rustix::termios::tcdrain(&file).map_err(|e| at(path)(e.into()))?;
    }
    Ok(())
}

/// Appends one line, durably. A line that an earlier crash tore is ended first, so that it spoils only itself.
pub fn append_line(path: &Path, line: &str, mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(mode).custom_flags(no_follow());
    let mut file = options.open(path).map_err(at(path))?;
    let (torn, new) = match file.seek(SeekFrom::End(-1)) {
        Ok(_) => {
            let mut last = [0];
            file.read_exact(&mut last).map_err(at(path))?;
            (last != *b"\n", false)
        }
        // An empty file has no last byte.
        Err(e) if e.kind() == ErrorKind::InvalidInput => (false, true),
        Err(e) => return Err(at(path)(e)),
    };
    let text = format!("{}{line}\n", if torn { "\n" } else { "" });
    file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).map_err(at(path))?;
    // A file that was new may else be gone after a power cut, whatever it holds.
    if new { sync_dir(path.parent().unwrap_or(path)) } else { Ok(()) }
}

/// The last line of a file of our own, if it is complete and no longer than `limit`.
pub fn last_line(path: &Path, limit: u64) -> io::Result<Option<String>> {
    let mut file = match File::options().read(true).custom_flags(no_follow()).open(path) {
        Ok(f) => f,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(at(path)(e)),
    };
    let len = file.metadata().map_err(at(path))?.len();
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(len.saturating_sub(limit)))
        .and_then(|_| file.take(limit).read_to_end(&mut bytes))
        .map_err(at(path))?;
    let Some(bytes) = bytes.strip_suffix(b"\n") else { return Ok(None) };
    let line = bytes.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    Ok(String::from_utf8(line.to_vec()).ok())
}

/// Points a symbolic link somewhere, in one step.
pub fn point_link(link: &Path, target: &Path) -> io::Result<()> {
    let new = link.with_extension("nqd-new");
    remove(&new)?;
    std::os::unix::fs::symlink(target, &new).map_err(at(&new))?;
    fs::rename(&new, link).map_err(at(link))
}

/// The same, durably.
pub fn replace_link(link: &Path, target: &Path) -> io::Result<()> {
    point_link(link, target)?;
    sync_dir(link.parent().unwrap_or(link))
}

/// Removes a file or link; it may be gone already.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(at(path)(e)),
        _ => Ok(()),
    }
}

/// Makes a directory's entries durable. The parent of a name without one is the empty path.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|d| d.sync_all()).map_err(at(path))
}

/// A file that is locked for as long as this lives (flock(2)).
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock; `None` if another process holds it.
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(no_follow());
        let file = options.open(path).map_err(at(path))?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(at(path)(e.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_spoils_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history");
        append_line(&path, "one", 0o600).unwrap();
        fs::write(&path, "one\ntwo is to").unwrap();
        append_line(&path, "three", 0o600).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo is to\nthree\n");
    }

    #[test]
    fn links_left_by_somebody_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (victim, link) = (dir.path().join("victim"), dir.path().join("history"));
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        assert!(append_line(&link, "x", 0o600).is_err());
        assert!(Lock::try_take(&link).is_err());
        std::os::unix::fs::symlink(dir.path(), dir.path().join("state")).unwrap();
        assert!(make_dir(&dir.path().join("state"), 0o700).is_err());
        assert!(read_own(&link, 10).is_err() && read_own_text(&link, 10).is_err());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn a_line_for_whatever_is_there() {
        use std::io::BufRead;
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("file"), "a longer line that was there before\n").unwrap();
        write_line(&path("file"), "short").unwrap();
        assert_eq!(fs::read_to_string(path("file")).unwrap(), "short\n");
        let fifo = path("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || fs::read_to_string(fifo).unwrap()
        });
        write_line(&fifo, "through").unwrap();
        assert_eq!(reader.join().unwrap(), "through\n");
        // A terminal is a character device; this side's line comes out at the other.
        let flags = rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY;
        let host = rustix::pty::openpt(flags).unwrap();
        rustix::pty::grantpt(&host).unwrap();
        rustix::pty::unlockpt(&host).unwrap();
        let name = rustix::pty::ptsname(&host, Vec::new()).unwrap().into_string().unwrap();
        let device = File::options().read(true).write(true).custom_flags(no_follow()).open(&name).unwrap();
        write_line(Path::new(&name), "to the host").unwrap();
        let mut line = String::new();
        io::BufReader::new(File::from(host)).read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), "to the host");
        drop(device);
        assert!(write_line(&path("none"), "x").is_err() && !path("none").exists(), "nothing is made");
        assert!(write_line(dir.path(), "x").is_err());
        assert!(write_line(Path::new("/dev/full"), "x").is_err());
    }

    #[test]
    fn the_mode_is_what_was_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.prom");
        for mode in [0o644, 0o600, 0o666] {
            write_durable(&path, b"x", mode).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
        }
    }

    #[test]
    fn missing_is_none_and_unreadable_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_text(&dir.path().join("no"), 10).unwrap(), None);
        assert!(read_text(dir.path(), 10).is_err());
        assert_eq!(read_link(&dir.path().join("no")).unwrap(), None);
    }

    #[test]
    fn a_lock_is_exclusive() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::try_take(&path).unwrap();
        assert!(held.is_some() && Lock::try_take(&path).unwrap().is_none());
        drop(held);
        assert!(Lock::try_take(&path).unwrap().is_some());
    }
}
