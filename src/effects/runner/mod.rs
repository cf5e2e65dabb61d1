//! Runs other programs. The exit status is always checked, and every error names what was run.
#![allow(clippy::disallowed_methods, reason = "this is where processes are spawned")]

mod cmd;
mod error;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};

pub use self::cmd::Cmd;
pub use self::error::RunError;
use super::clock;
use crate::model::BootTime;

/// Lines of standard error that an error keeps.
const TAIL: usize = 40;
/// How often a waiting runner looks at its cancel flag and calls the pulse.
const TICK: Duration = Duration::from_millis(100);

/// What a program left behind.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// One of the accepted statuses.
    pub status: i32,
    /// All of standard output.
    pub stdout: Vec<u8>,
    /// The last lines of standard error.
    pub stderr: Vec<String>,
}

impl Output {
    /// Standard output as text.
    pub fn text(&self) -> Result<&str, RunError> {
        std::str::from_utf8(&self.stdout).map_err(|_| RunError::NotText)
    }
}

/// A line that a program printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Hears each line that a program prints, without its end.
pub type Listener<'a> = dyn FnMut(Stream, &str) + 'a;

/// Called at least every 100 ms while a program runs.
pub type Pulse = Arc<dyn Fn() + Send + Sync>;

/// A program that has run: for logs and for measuring what we ourselves cost.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The command line.
    pub cmd: String,
    /// When it was started.
    pub from: BootTime,
    /// When it had ended.
    pub to: BootTime,
}

/// Is told of every program that has run.
pub type Observer = Arc<dyn Fn(&Ran) + Send + Sync>;

/// Runs programs.
#[derive(Clone, Default)]
pub struct Runner {
    cancel: Arc<AtomicBool>,
    observer: Option<Observer>,
    pulse: Option<Pulse>,
}

impl Runner {
    /// A runner that stops its programs once `cancel` is set and tells `observer` of each.
    pub fn new(cancel: Arc<AtomicBool>, observer: Option<Observer>) -> Self {
        Self { cancel, observer, pulse: None }
    }

    /// The same, calling `pulse` while programs run.
    #[must_use]
    pub fn with_pulse(mut self, pulse: Pulse) -> Self {
        self.pulse = Some(pulse);
        self
    }

    /// Runs a program to its end.
    pub fn run(&self, cmd: &Cmd) -> Result<Output, RunError> {
        self.run_with(cmd, &mut |_, _| {})
    }

    /// Runs a program to its end, telling `listener` what it prints.
    pub fn run_with(&self, cmd: &Cmd, listener: &mut Listener<'_>) -> Result<Output, RunError> {
        let from = clock::boot_now();
        let result = self.run_inner(cmd, listener);
        if let Some(observer) = &self.observer {
            observer(&Ran { cmd: cmd.display(), from, to: clock::boot_now() });
        }
        result
    }

    fn run_inner(&self, cmd: &Cmd, listener: &mut Listener<'_>) -> Result<Output, RunError> {
        let mut running = Running::spawn(cmd)?;
        let ended = running.pump(cmd, self, listener);
        if ended.is_err() {
            running.kill(cmd);
        }
        let status = running.child.wait().map_err(|source| RunError::Spawn { cmd: cmd.display(), source })?;
        let stderr = running.err.finish(Stream::Err, listener);
        let stdout = running.out.finish(Stream::Out, listener);
        match ended {
            Ok(()) => check(cmd, status, stdout, &stderr),
            Err(Stop::Late(after)) => {
                Err(RunError::TimedOut { cmd: cmd.display(), after, stderr: stderr.tail() })
            }
            Err(Stop::Flood) => Err(RunError::Flooded { cmd: cmd.display(), limit: cmd.output_limit }),
            Err(Stop::Cancelled) => Err(RunError::Cancelled(cmd.display())),
            Err(Stop::Io(source)) => Err(RunError::Spawn { cmd: cmd.display(), source }),
        }
    }
}

fn check(cmd: &Cmd, status: ExitStatus, stdout: Capture, stderr: &Capture) -> Result<Output, RunError> {
    match status.code() {
        Some(code) if cmd.accept.contains(&code) => {
            Ok(Output { status: code, stdout: stdout.all, stderr: stderr.tail() })
        }
        code => Err(RunError::Failed {
            cmd: cmd.display(),
            how: match (code, status.signal()) {
                (Some(c), _) => format!("exited with {c}"),
                (None, Some(s)) => format!("was killed by signal {s}"),
                (None, None) => "ended in an unknown way".to_owned(),
            },
            status: code,
            stderr: stderr.tail(),
        }),
    }
}

