//! A machine with a good site on it, and a candidate.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::harness::operator::Running;
use crate::harness::run::until;
use crate::harness::{Ended, Kind, Machine, Operator};

/// States in which a transaction has ended.
pub const ENDED: [&str; 6] =
    ["committed", "committed-degraded", "rolled-back", "interrupted", "superseded", "held"];

/// Holds up every `begin`, until the unit `holder` is stopped. It is one process: containers share their cgroups' names,
/// and the second of two that are killed under one name may live on.
pub const HOLD_BEGIN: &str = "mkdir -p /nix/var/nqd; chmod 711 /nix/var/nqd
systemd-run --quiet --unit=holder sh -c 'exec 9> /nix/var/nqd/lock; flock 9; exec sleep 60'
until ! flock -n /nix/var/nqd/lock true; do sleep 0.05; done";

/// A machine and its operator.
pub struct Scene {
    pub operator: Operator,
    pub machine: Machine,
    pub(super) start: Seen,
    pub(super) candidate: Option<String>,
    /// `held` or `superseded`, where the fault calls for it.
    pub(super) allowed: Option<&'static str>,
    /// Lines of the history that the fault itself has torn.
    pub(super) torn: usize,
    /// No transaction may have begun, although `nqd` did not live to say so.
    pub(super) begins_nothing: bool,
    /// The fault keeps even the guard from knowing what boots.
    pub(super) boots_unknown: bool,
    /// The fault begins on a machine whose three systems differ already.
    pub(super) diverged: bool,
    /// The machine went down once more after the transaction had ended.
    pub(super) rebooted: bool,
    /// The candidate was activated as one of its specialisations, and the machine boots it without.
    pub(super) plain: bool,
    /// A required check that the fault has failing before, so that it does not gate.
    pub(super) failed_before: Option<&'static str>,
    /// The machine's last transaction before the last deployment.
    pub(super) before: RefCell<Option<String>>,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub triple: [String; 3],
    pub etc: String,
    pub generations: BTreeSet<String>,
    /// The last transaction.
    pub last: Option<String>,
}

pub(super) fn seen(machine: &Machine) -> Seen {
    Seen {
        triple: machine.triple(),
        etc: machine.exec("readlink -f /etc/static"),
        generations: machine
            .exec("for g in /nix/var/nix/profiles/system-*-link; do echo $g $(readlink $g); done")
            .lines()
            .map(str::to_owned)
            .collect(),
        last: last_id(machine),
    }
}

/// The id in the machine's journal, which a guard of any version says.
fn last_id(machine: &Machine) -> Option<String> {
    let out = machine.try_exec("/nix/var/nqd/guard status --as-is");
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
    json["status"]["record"]["id"].as_str().map(str::to_owned)
}

/// A host with a web site and a check of it, and more attributes.
pub fn site(version: &str, status: &str, more: &str) -> String {
    format!(
        r#"web = nixos {{ name = "web"; version = "{version}"; recovery = true; units."web.service" = httpd {{ status = "{status}"; }};
          checks.site = {{ probe = {{ kind = "http"; url = "http://localhost:8080/"; }}; period = 0.3; timeout = 1; startDeadline = 4; }};
          {more} }};"#
    )
}

/// The same with one more unit.
pub fn with_unit(version: &str, name: &str, lines: &str) -> String {
    let text = lines.replace('\n', "\\n");
    site(version, "200", "").replace(
        "units.\"web.service\" = httpd { status = \"200\"; };",
        &format!("units = {{ \"web.service\" = httpd {{ }}; \"{name}\" = \"{text}\\n\"; }};"),
    )
}

/// A guest is slow: what fails there is not to fail for that.
fn paced(kind: Kind, hosts: &str) -> String {
    match kind {
        Kind::Container => hosts.to_owned(),
        Kind::Guest => hosts.replace("timeout = 1; startDeadline = 4;", "timeout = 5; startDeadline = 20;"),
    }
}

impl Scene {
    /// On version 1 of the site.
    pub fn new(kind: Kind) -> Self {
        Self::on(kind, &site("1", "200", ""))
    }

