//! Runs shell scripts as root, here or on a target. A script travels on standard input: nothing of it is on a command
//! line, and the target's login shell, whatever it is, only ever sees a few fixed words.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::runner::{Cmd, Listener, Output, RunError, Runner, Stream};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::{Address, text};
use crate::nix::error_text;

/// What a script prints first: proof that the shell runs, with the rights that were asked for.
const READY: &str = "nqd-ready";
/// Time that opening a connection has.
const CONNECT: u32 = 10;

/// How to become root.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Escalate {
    /// We are root already.
    #[default]
    No,
    /// `sudo`.
    Sudo,
    /// `doas`.
    Doas,
    /// `run0`.
    Run0,
}

/// A password. It is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes what a person typed.
    pub fn new(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Where scripts run.
#[derive(Debug, Clone)]
pub enum Place {
    /// On this machine.
    Here,
    /// There, over the shared connection whose socket this is.
    There {
        /// The target.
        address: Address,
        /// The control socket.
        control: PathBuf,
    },
}

/// Runs scripts somewhere.
#[derive(Clone)]
pub struct Transport {
    runner: Runner,
    place: Place,
    escalate: Escalate,
    password: Option<Password>,
    prompts: bool,
}

impl Transport {
    /// `prompts`: whether a person is there whom SSH may ask for a passphrase.
    pub fn new(
        runner: Runner,
        place: Place,
        escalate: Escalate,
        password: Option<Password>,
        prompts: bool,
    ) -> Self {
        Self { runner, place, escalate, password, prompts }
    }

    /// Opens the shared connection: the one login. We end it; if we cannot, it ends by itself hours after its
    /// last use: a build or an answer may take long.
    pub fn connect(&self) -> Result<(), Failure> {
        let Place::There { address, control } = &self.place else { return Ok(()) };
        let cmd = self.ssh(address).args(["-M", "-N", "-f", "-o", "ControlPersist=4h", "-o"]);
        let cmd = cmd.arg(control_path(control)).args(["--", &address.destination()]);
        self.runner.run(&cmd).map(drop).map_err(|e| unreachable(address, &e))
    }

    /// Closes the shared connection. It may be gone already.
    pub fn disconnect(&self) -> Result<(), RunError> {
        let Place::There { address, control } = &self.place else { return Ok(()) };
        let cmd = Cmd::new("ssh")
            .args(["-O", "exit", "-o"])
            .arg(control_path(control))
            .args(["--", &address.destination()]);
        self.runner.run(&cmd.accept(&[0, 255])).map(drop)
    }

    /// What Nix needs to use the shared connection.
    pub fn nix_ssh_options(&self) -> Option<String> {
        let Place::There { address, control } = &self.place else { return None };
        let port = address.port.map_or_else(String::new, |p| format!(" -p {p}"));
        Some(format!("-o ControlMaster=no -o {}{port}", control_path(control)))
    }

    /// The words that run a command there as root, for a person to type.
    pub fn login(&self) -> String {
        let there = match &self.place {
            Place::Here => String::new(),
            Place::There { address, .. } => {
                let port = address.port.map_or_else(String::new, |p| format!("-p {p} "));
                format!("ssh {port}{} ", address.destination())
            }
        };
        let escalate = if self.escalate == Escalate::No { "" } else { self.escalate.word() };
        format!("{there}{escalate}").trim_end().to_owned()
    }

    /// Where scripts run.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Runs a script over the shared connection. Statuses in `accept` are answers.
    pub fn run(&self, script: &str, accept: &[i32]) -> Result<Output, Failure> {
        self.run_with(script, accept, &mut |_, _| {})
    }

    /// The same, handing out lines as they come.
    pub fn run_with(
        &self,
        script: &str,
        accept: &[i32],
        listener: &mut Listener<'_>,
    ) -> Result<Output, Failure> {
        self.finish(&self.script(script, false, accept), listener)
    }

    /// Runs a script over a connection of its own, opened now (DESIGN rule 11), within a time.
    pub fn run_fresh(&self, script: &str, time: Duration) -> Result<Output, Failure> {
        self.finish(&self.script(script, true, &[0, 1, 2, 30]).timeout(time), &mut |_, _| {})
    }

    /// The same, without a limit, handing out lines as they come.
    pub fn follow_fresh(
        &self,
        script: &str,
        accept: &[i32],
        listener: &mut Listener<'_>,
    ) -> Result<Output, Failure> {
        self.finish(&self.script(script, true, accept), listener)
    }

    fn finish(&self, cmd: &Cmd, listener: &mut Listener<'_>) -> Result<Output, Failure> {
        let mut ready = false;
        let mut out = Vec::new();
        let result = self.runner.run_with(cmd, &mut |stream, line| {
            if stream == Stream::Out && !ready {
                // A login shell may greet first.
                ready = line == READY;
                return;
            }
            if stream == Stream::Out {
                out.extend_from_slice(line.as_bytes());
                out.push(b'\n');
            }
            listener(stream, line);
        });
        match result {
            Ok(output) if ready => Ok(Output { stdout: out, ..output }),
            Ok(output) => Err(self.no_shell(&output.stderr, &format!("status {}", output.status))),
            Err(e @ RunError::Cancelled(_)) => Err(Failure::refused(e.to_string())),
            Err(e) if ready => Err(self.failed(&e)),
            Err(e) => Err(self.not_started(&e)),
        }
    }

    /// The command that runs a script, for snapshots too.
    pub fn script(&self, script: &str, fresh: bool, accept: &[i32]) -> Cmd {
        let (become_root, input) = self.become_root();
        let script = format!("{input}printf '%s\\n' {READY}\n{script}\n");
        let cmd = match &self.place {
            Place::Here => Cmd::new("sh").args(["-c", &become_root]),
            Place::There { address, control } => {
                let sharing = if fresh { "ControlPath=none".to_owned() } else { control_path(control) };
                self.ssh(address).args([
                    "-o",
                    "ControlMaster=no",
                    "-o",
                    &sharing,
                    "--",
                    &address.destination(),
                    &become_root,
                ])
            }
        };
        cmd.stdin(script).accept(accept)
    }

    /// The command for the login shell, and what comes before the script on its standard input.
    fn become_root(&self) -> (String, String) {
        const MARK: &str = "nqd-end-of-password";
        match (self.escalate, &self.password) {
            (Escalate::No, _) => ("sh -s".to_owned(), String::new()),
            (Escalate::Doas, _) => ("doas -n sh -s".to_owned(), String::new()),
            (Escalate::Run0, _) => ("run0 --no-ask-password sh -s".to_owned(), String::new()),
            (Escalate::Sudo, None) => ("sudo -n sh -s".to_owned(), String::new()),
            // sudo reads the password from standard input only if it needs one. Whatever it has not read is skipped
            // up to the mark, so that a password is never taken for a command.
            (Escalate::Sudo, Some(Password(password))) => (
                format!(
                    "sudo -S -k -p '' sh -c 'while IFS= read -r line; do test \"$line\" = {MARK} && break; done; exec sh -s'"
                ),
                format!("{password}\n{MARK}\n"),
            ),
        }
    }

    fn ssh(&self, address: &Address) -> Cmd {
        let mut cmd = Cmd::new("ssh").args(["-x", "-o"]).arg(format!("ConnectTimeout={CONNECT}"));
        // A link that is dead must show as dead while a confirmation can still be given.
        cmd = cmd.args(["-o", "ServerAliveInterval=3", "-o", "ServerAliveCountMax=3"]);
        if !self.prompts {
            cmd = cmd.args(["-o", "BatchMode=yes"]);
        }
        match address.port {
            Some(port) => cmd.args(["-p", &port.to_string()]),
            None => cmd,
        }
    }

    fn not_started(&self, e: &RunError) -> Failure {
        match (&self.place, e.status()) {
            (Place::There { address, .. }, Some(255) | None) => unreachable(address, e),
            (_, status) => self.no_shell(e.stderr(), &format!("status {}", status.unwrap_or(-1))),
        }
    }

    /// The shell did not come up: nearly always because becoming root was refused.
    fn no_shell(&self, stderr: &[String], how: &str) -> Failure {
        let said = stderr.iter().rev().find(|l| !l.trim().is_empty()).map_or(how, String::as_str);
        let said = text::printable(&text::without_colour(said), false);
        let (what, hint) = match self.escalate {
            Escalate::No => ("running a shell failed", "see what `ssh TARGET sh -s` does".to_owned()),
            _ if stderr
                .iter()
                .any(|l| l.contains("assword is required") || l.contains("uthentication required")) =>
            {
                ("becoming root was refused", "--ask-sudo-password asks for the password once".to_owned())
            }
            how => ("becoming root was refused", format!("{} must let this user run sh", how.word())),
        };
        Failure::refused(format!("{what}: {said}")).hint(hint)
    }

    fn failed(&self, e: &RunError) -> Failure {
        match &self.place {
            Place::There { address, .. } if e.status() == Some(255) => unreachable(address, e),
            _ if e.stderr().iter().any(|l| l.contains("No space left on device")) => {
                let said = text::printable(&e.stderr().join("; "), false);
                Failure::new(Exit::Copy, format!("the target's disk is full: {said}"))
                    .hint(error_text::FREE_SPACE)
            }
            _ => Failure::new(Exit::Internal, text::printable(&text::without_colour(&e.to_string()), true)),
        }
    }
}

impl Escalate {
    /// The program.
    pub fn word(self) -> &'static str {
        match self {
            Self::No => "nobody",
            Self::Sudo => "sudo",
            Self::Doas => "doas",
            Self::Run0 => "run0",
        }
    }
}

