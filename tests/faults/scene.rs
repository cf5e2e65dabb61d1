//! A machine with a good site on it, a candidate, and the promise that is checked after every fault.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::harness::operator::Running;
use crate::harness::run::until;
use crate::harness::{Ended, Kind, Machine, Operator};

/// States in which a transaction has ended.
pub const ENDED: [&str; 6] =
    ["committed", "committed-degraded", "rolled-back", "interrupted", "superseded", "held"];

/// A machine and its operator.
pub struct Scene {
    pub operator: Operator,
    pub machine: Machine,
    start: Seen,
    candidate: Option<String>,
    /// `held` or `superseded`, where the fault calls for it.
    allowed: Option<&'static str>,
    /// Lines of the history that the fault itself has torn.
    torn: usize,
    /// No transaction may have begun, although `nqd` did not live to say so.
    begins_nothing: bool,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    triple: [String; 3],
    etc: String,
    generations: BTreeSet<String>,
}

fn seen(machine: &Machine) -> Seen {
    Seen {
        triple: machine.triple(),
        etc: machine.exec("readlink -f /etc/static"),
        generations: machine
            .exec("for g in /nix/var/nix/profiles/system-*-link; do echo $g $(readlink $g); done")
            .lines()
            .map(str::to_owned)
            .collect(),
    }
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
        Self { operator, machine, start, candidate: None, allowed: None, torn: 0, begins_nothing: false }
    }

    /// Starts from another system instead, which is proved and committed first.
    pub fn from(&mut self, previous: &str) {
        self.hosts(previous);
        self.operator.deploy(&self.machine, "web", &["--soak", "0"]).expect(0, &[]);
        self.start = seen(&self.machine);
    }

    fn hosts(&self, hosts: &str) {
        self.operator.hosts(&paced(self.machine.kind(), hosts));
    }

    /// The machine as it is now is where the fault begins.
    pub fn look(&mut self) {
        self.start = seen(&self.machine);
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

    pub fn deploy(&self, flags: &[&str]) -> Ended {
        self.operator.deploy(&self.machine, "web", &self.patient(flags))
    }

    /// Deploys and expects this; gives the code.
    pub fn ends(&self, flags: &[&str], code: i32, says: &[&str]) -> Option<i32> {
        Some(self.deploy(flags).expect(code, says).code)
    }

    pub fn start(&self, flags: &[&str]) -> Running {
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

    /// The promise. Gives which systems run, are named by the profile and boot, and the verdict.
    pub fn promise(&self, reported: Option<i32>) -> (String, String) {
        let refused = matches!(reported, Some(30 | 40 | 41 | 42 | 43 | 75));
        let status = self.status();
        let record = &status["transaction"];
        assert!(record.is_null() || !self.begins_nothing, "a transaction began: {record}");
        let state = if record.is_null() {
            assert!(refused || self.begins_nothing, "no transaction, and {reported:?} was reported");
            "nothing began".to_owned()
        } else {
            self.over()
        };
        self.reported_is_persisted(reported);
        // (a)
        let now = seen(&self.machine);
        let committed = state.starts_with("committed");
        let all_candidate = self.candidate.as_ref().is_some_and(|c| now.triple == [c.as_str(); 3]);
        let etc_fits = now.etc == self.machine.link(&format!("{}/etc", now.triple[0]));
        let as_before = now.triple == self.start.triple && now.etc == self.start.etc;
        let may_differ = self.allowed == Some(state.as_str());
        assert!(
            as_before || (all_candidate && etc_fits && (committed || refused)) || may_differ,
            "{state}: {now:?}, started as {:?}, candidate {:?}",
            self.start,
            self.candidate
        );
        // (b)
        if state == "held" || state == "superseded" {
            assert!(may_differ, "{state} is not expected here");
            self.operator.on(&self.machine, &["status"]).expect(0, &[&state, "nqd doctor"]);
        }
        // (c)
        let history = self.machine.exec("[ ! -x /nix/var/nqd/guard ] || /nix/var/nqd/guard history");
        if let Some(first) = history.lines().next() {
            assert_eq!(first, format!(r#"{{"history":{{"torn":{}}}}}"#, self.torn));
        }
        // (d)
        assert!(
            now.generations.is_superset(&self.start.generations),
            "{now:?} lacks generations of {:?}",
            self.start
        );
        self.next_works(&now, may_differ || !as_before);
        (self.which(&now), state)
    }

    /// For each member of the triple, in its order, whether it is the old system or the new one.
    fn which(&self, now: &Seen) -> String {
        let which = |(now, start): (&String, &String)| match now {
            now if now == start => "old",
            now if Some(now) == self.candidate.as_ref() => "new",
            _ => "another",
        };
        now.triple.iter().zip(&self.start.triple).map(which).collect::<Vec<_>>().join(", ")
    }

    /// `nqd status --json`.
    pub fn status(&self) -> serde_json::Value {
        let ended = self.operator.on(&self.machine, &["status", "--json"]).expect(0, &[]);
        serde_json::from_str(ended.stdout.trim()).unwrap()
    }

    /// (e): exit codes follow what was written down; 22 claims nothing.
    fn reported_is_persisted(&self, reported: Option<i32>) {
        let status = self.status();
        let exit = status["transaction"]["outcome"]["exit"].as_str().unwrap_or("none").to_owned();
        let code = match exit.as_str() {
            "ok" => 0,
            "degraded" => 10,
            "rolled-back" => 20,
            "held" => 21,
            "superseded" => 23,
            "interrupted" => 24,
            "refused" => 30,
            _ => -1,
        };
        match reported {
            // What was refused before it began left nothing behind, or what was there before.
            None | Some(22 | 30 | 40 | 41 | 42 | 43 | 75) => {}
            Some(reported) => assert_eq!(reported, code, "reported {reported}, the target says {exit}"),
        }
    }

    /// (f)
    fn next_works(&self, now: &Seen, diverged: bool) {
        self.hosts(&site("9", "200", ""));
        let next = self.operator.build("web");
        let flags: &[&str] = if diverged { &["--soak", "0", "--from-diverged"] } else { &["--soak", "0"] };
        self.deploy(flags).expect(0, &["committed"]);
        assert_eq!(self.machine.triple(), [next.as_str(); 3], "after {now:?}");
    }
}

/// Waits for something on the machine.
pub fn on_machine(machine: &Machine, what: &str, script: &str) {
    until(what, Duration::from_secs(40), || machine.try_exec(script).status.success());
}
