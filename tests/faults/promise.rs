//! The promise, which is checked after every fault: the state in which the transaction ended says what the machine must
//! be. There is no state, and no exit code, that makes anything else good enough.

use std::collections::BTreeSet;

use nqd::effects::machine::Snapshot;
use nqd::effects::system_files::BootRecord;
use nqd::exit::Exit;
use nqd::guard::protocol::{Reply, Status};
use nqd::guard::{Bans, Evidence, Outcome, Record, State};
use nqd::health::{Baseline, CheckReport, Level, Standing};
use nqd::model::{BootDefault, BootId, StorePath};

use super::scene::{Scene, Seen, seen, site};

/// Everything else that the guard keeps, each file after a line with its name.
const KEPT: &str = "cd /nix/var/nqd 2> /dev/null || exit 0
for f in public/history.jsonl public/history.jsonl.1 boot.json bans.json tx/*/snapshot.json copies/*; do
  [ ! -e $f ] || { echo \"@@ $f\"; cat $f; echo; }
done";

impl Scene {
    /// Checks it. Gives which systems run, are named by the profile and boot, and the verdict.
    pub fn promise(&self, reported: Option<i32>) -> (String, String) {
        // Whoever has to recover does so now.
        if !self.status()["transaction"].is_null() {
            self.over();
        }
        let last = self.last();
        let now = seen(&self.machine);
        let began = last.record.as_ref().filter(|r| Some(r.id.as_str()) != self.start.last.as_deref());
        let verdict = match began {
            None => {
                let refused = matches!(reported, Some(30 | 40 | 41 | 42 | 43 | 75));
                assert!(refused || self.begins_nothing, "nothing began, and {reported:?} was reported");
                self.is_as_before("nothing began", &now);
                "nothing began".to_owned()
            }
            Some(record) => {
                assert!(!self.begins_nothing, "a transaction began: {record:?}");
                self.ended_as_it_says(record, last.evidence.as_ref(), &now);
                serde_json::to_value(record.state).unwrap().as_str().unwrap().to_owned()
            }
        };
        self.reported_is_persisted(reported, &last);
        self.files_are_whole();
        assert!(
            now.generations.is_superset(&self.start.generations),
            "{now:?} lacks generations of {:?}",
            self.start
        );
        self.next_works(&now);
        (self.which(&now), verdict)
    }

    /// (a), (b)
    fn ended_as_it_says(&self, record: &Record, evidence: Option<&Evidence>, now: &Seen) {
        let outcome = record.outcome.as_ref().expect("an end says how it ended");
        assert_eq!(outcome.state, record.state, "the outcome is another state's");
        match record.state {
            State::Committed | State::CommittedDegraded => {
                self.is_all_candidate(record, now);
                self.proved(record, evidence.expect("what was committed is in the history"));
            }
            State::RolledBack | State::Interrupted => self.is_as_before(record.state.word(), now),
            State::Held | State::Superseded => {
                let word = record.state.word();
                assert_eq!(self.allowed, Some(word), "{word} is not expected here: {outcome:?}");
                self.operator.on(&self.machine, &["status"]).expect(0, &[word, "nqd doctor"]);
                if record.state == State::Held {
                    self.gets_out(record);
                }
            }
            unfinished => panic!("{unfinished:?} is no end"),
        }
        if !self.rebooted {
            self.says_what_is(outcome, now);
        }
    }

    /// What `nqd doctor` prints is typed, line by line: then nothing needs a person any more.
    fn gets_out(&self, record: &Record) {
        let said = self.operator.on(&self.machine, &["doctor"]).expect(21, &["nqd rollback"]).stdout;
        let lines: Vec<&str> = said.lines().filter_map(|l| l.strip_prefix("  ")).collect();
        assert!(lines.len() > 1, "no commands in {said}");
        for line in lines {
            // The operator's own program, as a person would have it in their path, and yes to its question.
            let nqd = format!(
                "nqd() {{ {} \"$@\" --yes --soak 0 --guard {}; }}",
                self.operator.program().display(),
                crate::guard().display()
            );
            let out = self.operator.command("sh", &["-c", &format!("{nqd}\n{line}")]).output().unwrap();
            let said = String::from_utf8_lossy(&out.stderr).into_owned();
            assert!(out.status.success(), "`{line}` of nqd doctor failed: {said}");
        }
        let proved = record.previous_profile().unwrap_or(&record.previous).as_str();
        assert_eq!(self.machine.triple(), [proved; 3], "after what nqd doctor printed");
        self.operator.on(&self.machine, &["doctor"]).expect(0, &["nothing needs a person"]);
    }

    fn is_as_before(&self, verdict: &str, now: &Seen) {
        let Seen { triple, etc, .. } = &self.start;
        assert!(
            now.triple == *triple && now.etc == *etc,
            "{verdict}: {now:?}, started as {:?}, candidate {:?}",
            self.start,
            self.candidate
        );
    }

    fn is_all_candidate(&self, record: &Record, now: &Seen) {
        let candidate = self.candidate.as_deref().expect("what was committed was a candidate");
        assert_eq!(record.candidate.as_str(), candidate, "another system was committed");
        let activated = record.spec.activate.as_str();
        let specialisations = format!("readlink -f {candidate}/specialisation/*");
        assert!(
            activated == candidate || self.machine.exec(&specialisations).lines().any(|s| s == activated),
            "{activated} is no part of {candidate}"
        );
        let runs = if self.plain { candidate } else { activated };
        assert_eq!(now.triple, [runs, candidate, candidate], "not all is the candidate");
        assert_eq!(now.etc, self.machine.link(&format!("{runs}/etc")), "/etc is another system's");
    }

    /// It passed its gate: by the record of it, no required check ended otherwise than well, but for one that the fault
    /// had failing before.
    fn proved(&self, record: &Record, evidence: &Evidence) {
        let said = (&evidence.id, evidence.outcome.state);
        assert_eq!(said, (&record.id, record.state), "the history says otherwise");
        let excused =
            |c: &CheckReport| Some(&*c.name) == self.failed_before && c.baseline == Some(Baseline::Failed);
        let gated = |c: &&CheckReport| c.level == Level::Required && !excused(c);
        let failing: Vec<_> =
            evidence.checks.iter().filter(gated).filter(|c| c.standing != Standing::Passing).collect();
        assert!(failing.is_empty(), "committed, although {failing:?}");
        // A guard that found `committing` in the journal had nothing to prove: that it got there is the proof.
        let proved_here = evidence.timings.iter().any(|(state, _)| *state == State::Probing);
        assert!(!evidence.checks.is_empty() || !proved_here, "committed without a check");
    }

    /// What was written down of the machine is how it is.
    fn says_what_is(&self, outcome: &Outcome, now: &Seen) {
        assert_eq!(outcome.runs.as_str(), now.triple[0], "what was written down runs");
        match &outcome.boots {
            BootDefault::Known { path, .. } => {
                assert_eq!(path.as_str(), now.triple[2], "it says that it boots");
            }
            BootDefault::Unknown { why } => assert!(self.boots_unknown, "what boots is not known: {why}"),
        }
    }

    /// (e): exit codes follow what was written down; 22 claims nothing.
    fn reported_is_persisted(&self, reported: Option<i32>, last: &Status) {
        let id = last.record.as_ref().map(|r| r.id.as_str().to_owned());
        let exit = last.record.as_ref().and_then(|r| r.outcome.as_ref()).map(|o| o.exit);
        let before = self.before.borrow();
        match reported {
            None | Some(22) => {}
            // Refused by a guard that had begun, or before anything was written down.
            Some(30) if id != *before => assert_eq!(exit, Some(Exit::Refused), "reported 30"),
            Some(code @ (30 | 40 | 41 | 42 | 43 | 75)) => {
                assert_eq!(id, *before, "{code} was reported, and a transaction began");
            }
            Some(code) => {
                assert_eq!(Some(code), exit.map(|e| i32::from(e.code())), "what the target says");
            }
        }
    }

    /// (c): every file that the guard keeps can be read.
    fn files_are_whole(&self) {
        let there = "[ ! -e /nix/var/nqd/guard ] || /nix/var/nqd/guard history --limit 10000000";
        let history = self.machine.exec(there);
        let mut lines = history.lines();
        if let Some(first) = lines.next() {
            assert_eq!(first, format!(r#"{{"history":{{"torn":{}}}}}"#, self.torn));
        }
        let mut ids = BTreeSet::new();
        for line in lines {
            let attempt: Evidence = parsed("the history", line);
            assert!(ids.insert(attempt.id.clone()), "two attempts {} in the history", attempt.id);
        }
        for file in self.machine.exec(KEPT).split("@@ ").filter(|f| !f.is_empty()) {
            let (name, text) = file.split_once('\n').unwrap();
            whole(name, text.trim_end());
        }
    }

    /// (f): with no more than anybody would type.
    fn next_works(&self, now: &Seen) {
        self.hosts(&site("9", "200", ""));
        let next = self.operator.build("web");
        // What was held is not any more (`gets_out`).
        let diverged = self.diverged || self.allowed == Some("superseded");
        let flags: &[&str] = if diverged { &["--soak", "0", "--from-diverged"] } else { &["--soak", "0"] };
        self.deploy(flags).expect(0, &["committed"]);
        assert_eq!(self.machine.triple(), [next.as_str(); 3], "after {now:?}");
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

    /// What the guard that was used last says. One that is there and cannot be run fails here.
    fn last(&self) -> Status {
        let said = self.machine.exec(
            "if [ -e /nix/var/nqd/guard ] || [ -L /nix/var/nqd/guard ]; then /nix/var/nqd/guard status --as-is; fi",
        );
        match said.lines().next().map(|line| parsed::<Reply>("the status", line)) {
            Some(Reply::Status(status)) => *status,
            None => Status { protocol: 1, record: None, alive: false, evidence: None, bans: Bans::default() },
            Some(other) => panic!("the guard says {other:?}"),
        }
    }
}

fn parsed<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{name} cannot be read: {e}\n{text}"))
}

fn whole(name: &str, text: &str) {
    match name {
        "boot.json" => drop(parsed::<BootRecord>(name, text)),
        "bans.json" => drop(parsed::<Bans>(name, text)),
        _ if name.starts_with("public/") => {
            text.lines().for_each(|line| drop(parsed::<Evidence>(name, line)));
        }
        _ if name.starts_with("tx/") => drop(parsed::<Snapshot>(name, text)),
        // The boot id, and the paths.
        _ => {
            let mut lines = text.lines();
            BootId::parse(lines.next().unwrap_or_default()).unwrap_or_else(|e| panic!("{name}: {e}"));
            lines.for_each(|l| drop(StorePath::parse(l).unwrap_or_else(|e| panic!("{name}: {e}"))));
        }
    }
}