    fn on(kind: Kind, previous: &str) -> Self {
        let operator = Operator::new(&crate::nqd(), &crate::guard());
        operator.hosts(&paced(kind, previous));
        let mut machine = Machine::of(kind, &operator.key());
        operator.install(&mut machine, "web");
        let start = seen(&machine);
        Self {
            operator,
            machine,
            start,
            candidate: None,
            allowed: None,
            torn: 0,
            begins_nothing: false,
            boots_unknown: false,
            diverged: false,
            rebooted: false,
            plain: false,
            failed_before: None,
            before: RefCell::new(None),
        }
    }

    /// Starts from another system instead, which is proved and committed first.
    pub fn from(&mut self, previous: &str) {
        self.hosts(previous);
        self.operator.deploy(&self.machine, "web", &["--soak", "0"]).expect(0, &[]);
        self.look();
    }

    pub(super) fn hosts(&self, hosts: &str) {
        self.operator.hosts(&paced(self.machine.kind(), hosts));
    }

    /// The machine as it is now is where the fault begins.
    pub fn look(&mut self) {
        self.start = seen(&self.machine);
        self.before.replace(self.start.last.clone());
    }

    /// What is to be deployed. It is built here, so that nothing of it takes time later.
    pub fn candidate(&mut self, hosts: &str) {
        self.hosts(hosts);
        self.candidate = Some(self.operator.build("web"));
    }

    /// Version 2 of the site.
    pub fn good(&mut self) {
        self.candidate(&site("2", "200", ""));
    }

    /// The candidate's path.
    pub fn system(&self) -> &str {
        self.candidate.as_deref().expect("a candidate")
    }

    /// The fault may end so.
    pub fn may_end(&mut self, state: &'static str) {
        self.allowed = Some(state);
    }

    /// The fault tears lines of the history itself.
    pub fn tears(&mut self, lines: usize) {
        self.torn = lines;
    }

    /// The fault comes before anything began, and leaves nobody to report it.
    pub fn begins_nothing(&mut self) {
        self.begins_nothing = true;
    }

    /// The machine's three systems differ from the beginning.
    pub fn diverged(&mut self) {
        self.diverged = true;
    }

    /// This required check fails from the beginning.
    pub fn failed_before(&mut self, check: &'static str) {
        self.failed_before = Some(check);
    }

    /// The machine goes down after the transaction has ended: what was written down of it may not be so any more.
    pub fn reboots_afterwards(&mut self) {
        self.rebooted = true;
    }

    /// The machine goes down after a specialisation was activated: what boots is the candidate as such.
    pub fn comes_back_without_its_specialisation(&mut self) {
        self.plain = true;
    }

    /// The fault hides from the guard what boots.
    pub fn boots_unknown(&mut self) {
        self.boots_unknown = true;
    }

    pub fn deploy(&self, flags: &[&str]) -> Ended {
        self.before.replace(last_id(&self.machine));
        self.operator.deploy(&self.machine, "web", &self.patient(flags))
    }

    /// Deploys and expects this; gives the code.
    pub fn ends(&self, flags: &[&str], code: i32, says: &[&str]) -> Option<i32> {
        Some(self.deploy(flags).expect(code, says).code)
    }

    pub fn start(&self, flags: &[&str]) -> Running {
        self.before.replace(last_id(&self.machine));
        self.operator.start_deploy(&self.machine, "web", &self.patient(flags))
    }

    /// On a guest, more time to confirm.
    fn patient<'a>(&self, flags: &[&'a str]) -> Vec<&'a str> {
        let more: &[&str] = match self.machine.kind() {
            Kind::Guest if !flags.contains(&"--confirm-timeout") => &["--confirm-timeout", "60s"],
            _ => &[],
        };
        [flags, more].concat()
    }

    /// Waits until the transaction is there.
    pub fn at(&self, state: &str) {
        self.machine.wait_for_state(&[state], Duration::from_secs(90));
    }

    /// Waits until it has ended.
    pub fn over(&self) -> String {
        self.machine.wait_for_state(&ENDED, Duration::from_secs(120))
    }

    /// Cuts the power and boots.
    pub fn power_cut(&mut self) {
        self.machine.power_cut();
        self.machine.boot();
    }

    /// `nqd status --json`.
    pub fn status(&self) -> serde_json::Value {
        let ended = self.operator.on(&self.machine, &["status", "--json"]).expect(0, &[]);
        serde_json::from_str(ended.stdout.trim()).unwrap()
    }
}

/// Waits for something on the machine.
pub fn on_machine(machine: &Machine, what: &str, script: &str) {
    until(what, Duration::from_secs(40), || machine.try_exec(script).status.success());
}
