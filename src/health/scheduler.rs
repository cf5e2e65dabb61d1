//! Decides which check is probed when, and how each stands. Pure: time and answers are handed in.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Baseline, Check, CheckName, CheckReport, Manifest, ProbeResult, ProbeStatus, Standing};
use crate::model::BootTime;

/// Probes that run at a time.
const PARALLEL: usize = 8;
/// The longest time between two probes of a check that does not pass yet.
const SLOWEST: Duration = Duration::from_secs(10);

/// What the checks are probed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To see how they are now: one success passes, [`Check::failure_threshold`] failures in a row fail.
    Survey,
    /// To prove a candidate: failures before the first success do not count, only the deadline does.
    Gate,
}

/// The checks of one manifest while they are probed.
#[derive(Debug, Clone)]
pub struct Scheduler {
    purpose: Purpose,
    slots: BTreeMap<CheckName, Slot>,
    running: usize,
    patient: bool,
}

#[derive(Debug, Clone)]
struct Slot {
    check: Check,
    baseline: Option<Baseline>,
    standing: Standing,
    /// When its first probe was due: its deadline counts from here.
    started: Option<BootTime>,
    next: BootTime,
    pause: Duration,
    running: bool,
    successes: u32,
    failures: u32,
    last: Option<ProbeResult>,
    passed_as: Option<String>,
    message: String,
    looks_again: bool,
}

impl Scheduler {
    /// Starts with every check of `manifest` pending. `baseline` says how one stood before.
    pub fn new(
        manifest: &Manifest,
        purpose: Purpose,
        now: BootTime,
        baseline: impl Fn(&CheckName) -> Option<Baseline>,
    ) -> Self {
        let slot = |(name, check): (&CheckName, &Check)| {
            let slot = Slot {
                check: check.clone(),
                baseline: baseline(name),
                standing: Standing::Pending,
                started: None,
                next: now,
                pause: check.period.duration(),
                running: false,
                successes: 0,
                failures: 0,
                last: None,
                passed_as: None,
                message: "not probed yet".to_owned(),
                looks_again: false,
            };
            (name.clone(), slot)
        };
        Self { purpose, slots: manifest.checks.iter().map(slot).collect(), running: 0, patient: false }
    }

    /// Whether a check that failed before gets all of its time too: then it may come to pass.
    #[must_use]
    pub fn patient(self, patient: bool) -> Self {
        Self { patient, ..self }
    }

    /// Whether the latest answer of every check that passes was that it does.
    pub fn is_steady(&self) -> bool {
        self.slots.values().all(|s| s.standing != Standing::Passing || s.last_passed())
    }

    /// Makes every check that passes due at once, for one last look.
    pub fn look_again(&mut self, now: BootTime) {
        for slot in self.slots.values_mut().filter(|s| s.standing == Standing::Passing) {
            slot.next = now;
            slot.looks_again = true;
        }
    }

    /// Whether all have answered since [`Scheduler::look_again`].
    pub fn has_looked_again(&self) -> bool {
        self.slots.values().all(|s| s.standing != Standing::Passing || !s.looks_again)
    }

    /// The checks to probe now. The caller must hand the answer of each to [`Scheduler::answer`].
    pub fn due(&mut self, now: BootTime) -> Vec<(CheckName, Check)> {
        self.pass_on_failures();
        let ready: Vec<CheckName> = self
            .slots
            .iter()
            .filter(|(_, s)| s.is_due(now, self.purpose) && self.may_start(s))
            .map(|(n, _)| n.clone())
            .collect();
        let mut due = Vec::new();
        for name in ready.into_iter().take(PARALLEL.saturating_sub(self.running)) {
            if let Some(slot) = self.slots.get_mut(&name) {
                slot.running = true;
                slot.started.get_or_insert(now);
                due.push((name, slot.check.clone()));
            }
        }
        self.running += due.len();
        due
    }

    /// Takes the answer of a probe.
    pub fn answer(&mut self, now: BootTime, name: &str, result: ProbeResult) {
        let purpose = self.purpose;
        if let Some(slot) = self.slots.get_mut(name).filter(|s| s.running) {
            slot.running = false;
            self.running -= 1;
            slot.take(now, result, purpose);
        }
        self.pass_on_failures();
    }

    /// Decides what only time decides: deadlines. Call it before reading the reports.
    pub fn tick(&mut self, now: BootTime) {
        for slot in self.slots.values_mut() {
            let late = |started| now.since(started) >= slot.check.start_deadline.duration();
            if slot.standing == Standing::Pending && slot.started.is_some_and(late) {
                slot.give_up();
                // A probe that never answers must not keep the others from being probed.
                self.running -= usize::from(std::mem::take(&mut slot.running));
            }
        }
        self.pass_on_failures();
    }

