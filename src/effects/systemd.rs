//! systemd, by its tools under a system's own absolute path: never whatever `PATH` would find.

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Pid;

use super::clock;
use super::runner::{Cmd, Output, RunError, Runner};
use crate::health::unit_state::{PROPERTIES, parse_list, parse_show};
use crate::health::{UnitState, Units};
use crate::model::{StorePath, UnitName};

/// Time that one question to systemd has.
const ASK: Duration = Duration::from_secs(30);
/// Time that systemd may be away, executing itself anew.
const AWAY: Duration = Duration::from_secs(10);

/// The systemd of a machine, spoken to with the tools of one system.
#[derive(Clone)]
pub struct Systemd {
    runner: Runner,
    tools: StorePath,
}

/// Arguments that systemd takes as they are: it would put variables in the place of `$NAME`.
fn literal(argv: &[String]) -> impl Iterator<Item = String> + '_ {
    argv.iter().map(|word| word.replace('$', "$$"))
}

/// The state of a transient service that ran a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transient {
    /// It still runs, as this process if systemd knows one.
    Running(Option<Pid>),
    /// It exited with this status.
    Exited(i32),
    /// It ended otherwise: systemd's `Result`.
    Killed(String),
}

impl Systemd {
    /// With the tools of `tools`.
    pub fn new(runner: Runner, tools: StorePath) -> Self {
        Self { runner, tools }
    }

    fn tool(&self, name: &str) -> Cmd {
        let path: PathBuf = self.tools.join("systemd/bin").join(name);
        Cmd::new(path)
            .clear_env()
            .env("LC_ALL", "C.UTF-8")
            .env("SYSTEMD_COLORS", "0")
            .env("SYSTEMD_PAGER", "")
            .own_group()
    }

    /// `systemctl` with arguments.
    pub fn systemctl<I: IntoIterator<Item: Into<std::ffi::OsString>>>(&self, args: I) -> Cmd {
        self.tool("systemctl").arg("--no-pager").args(args).timeout(ASK)
    }

    /// Runs a command of [`Systemd::systemctl`].
    pub fn run(&self, cmd: &Cmd) -> Result<Output, RunError> {
        self.runner.run(cmd)
    }

    /// The same for a question, which may be asked again: while systemd executes itself anew (`daemon-reexec`, which a
    /// switch to another systemd does), nobody answers for a moment.
    fn ask(&self, cmd: &Cmd) -> Result<Output, RunError> {
        let began = clock::start();
        loop {
            match self.run(cmd) {
                Err(e) if is_away(&e) && began.elapsed() < AWAY => clock::sleep(Duration::from_millis(200)),
                answered => return answered,
            }
        }
    }

    /// Every loaded unit but our own.
    pub fn units(&self) -> Result<Units, RunError> {
        let out = self.ask(&self.systemctl(["show", "*", "--property", PROPERTIES]))?;
        Ok(without_ours(parse_show(out.text()?)))
    }

    /// Every loaded unit but our own, in short: its states, and all that is known of those that are in trouble. One
    /// question to systemd instead of one a unit.
    pub fn units_in_short(&self) -> Result<Units, RunError> {
        let out = self.ask(&self.systemctl(["list-units", "--all", "--plain", "--no-legend", "--full"]))?;
        let mut units = without_ours(parse_list(out.text()?));
        let troubled = |u: &UnitState| u.active == "failed" || u.sub.starts_with("auto-restart");
        let names: Vec<&str> = units.iter().filter(|(_, u)| troubled(u)).map(|(n, _)| n.as_str()).collect();
        if !names.is_empty() {
            let out = self.ask(&self.systemctl(["show", "--property", PROPERTIES, "--"]).args(names))?;
            units.extend(parse_show(out.text()?));
        }
        Ok(units)
    }

    /// Whether the jobs of the boot are still being done.
    pub fn is_booting(&self) -> Result<bool, RunError> {
        let out = self.ask(&self.systemctl(["show", "--property=SystemState"]))?;
        Ok(matches!(out.text()?.trim(), "SystemState=initializing" | "SystemState=starting"))
    }

