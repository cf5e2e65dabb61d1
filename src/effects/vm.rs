//! A host's virtual machine, as its `config.system.build.vm` starts it: booted, listened to, and killed.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::files::at;
use super::runner::{Cmd, Observer, RunError, Runner};
use super::scratch::Disks;
use super::{clock, env};
use crate::gate::{LIMIT, PORT, Said};
use crate::model::StorePath;

/// Between two looks at what the machine has written.
const LOOK: Duration = Duration::from_millis(50);
/// Bytes of the console that are told at one look.
const CONSOLE_AT_ONCE: u64 = 1 << 20;

/// A virtual machine that can be started.
#[derive(Debug)]
pub struct Vm {
    program: PathBuf,
    system: Option<StorePath>,
}

/// What became of it.
#[derive(Debug)]
pub enum Booted {
    /// This.
    Said(Said),
    /// Somebody has asked us to stop.
    Stopped,
}

/// Who watches a virtual machine.
pub struct Watcher<'a> {
    /// Is told when its program has ended.
    pub observer: Option<Observer>,
    /// Hears each line of its console.
    pub console: &'a dyn Fn(&str),
    /// Whether somebody has asked us to stop.
    pub stopped: &'a dyn Fn() -> bool,
}

impl Vm {
    /// What `config.system.build.vm` gave: `bin/run-<name>-vm`, and a link `system` to what it boots.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let bin = dir.join("bin");
        let entries = std::fs::read_dir(&bin).map_err(at(&bin))?.collect::<io::Result<Vec<_>>>();
        let programs = entries.map_err(at(&bin))?.into_iter().map(|e| e.path()).filter(|p| is_runner(p));
        let programs: Vec<PathBuf> = programs.collect();
        let [program] = programs.as_slice() else {
            let what = format!("{}: there are {} programs run-*-vm, not one", bin.display(), programs.len());
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        };
        // The link is what says of which system a record must be. A VM without it is taken at its word.
        let system = match dir.join("system").canonicalize() {
            Ok(path) => StorePath::parse(&path.to_string_lossy()).ok(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(at(&dir.join("system"))(e)),
        };
        Ok(Self { program: program.clone(), system })
    }

    /// What starts it.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The system that it boots, where that is known.
    pub fn system(&self) -> Option<&StorePath> {
        self.system.as_ref()
    }

    /// Boots it and waits for a line on the port; then, or when its time is over, or if it is to be stopped, it is killed with
    /// all that it started. Its disk, console and record lie in `disks`.
    pub fn boot(&self, disks: &Disks, time: Duration, watcher: &Watcher<'_>) -> io::Result<Booted> {
        let (record, kill) = (record(disks.path()), Arc::new(AtomicBool::new(false)));
        let runner = Runner::new(kill.clone(), watcher.observer.clone());
        let cmd = self.command(disks.path());
        let (waited, ran) = thread::scope(|scope| {
            let running = scope.spawn(|| runner.run(&cmd));
            let waited = wait(disks.path(), time, &|| running.is_finished(), watcher);
            kill.store(true, Ordering::Relaxed);
            (waited, running.join())
        });
        let ran = ran.map_err(|_| io::Error::other("a thread of our own has panicked"))?;
        let bytes = || written(&record);
        Ok(match waited? {
            Waited::Said(said) => Booted::Said(said),
            Waited::Stopped => Booted::Stopped,
            Waited::Late => Booted::Said(Said::Late { bytes: bytes()? }),
            Waited::Ended => Booted::Said(Said::Ended { how: how(&ran), bytes: bytes()? }),
        })
    }