    /// When something will be due or decided next, at the latest.
    pub fn wake(&self) -> Option<BootTime> {
        let deadline = |s: &Slot| s.started.map(|t| t.plus(s.check.start_deadline.duration()));
        let times = self.slots.values().filter_map(|s| match s.standing {
            Standing::Pending if s.running => deadline(s),
            Standing::Pending if self.may_start(s) => {
                deadline(s).into_iter().chain((self.running < PARALLEL).then_some(s.next)).min()
            }
            Standing::Passing if self.purpose == Purpose::Gate && !s.running && self.running < PARALLEL => {
                Some(s.next)
            }
            _ => None,
        });
        times.min()
    }

    /// How every check stands.
    pub fn reports(&self) -> Vec<CheckReport> {
        let report = |(name, slot): (&CheckName, &Slot)| CheckReport {
            name: name.clone(),
            level: slot.check.level,
            baseline: slot.baseline,
            standing: if self.patient { slot.standing } else { slot.standing_for_report() },
            message: slot.message.clone(),
        };
        self.slots.iter().map(report).collect()
    }

    fn may_start(&self, slot: &Slot) -> bool {
        let passes = |name: &CheckName| self.slots.get(name).is_some_and(|s| s.standing == Standing::Passing);
        slot.check.after.iter().all(passes)
    }

    /// A check whose dependency does not pass is skipped, and so are those after it.
    fn pass_on_failures(&mut self) {
        loop {
            let bad = |name: &CheckName| {
                let s = self.slots.get(name).map(|s| s.standing);
                matches!(s, Some(Standing::Failing | Standing::Unknown | Standing::Skipped))
            };
            let blocked = self.slots.iter().find_map(|(name, slot)| {
                let cause = slot.check.after.iter().find(|a| bad(a))?;
                (slot.standing == Standing::Pending).then(|| (name.clone(), cause.clone()))
            });
            let Some((name, cause)) = blocked else { return };
            if let Some(slot) = self.slots.get_mut(&name) {
                slot.standing = Standing::Skipped;
                slot.message = format!("skipped: {cause} does not pass");
            }
        }
    }
}

impl Slot {
    fn is_due(&self, now: BootTime, purpose: Purpose) -> bool {
        let wanted = match self.standing {
            Standing::Pending => true,
            Standing::Passing => purpose == Purpose::Gate,
            _ => false,
        };
        wanted && !self.running && self.next <= now
    }

    /// A check that was failing before and has answered once does not hold anything up: it is what it was.
    fn standing_for_report(&self) -> Standing {
        let failed_once = self.last.as_ref().is_some_and(|r| r.status == ProbeStatus::Fail);
        match self.standing {
            Standing::Pending if failed_once && self.baseline == Some(Baseline::Failed) => Standing::Failing,
            other => other,
        }
    }

    fn take(&mut self, now: BootTime, result: ProbeResult, purpose: Purpose) {
        self.message.clone_from(&result.message);
        let passing = self.standing == Standing::Passing;
        match result.status {
            ProbeStatus::Pass => {
                self.failures = 0;
                self.successes += 1;
                self.pause = self.check.period.duration();
                self.passed(&result, purpose);
            }
            ProbeStatus::Fail | ProbeStatus::Unknown => {
                self.successes = 0;
                self.failures += 1;
                if (passing || purpose == Purpose::Survey) && self.failures >= self.check.failure_threshold {
                    self.standing = of_failure(result.status);
                }
            }
            ProbeStatus::Pending => {
                self.successes = 0;
                // What has passed and is not up any more is failing, however well it may mean.
                self.failures += u32::from(passing);
                if passing && self.failures >= self.check.failure_threshold {
                    self.standing = Standing::Failing;
                }
            }
        }
        self.next = now.plus(self.pause);
        if self.standing == Standing::Pending && self.successes == 0 {
            self.pause = (self.pause * 2).min(SLOWEST.max(self.check.period.duration()));
        }
        self.last = Some(result);
        self.looks_again = false;
    }

    fn last_passed(&self) -> bool {
        self.last.as_ref().is_some_and(|r| r.status == ProbeStatus::Pass)
    }

    fn passed(&mut self, result: &ProbeResult, purpose: Purpose) {
        if self.passed_as.is_some() && self.passed_as != result.fingerprint {
            self.standing = Standing::Failing;
            self.message = format!("{}, but it was restarted while it was watched", result.message);
            return;
        }
        self.passed_as.clone_from(&result.fingerprint);
        let enough = if purpose == Purpose::Survey { 1 } else { self.check.success_threshold };
        if self.successes >= enough {
            self.standing = Standing::Passing;
        }
    }