    /// One unit; one that is not loaded is `not-found`.
    pub fn unit(&self, name: &UnitName) -> Result<UnitState, RunError> {
        let out = self.ask(&self.systemctl(["show", "--property", PROPERTIES, "--", name.as_str()]))?;
        // An alias is answered under its real name: whatever unit is answered is the one.
        Ok(parse_show(out.text()?).into_values().next().unwrap_or_default())
    }

    /// Starts a program in a transient unit and returns at once. `properties` are `systemd-run`'s.
    pub fn start_transient(&self, unit: &str, properties: &[&str], argv: &[String]) -> Result<(), RunError> {
        let properties = properties.iter().map(|p| format!("--property={p}"));
        let cmd = self
            .tool("systemd-run")
            .args([format!("--unit={unit}"), "--quiet".to_owned(), "--no-ask-password".to_owned()])
            .args(properties)
            .arg("--")
            .args(literal(argv))
            .timeout(ASK);
        match self.run(&cmd) {
            // Whether it was heard before systemd went away, the name tells: it is given once.
            Err(e) if is_away(&e) => match self.ask(&cmd) {
                Err(e) if e.to_string().contains("was already loaded") => Ok(()),
                started => started.map(drop),
            },
            started => started.map(drop),
        }
    }

    /// Runs a program in a transient unit to its end; its exit status is checked and its output kept.
    pub fn run_to_end(
        &self,
        unit: &str,
        properties: &[String],
        argv: &[String],
        (time, output): (Duration, usize),
    ) -> Result<Output, RunError> {
        let cmd = self
            .tool("systemd-run")
            .args([format!("--unit={unit}")])
            .args(["--quiet", "--no-ask-password", "--collect", "--wait", "--pipe"])
            .args(properties.iter().map(|p| format!("--property={p}")))
            .arg("--")
            .args(literal(argv))
            .timeout(time)
            .output_limit(output);
        self.runner.run(&cmd)
    }

    /// Runs a program in a transient unit and waits for its end, successful or not; it goes on if we do not.
    pub fn run_and_wait(
        &self,
        unit: &str,
        properties: &[&str],
        argv: &[String],
        time: Duration,
    ) -> Result<(), RunError> {
        let cmd = self
            .tool("systemd-run")
            .args([format!("--unit={unit}")])
            .args(["--quiet", "--no-ask-password", "--collect", "--wait"])
            .args(properties.iter().map(|p| format!("--property={p}")))
            .arg("--")
            .args(literal(argv))
            .timeout(time);
        self.runner.run(&cmd).map(drop)
    }

    /// Starts a timer that runs a program every so often.
    pub fn start_timer(&self, unit: &str, every: Duration, argv: &[String]) -> Result<(), RunError> {
        let every = every.as_secs();
        let cmd = self
            .tool("systemd-run")
            .args([format!("--unit={unit}"), "--quiet".to_owned(), "--no-ask-password".to_owned()])
            .args([format!("--on-active={every}"), format!("--on-unit-active={every}")])
            .args(["--timer-property=AccuracySec=1s", "--"])
            .args(literal(argv))
            .timeout(ASK);
        self.runner.run(&cmd).map(drop)
    }

    /// How a transient service of ours stands. It must have `RemainAfterExit=yes`, or its end could be missed.
    pub fn transient(&self, unit: &str) -> Result<Transient, RunError> {
        let names = "LoadState,ActiveState,SubState,Result,MainPID,ExecMainCode,ExecMainStatus";
        let out = self.ask(&self.systemctl(["show", unit, "--property", names]))?;
        Ok(parse_transient(out.text()?))
    }

    /// Kills all processes of a unit; one that is not there has none.
    pub fn kill(&self, unit: &str) -> Result<(), RunError> {
        self.runner.run(&self.systemctl(["kill", "--signal=KILL", unit]).accept(&[0, 1])).map(drop)
    }

    /// Stops a unit; one that is not there is as wanted.
    pub fn stop(&self, unit: &str) -> Result<(), RunError> {
        self.runner.run(&self.systemctl(["stop", unit]).accept(&[0, 5])).map(drop)
    }