    /// What NixOS's script takes from its environment says where things lie and adds the port and the console's log.
    fn command(&self, dir: &Path) -> Cmd {
        let (record, console) = (record(dir), console(dir));
        let ours = format!(
            "-display none -monitor none -serial file:{} -device virtio-serial -chardev file,id=nqd-gate,path={} -device virtserialport,chardev=nqd-gate,name={PORT}",
            console.display(),
            record.display()
        );
        let theirs = env::text("QEMU_OPTS").map_or_else(String::new, |o| o + " ");
        Cmd::new(&self.program)
            .env("QEMU_OPTS", theirs + &ours)
            .env("TMPDIR", dir)
            .env("USE_TMPDIR", "1")
            .env("NIX_DISK_IMAGE", dir.join("disk.qcow2"))
            .env("NIX_EFI_VARS", dir.join("efi-vars.fd"))
            .env("NIX_SWTPM_DIR", dir.join("swtpm"))
            .own_group()
    }
}

/// Why waiting was over.
enum Waited {
    Said(Said),
    Stopped,
    Late,
    Ended,
}

/// Waits for a whole line of the record.
fn wait(
    dir: &Path,
    time: Duration,
    has_ended: &dyn Fn() -> bool,
    watcher: &Watcher<'_>,
) -> io::Result<Waited> {
    let (started, record, mut tail) = (clock::start(), record(dir), Tail::new(console(dir)));
    loop {
        // Looked at before the record: what was written before the end counts.
        let (ended, late) = (has_ended(), started.elapsed() >= time);
        tail.tell(watcher.console)?;
        if let Some(said) = read(&record)? {
            return Ok(Waited::Said(said));
        }
        match ((watcher.stopped)(), ended, late) {
            (true, ..) => return Ok(Waited::Stopped),
            (_, true, _) => return Ok(Waited::Ended),
            (.., true) => return Ok(Waited::Late),
            _ => clock::sleep(LOOK),
        }
    }
}

/// Where the VM's console writes.
pub fn console(dir: &Path) -> PathBuf {
    dir.join("console.log")
}

fn record(dir: &Path) -> PathBuf {
    dir.join("record.json")
}

fn is_runner(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("run-") && name.ends_with("-vm")
}

/// A file that grows, told line by line.
struct Tail {
    path: PathBuf,
    read: u64,
    open: Vec<u8>,
}

impl Tail {
    fn new(path: PathBuf) -> Self {
        Self { path, read: 0, open: Vec::new() }
    }

    /// Tells the lines that have come since.
    fn tell(&mut self, line: &dyn Fn(&str)) -> io::Result<()> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(at(&self.path)(e)),
        };
        let read = file.seek(io::SeekFrom::Start(self.read));
        let read = read.and_then(|_| file.take(CONSOLE_AT_ONCE).read_to_end(&mut self.open));
        self.read += read.map_err(at(&self.path))? as u64;
        while let Some(end) = self.open.iter().position(|b| *b == b'\n') {
            let rest = self.open.split_off(end + 1);
            line(String::from_utf8_lossy(&self.open[..end]).trim_end());
            self.open = rest;
        }
        // A console without ends of lines needs no memory without end.
        if self.open.len() > LIMIT {
            self.open.clear();
        }
        Ok(())
    }
}

/// The first whole line of the record, if there is one, or that it has no end.
fn read(record: &Path) -> io::Result<Option<Said>> {
    let file = match File::open(record) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(at(record)(e)),
    };
    let mut bytes = Vec::new();
    file.take(LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(at(record))?;
    let end = bytes.iter().position(|b| *b == b'\n');
    Ok(match end {
        Some(end) => {
            bytes.truncate(end);
            Some(Said::Record(bytes))
        }
        None if bytes.len() > LIMIT => Some(Said::TooLong),
        None => None,
    })
}

