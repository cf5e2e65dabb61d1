//! The default check: no unit regressed (DESIGN rule 9).

use std::collections::BTreeMap;
use std::time::Duration;

use super::manifest::BUILT_IN;
use super::unit_state::Trouble;
use super::{Baseline, CheckReport, Level, Standing, UnitState, Units};
use crate::model::{BootTime, UnitName};

/// How long a unit that systemd keeps restarting has to come up.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// So many automatic restarts since the switch are a crash loop, whatever state a sample happens to catch: a service
/// that dies a second after every start is `running` nearly always.
const LOOPING: u32 = 3;
/// The module's unit that runs the checks by a timer. It fails when a check does: the checks speak for themselves, and
/// its failure, of an hour ago or in the middle of a switch, says nothing more.
pub(super) const TIMED_CHECKS: &str = "nqd-health.service";

/// Watches every unit from the end of the switch on.
#[derive(Debug, Clone)]
pub struct UnitWatch {
    /// Units that were in trouble before: they cannot regress by staying so.
    before: Units,
    restarts: BTreeMap<UnitName, u32>,
    started: BootTime,
    deadline: Duration,
    calm_since: Option<BootTime>,
    failing: Vec<UnitName>,
    standing: Standing,
    message: String,
}

impl UnitWatch {
    /// Starts to watch. A unit that systemd is still restarting has until `deadline` to come up.
    pub fn new(before: Units, now: BootTime, deadline: Duration) -> Self {
        Self {
            before,
            restarts: BTreeMap::new(),
            started: now,
            deadline,
            calm_since: None,
            failing: Vec::new(),
            standing: Standing::Pending,
            message: "not looked at yet".to_owned(),
        }
    }

    /// Takes a sample of all units.
    pub fn sample(&mut self, now: BootTime, units: &Units) {
        let (mut failed, mut restarting) = (Vec::new(), Vec::new());
        for (name, unit) in units.iter().filter(|(name, _)| name.as_str() != TIMED_CHECKS) {
            let looping = self.since_the_switch(name, unit) >= LOOPING;
            let was = self.before.get(name);
            let trouble = if looping { Some(Trouble::Failed) } else { unit.trouble() };
            let new = was.and_then(UnitState::trouble).is_none();
            match trouble.filter(|_| new) {
                Some(Trouble::Failed) => failed.push((name.clone(), describe(unit, looping))),
                Some(Trouble::Restarting) => restarting.push((name.clone(), describe(unit, false))),
                None => {}
            }
        }
        self.decide(now, failed, restarting);
    }

    /// How often systemd has restarted a unit since the first sample that said so; the switch may have begun anew.
    fn since_the_switch(&mut self, name: &UnitName, unit: &UnitState) -> u32 {
        let Some(now) = unit.restarts else { return 0 };
        let before = self.before.get(name).and_then(|b| b.restarts);
        let first = *self.restarts.entry(name.clone()).or_insert(before.map_or(now, |b| b.min(now)));
        now.saturating_sub(first)
    }

    fn decide(
        &mut self,
        now: BootTime,
        failed: Vec<(UnitName, String)>,
        restarting: Vec<(UnitName, String)>,
    ) {
        let late = now.since(self.started) >= self.deadline;
        let (bad, standing) = match (failed.is_empty(), restarting.is_empty()) {
            (false, _) => (failed, Standing::Failing),
            (true, false) if late => (restarting, Standing::Failing),
            (true, false) => (restarting, Standing::Pending),
            (true, true) => (Vec::new(), Standing::Passing),
        };
        self.calm_since = if bad.is_empty() { self.calm_since.or(Some(now)) } else { None };
        self.message = if bad.is_empty() {
            "no unit that was well before is failed or restarting".to_owned()
        } else {
            bad.iter().map(|(n, why)| format!("{n} {why}")).collect::<Vec<_>>().join(", ")
        };
        self.failing = bad.into_iter().map(|(n, _)| n).collect();
        self.standing = standing;
    }

    /// Since when no unit has been in trouble.
    pub fn calm_since(&self) -> Option<BootTime> {
        self.calm_since
    }

    /// The units in trouble at the last sample.
    pub fn failing(&self) -> &[UnitName] {
        &self.failing
    }

    /// As a check among the others.
    pub fn report(&self) -> CheckReport {
        CheckReport {
            name: BUILT_IN[0].to_owned(),
            level: Level::Required,
            baseline: Some(Baseline::Passed),
            standing: self.standing,
            message: self.message.clone(),
        }
    }
}