/// Why a program was stopped before its end.
enum Stop {
    Late(Duration),
    Flood,
    Cancelled,
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

impl From<rustix::io::Errno> for Stop {
    fn from(e: rustix::io::Errno) -> Self {
        Self::Io(e.into())
    }
}

/// One stream of a running program: what it said, cut into lines as they come.
#[derive(Default)]
struct Capture {
    all: Vec<u8>,
    told: usize,
    lines: VecDeque<String>,
    open: bool,
}

impl Capture {
    fn tell(&mut self, stream: Stream, listener: &mut Listener<'_>, last: bool) {
        while let Some(rest) = self.all.get(self.told..).filter(|r| !r.is_empty()) {
            let (len, skip) = match rest.iter().position(|b| *b == b'\n') {
                Some(at) => (at, at + 1),
                None if last => (rest.len(), rest.len()),
                None => return,
            };
            let line = String::from_utf8_lossy(&rest[..len]).trim_end_matches('\r').to_owned();
            self.told += skip;
            listener(stream, &line);
            if stream == Stream::Err {
                if self.lines.len() >= TAIL {
                    self.lines.pop_front();
                }
                self.lines.push_back(line);
            }
        }
    }

    fn finish(&mut self, stream: Stream, listener: &mut Listener<'_>) -> Self {
        self.tell(stream, listener, true);
        std::mem::take(self)
    }

    fn tail(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }
}

struct Running {
    child: Child,
    out: Capture,
    err: Capture,
}

impl Running {
    fn spawn(cmd: &Cmd) -> Result<Self, RunError> {
        let mut argv = cmd.argv.iter();
        let program = argv.next().map(OsString::as_os_str).unwrap_or_default();
        let mut command = Command::new(program);
        command.args(argv).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if cmd.stdin.is_empty() { Stdio::null() } else { Stdio::piped() });
        if cmd.clear_env {
            command.env_clear();
        }
        for (name, value) in &cmd.env {
            command.env(name, value);
        }
        if cmd.own_group {
            command.process_group(0);
        }
        let child = command.spawn().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => RunError::Missing(program.to_string_lossy().into_owned()),
            _ => RunError::Spawn { cmd: cmd.display(), source },
        })?;
        let open = || Capture { open: true, ..Capture::default() };
        Ok(Self { child, out: open(), err: open() })
    }

    /// Moves bytes until the program has ended. A grandchild that keeps a stream open does not hold us up.
    fn pump(&mut self, cmd: &Cmd, runner: &Runner, listener: &mut Listener<'_>) -> Result<(), Stop> {
        let started = clock::start();
        let pidfd = pidfd_open(self.pid()?, PidfdFlags::empty())?;
        let mut input = self.child.stdin.take();
        let mut sent = 0;
        loop {
            let polled = self.poll(pidfd.as_fd(), input.as_ref().map(AsFd::as_fd))?;
            if polled.input {
                let rest = cmd.stdin.get(sent..).unwrap_or_default();
                sent += feed(&mut input, rest)?;
            }
            if polled.out {
                self.out.open = read_some(self.child.stdout.as_mut(), &mut self.out.all)?;
                self.out.tell(Stream::Out, listener, false);
            }
            if polled.err {
                self.err.open = read_some(self.child.stderr.as_mut(), &mut self.err.all)?;
                self.err.tell(Stream::Err, listener, false);
            }
            if self.out.all.len() + self.err.all.len() > cmd.output_limit {
                return Err(Stop::Flood);
            }
            if polled.ended && !polled.out && !polled.err {
                return Ok(());
            }
            if let Some(pulse) = &runner.pulse {
                pulse();
            }
            if runner.cancel.load(Ordering::Relaxed) {
                return Err(Stop::Cancelled);
            }
            if let Some(limit) = cmd.timeout.filter(|limit| started.elapsed() >= *limit) {
                return Err(Stop::Late(limit));
            }
        }
    }

    fn poll(&self, pidfd: BorrowedFd<'_>, input: Option<BorrowedFd<'_>>) -> Result<Polled, Stop> {
        let stdout = self.child.stdout.as_ref().filter(|_| self.out.open);
        let stderr = self.child.stderr.as_ref().filter(|_| self.err.open);
        let mut fds = vec![PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
        let slot = |fds: &Vec<PollFd<'_>>, there: bool| there.then_some(fds.len());
        let out = slot(&fds, stdout.is_some());
        fds.extend(stdout.map(|s| PollFd::from_borrowed_fd(s.as_fd(), PollFlags::IN)));
        let err = slot(&fds, stderr.is_some());
        fds.extend(stderr.map(|s| PollFd::from_borrowed_fd(s.as_fd(), PollFlags::IN)));
        let stdin = slot(&fds, input.is_some());
        fds.extend(input.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)));
        let tick = Timespec { tv_sec: 0, tv_nsec: i64::try_from(TICK.as_nanos()).unwrap_or(0) };
        match poll(&mut fds, Some(&tick)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let ready = |at: Option<usize>| at.is_some_and(|at| !fds[at].revents().is_empty());
        Ok(Polled { ended: ready(Some(0)), out: ready(out), err: ready(err), input: ready(stdin) })
    }

    fn pid(&self) -> io::Result<Pid> {
        i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("a process without an id"))
    }

    fn kill(&mut self, cmd: &Cmd) {
        let Ok(pid) = self.pid() else { return };
        let killed = if cmd.own_group {
            kill_process_group(pid, Signal::KILL)
        } else {
            kill_process(pid, Signal::KILL)
        };
        // The one way it can fail is that the program ended by itself meanwhile; `wait` then says how.
        killed.unwrap_or(());
    }
}