/// Bytes of the record.
fn written(record: &Path) -> io::Result<usize> {
    match std::fs::metadata(record) {
        Ok(meta) => Ok(usize::try_from(meta.len()).unwrap_or(usize::MAX)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(at(record)(e)),
    }
}

/// How a program ended that should not have.
fn how<T>(ran: &Result<T, RunError>) -> String {
    match ran {
        Ok(_) => "it was switched off".to_owned(),
        Err(e) => e.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A VM whose program is this shell script; `$record` is where its port leads.
    fn vm(script: &str) -> (tempfile::TempDir, Vm) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        let program = dir.path().join("bin/run-web-vm");
        let head = "#!/bin/sh\nrecord=${QEMU_OPTS#*path=}; record=${record%% *}\n";
        fs::write(&program, format!("{head}{script}\n")).unwrap();
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let vm = Vm::open(dir.path()).unwrap();
        (dir, vm)
    }

    fn boot(script: &str, time: Duration) -> (Said, Disks) {
        let (_dir, vm) = vm(script);
        let disks = Disks::new().unwrap();
        let watcher = Watcher { observer: None, console: &|_| {}, stopped: &|| false };
        match vm.boot(&disks, time, &watcher).unwrap() {
            Booted::Said(said) => (said, disks),
            Booted::Stopped => panic!("nobody stopped it"),
        }
    }

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(700);

    #[test]
    fn the_first_line_counts_and_ends_it() {
        let started = clock::start();
        let (said, _) = boot("printf 'one\\ntwo\\n' > \"$record\"; sleep 60", LONG);
        assert_eq!(said, Said::Record(b"one".to_vec()));
        assert_eq!(boot("echo late > \"$record\"; exit 0", LONG).0, Said::Record(b"late".to_vec()));
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn without_a_whole_line_there_is_no_record() {
        assert_eq!(boot("sleep 60", SHORT).0, Said::Late { bytes: 0 });
        assert_eq!(boot("printf torn > \"$record\"; sleep 60", SHORT).0, Said::Late { bytes: 4 });
        let (said, _) = boot("printf torn > \"$record\"; exit 0", LONG);
        assert_eq!(said, Said::Ended { how: "it was switched off".into(), bytes: 4 });
        assert_eq!(boot("yes | tr -d '\\n' > \"$record\"", LONG).0, Said::TooLong);
    }

    #[test]
    fn a_program_that_fails_says_why() {
        let (said, _) = boot("echo qemu: no such accelerator >&2; exit 1", LONG);
        let Said::Ended { how, .. } = said else { panic!("{said:?}") };
        assert!(how.contains("exited with 1") && how.contains("no such accelerator"), "{how}");
    }

    #[test]
    fn who_stops_it_kills_all_of_it() {
        let (_dir, vm) = vm("cd \"$TMPDIR\"; sleep 600 & echo $! > new; mv new pid; wait");
        let disks = Disks::new().unwrap();
        let pid = disks.path().join("pid");
        let watcher = Watcher { observer: None, console: &|_| {}, stopped: &|| pid.exists() };
        let booted = vm.boot(&disks, LONG, &watcher).unwrap();
        assert!(matches!(booted, Booted::Stopped), "{booted:?}");
        let pid = fs::read_to_string(&pid).unwrap();
        let gone = || match fs::read_to_string(format!("/proc/{}/stat", pid.trim())) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        let started = clock::start();
        while !gone() {
            assert!(started.elapsed() < Duration::from_secs(10), "{pid} lives");
            clock::sleep(LOOK);
        }
    }

    #[test]
    fn a_console_is_told_as_it_grows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (mut tail, told) = (Tail::new(path.clone()), std::cell::RefCell::new(Vec::new()));
        let mut look = |text: &str| {
            fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
            fs::write(&path, fs::read_to_string(&path).unwrap() + text).unwrap();
            tail.tell(&|l| told.borrow_mut().push(l.to_owned())).unwrap();
            told.take()
        };
        assert_eq!(look("one\r\ntw"), ["one"]);
        assert!(look("").is_empty());
        assert_eq!(look("o\n\nthree"), ["two", ""]);
    }

    #[test]
    fn what_is_no_vm() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Vm::open(dir.path()).is_err());
        fs::create_dir(dir.path().join("bin")).unwrap();
        let e = Vm::open(dir.path()).unwrap_err().to_string();
        assert!(e.contains("0 programs run-*-vm"), "{e}");
    }
}