fn describe(unit: &UnitState, looping: bool) -> String {
    if looping {
        return format!("was restarted {} times", unit.restarts.unwrap_or(0));
    }
    let status = if unit.main_status == 0 { String::new() } else { format!(", status {}", unit.main_status) };
    format!("is {} ({}{status})", if unit.active == "failed" { "failed" } else { "restarting" }, unit.result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: &str) -> UnitName {
        UnitName::parse(n).unwrap()
    }

    fn units(list: &[(&str, &str, &str, i32, u32)]) -> Units {
        let unit = |(n, active, sub, status, restarts): &(&str, &str, &str, i32, u32)| {
            let state = UnitState {
                active: (*active).into(),
                sub: (*sub).into(),
                result: if *status == 0 { "success" } else { "exit-code" }.into(),
                main_status: *status,
                restarts: Some(*restarts),
                ..UnitState::default()
            };
            (name(n), state)
        };
        list.iter().map(unit).collect()
    }

    fn after(before: &Units, samples: &[Units]) -> UnitWatch {
        let mut watch = UnitWatch::new(before.clone(), BootTime(0), Duration::from_secs(60));
        for (i, sample) in samples.iter().enumerate() {
            watch.sample(BootTime(i as u64 * 1000), sample);
        }
        watch
    }

    #[test]
    fn rows_of_rule_nine() {
        let well = units(&[("a.service", "active", "running", 0, 0)]);
        let rows = [
            ("still running", units(&[("a.service", "active", "running", 0, 0)]), Standing::Passing),
            ("idle exit", units(&[("a.service", "inactive", "dead", 0, 0)]), Standing::Passing),
            ("removed", Units::new(), Standing::Passing),
            ("failed", units(&[("a.service", "failed", "failed", 1, 0)]), Standing::Failing),
            ("a new one failed", units(&[("b.service", "failed", "failed", 1, 0)]), Standing::Failing),
            (
                "restarting after failure",
                units(&[("a.service", "activating", "auto-restart", 1, 1)]),
                Standing::Pending,
            ),
            (
                "restarting after success",
                units(&[("a.service", "activating", "auto-restart", 0, 1)]),
                Standing::Passing,
            ),
            ("the checks' own timer", units(&[(TIMED_CHECKS, "failed", "failed", 25, 0)]), Standing::Passing),
            ("slow start", units(&[("a.service", "activating", "start", 0, 0)]), Standing::Passing),
        ];
        for (what, sample, expected) in rows {
            assert_eq!(after(&well, &[sample]).report().standing, expected, "{what}");
        }
    }

    #[test]
    fn what_was_failed_before_does_not_regress() {
        let failed = units(&[("a.service", "failed", "failed", 1, 0)]);
        assert_eq!(after(&failed, std::slice::from_ref(&failed)).report().standing, Standing::Passing);
        let looping = units(&[("a.service", "activating", "auto-restart", 1, 7)]);
        assert_eq!(after(&looping, std::slice::from_ref(&looping)).report().standing, Standing::Passing);
    }

    #[test]
    fn a_crash_loop_is_found_although_every_sample_sees_it_running() {
        let well = units(&[("a.service", "active", "running", 0, 5)]);
        let sample = |n| units(&[("a.service", "active", "running", 0, n)]);
        let fine = after(&well, &[sample(5), sample(5), sample(7)]);
        assert_eq!(fine.report().standing, Standing::Passing, "two restarts may happen");
        let looping = after(&well, &[sample(0), sample(1), sample(2), sample(3)]);
        assert_eq!(
            looping.report().standing,
            Standing::Failing,
            "counted anew after the switch restarted it"
        );
        assert_eq!(looping.failing(), [name("a.service")]);
    }

    #[test]
    fn a_restarting_unit_has_until_the_deadline_and_calm_starts_anew() {
        let well = units(&[("a.service", "active", "running", 0, 0)]);
        let down = units(&[("a.service", "activating", "auto-restart", 1, 1)]);
        let mut watch = after(&well, &[well.clone(), down.clone(), well.clone()]);
        assert_eq!((watch.report().standing, watch.calm_since()), (Standing::Passing, Some(BootTime(2000))));
        watch.sample(BootTime(60_000), &down);
        assert_eq!(watch.report().standing, Standing::Failing);
    }
}