    fn give_up(&mut self) {
        let status = self.last.as_ref().map_or(ProbeStatus::Unknown, |r| r.status);
        self.standing = of_failure(status);
        let waited = self.check.start_deadline;
        self.message = match &self.last {
            Some(last) if status == ProbeStatus::Pass => {
                format!("not steady within {waited}; last: {}", last.message)
            }
            Some(last) => format!("did not pass within {waited}; last: {}", last.message),
            None => format!("no answer within {waited}"),
        };
    }
}

fn of_failure(status: ProbeStatus) -> Standing {
    if status == ProbeStatus::Unknown { Standing::Unknown } else { Standing::Failing }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(checks: &str) -> Manifest {
        Manifest::parse(&format!(r#"{{"version":1,"checks":{{{checks}}}}}"#)).unwrap()
    }

    fn check(name: &str, more: &str) -> String {
        format!(r#""{name}":{{"probe":{{"kind":"tcp","host":"x","port":1}}{more}}}"#)
    }

    /// Runs for `seconds`, answering every probe at once; returns the probes as (second, name).
    fn run(
        s: &mut Scheduler,
        seconds: u64,
        mut answer: impl FnMut(&str, u64) -> ProbeResult,
    ) -> Vec<(u64, String)> {
        let mut probes = Vec::new();
        for t in 0..seconds {
            let now = BootTime(t * 1000);
            s.tick(now);
            loop {
                let due = s.due(now);
                if due.is_empty() {
                    break;
                }
                for (name, _) in due {
                    s.answer(now, &name, answer(&name, t));
                    probes.push((t, name));
                }
            }
        }
        probes
    }

    fn gate(m: &Manifest) -> Scheduler {
        Scheduler::new(m, Purpose::Gate, BootTime(0), |_| Some(Baseline::New))
    }

    fn standing(s: &Scheduler, name: &str) -> Standing {
        s.reports().into_iter().find(|r| r.name == name).unwrap().standing
    }

    #[test]
    fn two_successes_pass_two_seconds_apart() {
        let mut s = gate(&manifest(&check("a", "")));
        let probes = run(&mut s, 3, |_, _| ProbeResult::pass(""));
        assert_eq!(probes, [(0, "a".to_owned()), (2, "a".to_owned())]);
        assert_eq!(standing(&s, "a"), Standing::Passing);
    }

    #[test]
    fn early_failures_back_off_and_only_the_deadline_counts() {
        let mut s = gate(&manifest(&check("a", "")));
        let probes = run(&mut s, 59, |_, _| ProbeResult::fail("refused"));
        let times: Vec<u64> = probes.iter().map(|(t, _)| *t).collect();
        assert_eq!(times, [0, 2, 6, 14, 24, 34, 44, 54]);
        assert_eq!(standing(&s, "a"), Standing::Pending);
        s.tick(BootTime(60_000));
        assert_eq!(standing(&s, "a"), Standing::Failing);
    }

    #[test]
    fn a_slow_start_passes() {
        let mut s = gate(&manifest(&check("a", "")));
        run(&mut s, 60, |_, t| if t < 40 { ProbeResult::fail("") } else { ProbeResult::pass("") });
        assert_eq!(standing(&s, "a"), Standing::Passing);
    }

    #[test]
    fn after_success_three_failures_in_a_row_fail() {
        let mut s = gate(&manifest(&check("a", "")));
        run(&mut s, 9, |_, t| if t <= 2 || t == 6 { ProbeResult::pass("") } else { ProbeResult::fail("") });
        assert_eq!(standing(&s, "a"), Standing::Passing, "one failure, then a success");
        let mut s = gate(&manifest(&check("a", "")));
        run(&mut s, 9, |_, t| if t <= 2 { ProbeResult::pass("") } else { ProbeResult::fail("") });
        assert_eq!(standing(&s, "a"), Standing::Failing);
    }

    #[test]
    fn a_new_fingerprint_after_the_first_success_fails_at_once() {
        let mut s = gate(&manifest(&check("a", "")));
        run(&mut s, 6, |_, t| ProbeResult::pass("running").with_fingerprint(format!("{}", t / 4)));
        assert_eq!(standing(&s, "a"), Standing::Failing);
    }

    #[test]
    fn dependents_wait_and_are_skipped() {
        let m = manifest(&format!("{},{}", check("a", ""), check("b", r#","after":["a"]"#)));
        let mut s = gate(&m);
        let probes = run(&mut s, 3, |_, _| ProbeResult::pass(""));
        assert_eq!(probes.iter().find(|(_, n)| n == "b").unwrap().0, 2, "b starts when a passes");
        let mut s = gate(&m);
        let probes = run(&mut s, 70, |_, _| ProbeResult::fail(""));
        assert!(probes.iter().all(|(_, n)| n == "a"));
        assert_eq!(standing(&s, "b"), Standing::Skipped);
    }

    #[test]
    fn a_probe_that_never_answers_is_unknown_at_its_deadline() {
        let mut s = gate(&manifest(&check("a", "")));
        assert_eq!(s.due(BootTime(0)).len(), 1);
        assert_eq!(s.wake(), Some(BootTime(60_000)));
        s.tick(BootTime(60_000));
        assert_eq!(standing(&s, "a"), Standing::Unknown);
    }

    #[test]
    fn at_most_eight_run_at_a_time() {
        let many: Vec<String> = (0..20).map(|i| check(&format!("c{i}"), "")).collect();
        let mut s = gate(&manifest(&many.join(",")));
        assert_eq!(s.due(BootTime(0)).len(), 8);
        assert!(s.due(BootTime(0)).is_empty());
        s.answer(BootTime(0), "c0", ProbeResult::pass(""));
        assert_eq!(s.due(BootTime(0)).len(), 1);
    }

    #[test]
    fn a_survey_needs_one_success_or_three_failures() {
        let m = manifest(&format!("{},{}", check("good", ""), check("bad", "")));
        let mut s = Scheduler::new(&m, Purpose::Survey, BootTime(0), |_| None);
        run(&mut s, 1, |n, _| if n == "good" { ProbeResult::pass("") } else { ProbeResult::fail("") });
        assert_eq!((standing(&s, "good"), standing(&s, "bad")), (Standing::Passing, Standing::Pending));
        run(&mut s, 10, |_, _| ProbeResult::fail(""));
        assert_eq!((standing(&s, "good"), standing(&s, "bad")), (Standing::Passing, Standing::Failing));
    }

    #[test]
    fn what_failed_before_holds_nothing_up() {
        let mut s = Scheduler::new(&manifest(&check("a", "")), Purpose::Gate, BootTime(0), |_| {
            Some(Baseline::Failed)
        });
        run(&mut s, 1, |_, _| ProbeResult::fail("still"));
        assert_eq!(standing(&s, "a"), Standing::Failing);
    }

    #[test]
    fn what_has_passed_and_is_only_coming_up_again_fails() {
        let mut s = gate(&manifest(&check("a", "")));
        run(
            &mut s,
            20,
            |_, t| if t < 4 { ProbeResult::pass("") } else { ProbeResult::pending("activating") },
        );
        assert_eq!(standing(&s, "a"), Standing::Failing);
    }

    #[test]
    fn one_failure_after_passing_is_not_steady_and_the_last_look_sees_it() {
        let mut s = gate(&manifest(&check("a", "")));
        run(&mut s, 4, |_, _| ProbeResult::pass(""));
        assert!(s.is_steady());
        s.look_again(BootTime(3500));
        assert!(!s.has_looked_again());
        let due = s.due(BootTime(3500));
        assert_eq!(due.len(), 1, "at once, not when its period is over");
        s.answer(BootTime(3600), "a", ProbeResult::fail(""));
        assert!(s.has_looked_again() && !s.is_steady());
        assert_eq!(standing(&s, "a"), Standing::Passing, "one failure does not fail it");
    }

    #[test]
    fn under_strict_a_check_that_failed_before_gets_all_of_its_time() {
        let m = manifest(&check("a", ""));
        let failed = |patient| {
            let mut s =
                Scheduler::new(&m, Purpose::Gate, BootTime(0), |_| Some(Baseline::Failed)).patient(patient);
            run(&mut s, 3, |_, _| ProbeResult::fail(""));
            standing(&s, "a")
        };
        assert_eq!((failed(false), failed(true)), (Standing::Failing, Standing::Pending));
    }

    #[test]
    fn probes_that_never_answer_neither_spin_nor_block_the_others() {
        let names: Vec<String> = (0..9).map(|n| check(&format!("c{n}"), r#","startDeadline":10"#)).collect();
        let mut s = gate(&manifest(&names.join(",")));
        assert_eq!(s.due(BootTime(0)).len(), PARALLEL);
        assert_eq!(s.wake(), Some(BootTime(10_000)), "the ninth is due, but has to wait");
        s.tick(BootTime(10_000));
        assert_eq!(s.due(BootTime(10_000)).len(), 1);
    }
}
