//! Runs switch scripts: each in a transient unit of its own, so that it can be killed whole and outlives the guard.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::ThisMachine;
use crate::effects::machine::{Action, Fault, Machine, SwitchEnd, SwitchHow, tried};
use crate::effects::probe::Since;
use crate::effects::runner::RunError;
use crate::effects::systemd::Transient;
use crate::effects::{clock, files, layout, switch_lock};
use crate::guard::switch_end::{LOCKED, failed_snippet};
use crate::model::StorePath;
use crate::report::event::Event;

/// Time between two looks at a script whose process is gone, or not known, but of which systemd has not said the end.
const LOOK: Duration = Duration::from_millis(5);
/// Time after which systemd is asked although the process still runs.
const ASK: Duration = Duration::from_secs(2);
/// Time between two looks at what a script prints.
const READ: Duration = Duration::from_millis(100);
/// Statuses from here on are systemd's own, of what it could not execute (systemd.exec(5), "Process Exit Codes").
const NOT_EXECUTED: i32 = 200;
/// More of what a script prints is not read at once.
const CHUNK: u64 = 1 << 20;

impl ThisMachine {
    pub(super) fn run_switch(
        &mut self,
        system: &StorePath,
        action: Action,
        limit: Duration,
    ) -> Result<SwitchEnd, Fault> {
        let what =
            format!("running {} {}", system.join("bin/switch-to-configuration").display(), action.word());
        self.switches += 1;
        // The number of the process keeps a guard that takes over apart from the one that died.
        let unit = layout::switch_unit(&self.id, self.switches * 100_000 + std::process::id() % 100_000);
        let log = layout::of_run(&self.id, &format!("switch-{}.log", self.switches));
        let to = |stream| format!("Standard{stream}=append:{}", log.display());
        let (out, err) = (to("Output"), to("Error"));
        // RemainAfterExit keeps the unit, and with it the exit status, until we have read it.
        let properties = ["Type=exec", "RemainAfterExit=yes", &out, &err];
        let script = system.join("bin/switch-to-configuration").display().to_string();
        let began = clock::boot_now();
        if action == Action::Test {
            self.prober.set_since(Since { switch: Some(clock::monotonic_micros()), settled: None });
        }
        let argv = [script, action.word().to_owned()];
        let mut output = Output::new(log).map_err(tried(&what))?;
        let ended = self
            .start_switch(&unit, &properties, &argv)
            .map_err(tried(&what))
            .and_then(|()| self.watch(&unit, limit, &mut output).map_err(|f| Fault::new(&what, f)));
        let how = match ended {
            Ok(how) => how,
            // A script of which we know nothing must not go on behind our back.
            Err(fault) => {
                return Err(match self.kill_switches() {
                    Ok(()) => fault,
                    Err(also) => Fault::new(fault.to_string(), also),
                });
            }
        };
        self.emit(Event::Ran { command: what.clone(), from: began.0, to: clock::boot_now().0 });
        // A unit that has succeeded is gone once it is stopped; one that has failed stays until that is forgotten.
        let done = how == SwitchHow::Exited(0);
        if done { self.systemd.stop(&unit) } else { self.systemd.forget(&unit) }.map_err(tried(&what))?;
        self.tell(&mut output)?;
        if how == SwitchHow::Exited(LOCKED) {
            switch_lock::take_from_strangers().map_err(tried("freeing the switch lock"))?;
        }
        Ok(SwitchEnd { how, failed_snippets: output.failed_snippets })
    }

    /// Starts a script. One that ends at once with a failure is said not to have started, if systemd hears of the end
    /// before it hears that it was executed; but then the unit holds the script's own status.
    fn start_switch(&self, unit: &str, properties: &[&str], argv: &[String]) -> Result<(), RunError> {
        match self.systemd.start_transient(unit, properties, argv) {
            Err(e @ RunError::Failed { .. }) => match self.systemd.transient(unit) {
                Ok(Transient::Exited(status)) if status < NOT_EXECUTED => Ok(()),
                _ => Err(e),
            },
            started => started,
        }
    }