struct Polled {
    ended: bool,
    out: bool,
    err: bool,
    input: bool,
}

/// Writes some bytes; closes the stream when all are written or nobody reads them.
fn feed(input: &mut Option<std::process::ChildStdin>, rest: &[u8]) -> io::Result<usize> {
    let Some(pipe) = input.as_mut() else { return Ok(0) };
    // A pipe that poll calls writable takes at least PIPE_BUF bytes without blocking (pipe(7)).
    let chunk = &rest[..rest.len().min(4096)];
    match pipe.write(chunk) {
        Ok(n) if n < rest.len() => Ok(n),
        Ok(n) => {
            *input = None;
            Ok(n)
        }
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
            *input = None;
            Ok(0)
        }
        Err(e) => Err(e),
    }
}

/// Reads what is there; `false` at the end.
fn read_some(from: Option<&mut impl Read>, into: &mut Vec<u8>) -> io::Result<bool> {
    let mut chunk = [0; 16384];
    let n = from.map_or(Ok(0), |f| f.read(&mut chunk))?;
    into.extend_from_slice(&chunk[..n]);
    Ok(n > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Cmd {
        Cmd::new("/bin/sh").args(["-c", script])
    }

    #[test]
    fn success_gives_output() {
        let out = Runner::default().run(&sh("echo out; echo err >&2")).unwrap();
        assert_eq!((out.text().unwrap(), out.stderr.as_slice()), ("out\n", &["err".to_owned()][..]));
    }

    #[test]
    fn an_unaccepted_status_is_an_error_that_names_the_cause() {
        let e = Runner::default().run(&sh("echo the cause >&2; exit 4")).unwrap_err();
        assert_eq!(e.status(), Some(4));
        assert!(e.to_string().contains("exited with 4") && e.to_string().contains("the cause"), "{e}");
        assert_eq!(Runner::default().run(&sh("exit 4").accept(&[0, 4])).unwrap().status, 4);
    }

    #[test]
    fn signals_and_missing_programs_are_errors() {
        let e = Runner::default().run(&sh("kill -9 $$")).unwrap_err();
        assert!(e.to_string().contains("signal 9"), "{e}");
        assert!(matches!(Runner::default().run(&Cmd::new("no-such-program-nqd")), Err(RunError::Missing(_))));
    }

    #[test]
    fn a_hanging_program_is_killed_with_its_children() {
        let cmd = sh("sleep 60 & sleep 60").timeout(Duration::from_millis(50)).own_group();
        let started = clock::start();
        assert!(matches!(Runner::default().run(&cmd), Err(RunError::TimedOut { .. })));
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_daemon_that_keeps_the_streams_does_not_hold_us_up() {
        let started = clock::start();
        let out = Runner::default().run(&sh("sleep 30 & echo ready")).unwrap();
        assert_eq!(out.text().unwrap(), "ready\n");
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_flood_is_stopped() {
        let cmd = sh("yes").output_limit(100_000);
        assert!(matches!(Runner::default().run(&cmd), Err(RunError::Flooded { .. })));
    }

    #[test]
    fn large_input_and_output_do_not_deadlock() {
        let input = vec![b'x'; 3_000_000];
        let out = Runner::default().run(&Cmd::new("cat").stdin(input.clone())).unwrap();
        assert!(out.stdout == input);
        Runner::default().run(&sh("exec <&-; true").stdin(input)).unwrap();
    }

    #[test]
    fn lines_come_while_it_runs_and_a_flag_stops_it() {
        let flag = Arc::new(AtomicBool::new(false));
        let runner = Runner::new(flag.clone(), None);
        let mut lines = Vec::new();
        let mut until_first = |_, line: &str| {
            lines.push(line.to_owned());
            flag.store(true, Ordering::Relaxed);
        };
        let e = runner.run_with(&sh("echo first; sleep 60"), &mut until_first).unwrap_err();
        assert!(matches!(e, RunError::Cancelled(_)));
        assert_eq!(lines, ["first"]);
    }
}