    /// Stops a unit and forgets that it failed.
    pub fn forget(&self, unit: &str) -> Result<(), RunError> {
        self.stop(unit)?;
        self.runner.run(&self.systemctl(["reset-failed", unit]).accept(&[0, 1])).map(drop)
    }

    /// The names of loaded units that match a pattern.
    pub fn matching(&self, pattern: &str) -> Result<Vec<String>, RunError> {
        let out = self.ask(&self.systemctl(["list-units", "--all", "--plain", "--no-legend", pattern]))?;
        Ok(out.text()?.lines().filter_map(|l| l.split_whitespace().next()).map(str::to_owned).collect())
    }

    /// The last lines that a unit logged.
    pub fn log(&self, unit: &UnitName, lines: usize) -> Result<Vec<String>, RunError> {
        let lines = lines.to_string();
        let args = ["--no-pager", "--quiet", "--output=cat", "--lines", &lines, "--unit", unit.as_str()];
        let out = self.runner.run(&self.tool("journalctl").args(args).timeout(ASK))?;
        Ok(String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect())
    }

    /// `journalctl` with arguments, for so long and with so much output.
    pub fn journal(&self, args: &[String], (time, output): (Duration, usize)) -> Result<Output, RunError> {
        self.runner.run(&self.tool("journalctl").args(args).timeout(time).output_limit(output))
    }
}

/// Whether systemd did not answer, in its tools' own words.
fn is_away(error: &RunError) -> bool {
    let said = error.to_string();
    let words = [
        "Connection reset by peer",
        "Failed to connect to bus",
        "Transport endpoint is not connected",
        "disconnected from message bus",
    ];
    words.iter().any(|w| said.contains(w))
}

/// Leaves out the units that a transaction itself consists of.
fn without_ours(mut units: Units) -> Units {
    let ours = ["nqd-transaction-", "nqd-switch-", "nqd-deadman-", "nqd-probe-"];
    units.retain(|name, _| !ours.iter().any(|o| name.as_str().starts_with(o)));
    units
}

fn parse_transient(text: &str) -> Transient {
    let value = |key: &str| {
        let of_key = |l: &str| l.strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
        text.lines().find_map(of_key).unwrap_or_default()
    };
    let (active, sub) = (value("ActiveState"), value("SubState"));
    let ended = active == "failed" || active == "inactive" || sub == "exited";
    match (ended, value("ExecMainCode").as_str(), value("ExecMainStatus").parse()) {
        (false, ..) => Transient::Running(value("MainPID").parse().ok().and_then(Pid::from_raw)),
        // waitid(2): CLD_EXITED is 1. A unit that is gone says 0.
        (true, "1", Ok(status)) => Transient::Exited(status),
        (true, _, Ok(signal)) if signal > 0 => {
            Transient::Killed(format!("signal {signal}, {}", value("Result")))
        }
        _ => Transient::Killed(if value("LoadState") == "not-found" {
            "its unit is gone".to_owned()
        } else {
            value("Result")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_transient_unit() {
        let show = |active, sub, result, code, status| {
            parse_transient(&format!(
                "LoadState=loaded\nActiveState={active}\nSubState={sub}\nResult={result}\nMainPID=42\nExecMainCode={code}\nExecMainStatus={status}\n"
            ))
        };
        assert_eq!(show("active", "running", "success", 0, 0), Transient::Running(Pid::from_raw(42)));
        assert_eq!(show("activating", "start", "success", 0, 0), Transient::Running(Pid::from_raw(42)));
        assert_eq!(show("active", "exited", "success", 1, 0), Transient::Exited(0));
        assert_eq!(show("failed", "failed", "exit-code", 1, 4), Transient::Exited(4));
        assert_eq!(show("failed", "failed", "signal", 2, 9), Transient::Killed("signal 9, signal".into()));
        let gone = parse_transient(
            "LoadState=not-found\nActiveState=inactive\nSubState=dead\nExecMainCode=0\nExecMainStatus=0\n",
        );
        assert_eq!(gone, Transient::Killed("its unit is gone".into()));
    }
}