    /// Watches a script to its end or `limit`. systemd may be slow to answer while it re-executes itself.
    fn watch(&mut self, unit: &str, limit: Duration, output: &mut Output) -> Result<SwitchHow, Fault> {
        let started = clock::start();
        loop {
            self.heartbeat.show();
            let seen = self.systemd.transient(unit);
            self.tell(output)?;
            match seen {
                Ok(Transient::Exited(status)) => return Ok(SwitchHow::Exited(status)),
                Ok(Transient::Killed(why)) => return Ok(SwitchHow::Killed(why)),
                Ok(Transient::Running(_)) if started.elapsed() >= limit => {
                    self.systemd.kill(unit).map_err(tried("killing it"))?;
                    return Ok(SwitchHow::TimedOut(limit));
                }
                Ok(Transient::Running(pid)) => {
                    let left = limit.saturating_sub(started.elapsed()).min(ASK);
                    self.wait_for(pid, left, output)?;
                }
                Err(e) if started.elapsed() >= limit => return Err(Fault::new("asking systemd for it", e)),
                Err(_) => clock::sleep(READ),
            }
        }
    }

    /// Waits for the end of a script's process, no longer than `time`, reading what it prints meanwhile.
    fn wait_for(&mut self, pid: Option<Pid>, time: Duration, output: &mut Output) -> Result<(), Fault> {
        let Some(end) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
            clock::sleep(LOOK);
            return Ok(());
        };
        let waited = clock::start();
        while waited.elapsed() < time {
            let tick = READ.min(time.saturating_sub(waited.elapsed()));
            let tick = Timespec { tv_sec: 0, tv_nsec: i64::try_from(tick.as_nanos()).unwrap_or(0) };
            match poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&tick)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(e) => return Err(Fault::new("waiting for the switch script", e)),
            }
            self.heartbeat.show();
            self.tell(output)?;
        }
        Ok(())
    }

    fn tell(&mut self, output: &mut Output) -> Result<(), Fault> {
        for line in output.more()? {
            self.emit(Event::Output { line });
        }
        Ok(())
    }

    pub(super) fn kill_switches(&mut self) -> Result<(), Fault> {
        let what = "killing a left-over switch script";
        let pattern = format!("nqd-switch-{}-*", self.id);
        for unit in self.systemd.matching(&pattern).map_err(tried(what))? {
            self.systemd.kill(&unit).and_then(|()| self.systemd.forget(&unit)).map_err(tried(what))?;
        }
        Ok(())
    }
}

/// What a script prints, as it grows.
struct Output {
    path: PathBuf,
    read: u64,
    rest: String,
    failed_snippets: Vec<String>,
}

impl Output {
    /// Of a script that is about to start. The file is made here, ours alone: systemd only appends to it. What a guard
    /// before us left there is another script's.
    fn new(path: PathBuf) -> io::Result<Self> {
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o600).custom_flags(files::no_follow());
        options.open(&path).map_err(files::at(&path))?;
        Ok(Self { path, read: 0, rest: String::new(), failed_snippets: Vec::new() })
    }

    /// The lines that were completed since the last call.
    fn more(&mut self) -> Result<Vec<String>, Fault> {
        self.rest += &read_from(&self.path, &mut self.read)
            .map_err(tried("reading what the switch script printed"))?;
        let Some((complete, rest)) = self.rest.rsplit_once('\n') else { return Ok(Vec::new()) };
        let lines: Vec<String> = complete.lines().map(str::to_owned).collect();
        self.rest = rest.to_owned();
        self.failed_snippets.extend(lines.iter().filter_map(|l| failed_snippet(l)).map(str::to_owned));
        Ok(lines)
    }
}

fn read_from(path: &Path, at: &mut u64) -> io::Result<String> {
    let mut file = match File::options().read(true).custom_flags(files::no_follow()).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(e) => return Err(e),
    };
    file.seek(SeekFrom::Start(*at))?;
    let mut bytes = Vec::new();
    file.take(CHUNK).read_to_end(&mut bytes)?;
    *at += bytes.len() as u64;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_a_script_prints_is_private_and_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("switch-1.log");
        fs::write(&log, "Activation script snippet 'etc' failed (1)\n").unwrap();
        let mut output = Output::new(log.clone()).unwrap();
        assert!(output.more().unwrap().is_empty() && output.failed_snippets.is_empty(), "another script's");
        fs::remove_file(&log).unwrap();
        Output::new(log.clone()).unwrap();
        assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
        let link = dir.path().join("switch-2.log");
        std::os::unix::fs::symlink(&log, &link).unwrap();
        assert!(Output::new(link.clone()).is_err() && read_from(&link, &mut 0).is_err());
    }
}