fn control_path(control: &std::path::Path) -> String {
    format!("ControlPath={}", control.display())
}

/// SSH's own words for why, and what usually helps.
fn unreachable(address: &Address, e: &RunError) -> Failure {
    let noise = |l: &&String| !l.trim().is_empty() && !l.starts_with("Warning: Permanently added");
    let said = e.stderr().iter().rev().find(noise).cloned().unwrap_or_else(|| e.to_string());
    let said = text::printable(&text::without_colour(&said), false);
    let hint = if said.contains("ermission denied") {
        format!(
            "see whether `ssh {}` lets you in; --target-host USER@HOST names another user",
            address.destination()
        )
    } else if said.contains("ost key verification") {
        format!("log in once with `ssh {}` and compare the key", address.destination())
    } else if said.contains("resolve hostname") {
        "--target-host, or quickDeploy.deploy.targetHost, says where this host is".to_owned()
    } else {
        format!("see whether the machine is up and `ssh {}` works", address.destination())
    };
    Failure::new(Exit::Unreachable, format!("{address} cannot be reached: {said}")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transport(escalate: Escalate, password: Option<&str>) -> Transport {
        let address = Address::parse("ssh://deploy@web:2222").unwrap();
        let place = Place::There { address, control: "/run/user/1/nqd-x/c".into() };
        Transport::new(Runner::default(), place, escalate, password.map(|p| Password::new(p.into())), false)
    }

    #[test]
    fn nothing_of_a_script_or_password_is_on_a_command_line() {
        for escalate in [Escalate::No, Escalate::Sudo, Escalate::Doas, Escalate::Run0] {
            for fresh in [false, true] {
                let cmd = transport(escalate, Some("hunter2")).script("cat /etc/secret", fresh, &[0]);
                assert!(
                    !cmd.display().contains("hunter2") && !cmd.display().contains("secret"),
                    "{}",
                    cmd.display()
                );
            }
        }
        assert!(!format!("{:?}", Password::new("hunter2".into())).contains("hunter2"));
    }

    #[test]
    fn what_ssh_is_called_with() {
        insta::assert_snapshot!(transport(Escalate::Sudo, None).script("true", false, &[0]).argv().join(" "), @"ssh -x -o ConnectTimeout=10 -o ServerAliveInterval=3 -o ServerAliveCountMax=3 -o BatchMode=yes -p 2222 -o ControlMaster=no -o ControlPath=/run/user/1/nqd-x/c -- deploy@web sudo -n sh -s");
        insta::assert_snapshot!(transport(Escalate::No, None).script("true", true, &[0]).argv().join(" "), @"ssh -x -o ConnectTimeout=10 -o ServerAliveInterval=3 -o ServerAliveCountMax=3 -o BatchMode=yes -p 2222 -o ControlMaster=no -o ControlPath=none -- deploy@web sh -s");
    }

    #[test]
    fn a_script_runs_here() {
        let here = Transport::new(Runner::default(), Place::Here, Escalate::No, None, false);
        assert_eq!(here.run("echo one; echo two", &[0]).unwrap().text().unwrap(), "one\ntwo\n");
        let failure = here.run("echo why >&2; exit 3", &[0]).unwrap_err();
        assert!(failure.what.contains("why") && failure.exit == Exit::Internal, "{failure}");
    }

    #[test]
    fn a_refused_sudo_is_a_refusal_with_a_hint() {
        let t = transport(Escalate::Sudo, None);
        let failure = t.no_shell(&["sudo: a password is required".into()], "status 1");
        assert_eq!(failure.exit, Exit::Refused);
        assert!(failure.hint.unwrap().contains("--ask-sudo-password"));
    }
}
