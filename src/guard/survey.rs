//! Probes the checks of a manifest until each is decided.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::effects::machine::{Fault, Prober, Signal};
use crate::health::scheduler::Purpose;
use crate::health::unit_watch::{self, UnitWatch};
use crate::health::{CheckName, CheckReport, Manifest, Scheduler, Standing, Units};

/// Time between two looks at all units.
const SAMPLE: Duration = Duration::from_secs(1);
/// How long no unit may have been in trouble: a service that dies a second after every start runs nearly always.
const CALM: Duration = Duration::from_secs(10);

/// The part of a manifest that `keep` names. What a kept check comes after is dropped with what is not kept.
pub fn part(manifest: &Manifest, keep: impl Fn(&CheckName) -> bool) -> Manifest {
    let mut checks: BTreeMap<_, _> =
        manifest.checks.iter().filter(|(n, _)| keep(n)).map(|(n, c)| (n.clone(), c.clone())).collect();
    let kept: Vec<CheckName> = checks.keys().cloned().collect();
    for check in checks.values_mut() {
        check.after.retain(|a| kept.contains(a));
    }
    Manifest { version: manifest.version, checks }
}

/// Probes until every check is decided; each has its own start deadline, so this ends. Signals that are no answers
/// of probes go to `other`, which may end it by an error.
pub fn survey<P: Prober + ?Sized, E: From<Fault>>(
    prober: &mut P,
    manifest: &Manifest,
    purpose: Purpose,
    mut other: impl FnMut(&mut P, Signal) -> Result<(), E>,
) -> Result<Vec<CheckReport>, E> {
    let mut scheduler = Scheduler::new(manifest, purpose, prober.now(), |_| None);
    loop {
        let now = prober.now();
        scheduler.tick(now);
        for (name, check) in scheduler.due(now) {
            prober.start_probe(&name, &check);
        }
        let reports = scheduler.reports();
        let open = reports.iter().any(|r| r.standing == Standing::Pending);
        let Some(wake) = scheduler.wake().filter(|_| open) else {
            return Ok(reports);
        };
        for signal in prober.wait(wake)? {
            match signal {
                Signal::Probe(name, result) => scheduler.answer(prober.now(), &name, result),
                asked @ Signal::Asked { .. } => other(prober, asked)?,
            }
        }
    }
}

/// Watches all units until one has failed, or none has been in trouble for a while. One that systemd keeps restarting
/// has its time to come up. The report is that of a candidate's units, with nothing known of before.
pub fn settle<P: Prober + ?Sized>(
    prober: &mut P,
    mut units: impl FnMut() -> Result<Units, Fault>,
) -> Result<CheckReport, Fault> {
    let mut watch = UnitWatch::new(Units::new(), prober.now(), unit_watch::DEADLINE);
    loop {
        let now = prober.now();
        watch.sample(now, &units()?);
        let report = watch.report();
        let calm = watch.calm_since().is_some_and(|since| now.since(since) >= CALM);
        if report.standing == Standing::Failing || calm {
            return Ok(report);
        }
        let next = now.plus(SAMPLE);
        while prober.now() < next {
            // Answers of probes that were given up may still come.
            drop(prober.wait(next)?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Check, UnitState};
    use crate::model::{BootTime, UnitName};

    /// A clock that waiting moves.
    struct Clock(BootTime);

    impl Prober for Clock {
        fn now(&self) -> BootTime {
            self.0
        }
        fn start_probe(&mut self, _: &CheckName, _: &Check) {}
        fn wait(&mut self, until: BootTime) -> Result<Vec<Signal>, Fault> {
            self.0 = until;
            Ok(Vec::new())
        }
    }

    /// How units stand in the end, and after how many seconds, where `at` says how one is at each.
    fn settled(at: impl Fn(u64) -> UnitState) -> (Standing, u64) {
        let (mut clock, mut second) = (Clock(BootTime(0)), 0);
        let report = settle(&mut clock, || {
            let name = UnitName::parse("web.service").unwrap();
            let units = Units::from([(name, at(second))]);
            second += 1;
            Ok(units)
        });
        (report.unwrap().standing, clock.0.0 / 1000)
    }

    fn unit(active: &str, sub: &str, main_status: i32, restarts: u32) -> UnitState {
        let (active, sub) = (active.to_owned(), sub.to_owned());
        UnitState { active, sub, main_status, restarts: Some(restarts), ..UnitState::default() }
    }

    #[test]
    fn units_settle_or_fail() {
        assert_eq!(settled(|_| unit("active", "running", 0, 7)), (Standing::Passing, 10));
        assert_eq!(settled(|_| unit("failed", "failed", 1, 0)), (Standing::Failing, 0));
        let coming = |t| {
            if t < 5 { unit("activating", "auto-restart", 1, 1) } else { unit("active", "running", 0, 1) }
        };
        assert_eq!(settled(coming), (Standing::Passing, 15));
        assert_eq!(settled(|_| unit("activating", "auto-restart", 1, 1)), (Standing::Failing, 60));
        // Whatever state a look happens to catch, it is restarted all the time.
        let looping = |t| unit("active", "running", 0, u32::try_from(t).unwrap());
        assert_eq!(settled(looping), (Standing::Failing, 3));
    }
}
