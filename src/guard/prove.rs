//! Proving the candidate: the checks run, then all must stay well for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use super::transaction::{Stop, Transaction};
use super::{Reason, State, snapshot};
use crate::effects::machine::{Ask, Signal};
use crate::health::manifest::BUILT_IN;
use crate::health::scheduler::Purpose;
use crate::health::unit_watch::{self, UnitWatch};
use crate::health::{Baseline, CheckReport, Kind, Level, Manifest, Scheduler, Standing, Verdict, judge};
use crate::model::{BootTime, Seconds};
use crate::report::event::Event;

/// Time between two looks at all units, and at whether somebody else switched.
const SAMPLE: Duration = Duration::from_secs(1);
/// Every so many looks are thorough: they also see how often a unit was restarted.
const THOROUGH: u32 = 4;

/// What is watched while a candidate is proved.
struct Proof {
    scheduler: Scheduler,
    watch: UnitWatch,
    returned: BootTime,
    next_sample: BootTime,
    samples: u32,
    /// The soak is over: what is looked at now decides.
    last_look: bool,
    steady_since: Option<BootTime>,
    told: BTreeMap<String, Standing>,
}

impl Transaction<'_> {
    /// Probes until the verdict is certain and has held for the soak.
    pub(super) fn prove(&mut self, gate: &Manifest) -> Result<(), Stop> {
        let returned = self.m.now();
        self.enter(State::Probing, Some(self.options().cap.duration()))?;
        let mut proof = self.proof(gate, returned);
        loop {
            let now = self.m.now();
            if now >= proof.next_sample {
                self.superseded()?;
                self.sample(&mut proof, now)?;
            }
            proof.scheduler.tick(now);
            for (name, check) in proof.scheduler.due(now) {
                self.m.start_probe(&name, &check);
            }
            self.checks = self.reports(&proof, now);
            self.tell(&mut proof);
            let until = match judge(&self.checks, self.options().strict) {
                Verdict::Unhealthy(checks) => return Err(self.unhealthy(gate, &proof, checks)),
                verdict if verdict == Verdict::Open || !proof.scheduler.is_steady() => {
                    proof.steady_since = None;
                    proof.last_look = false;
                    now.plus(SAMPLE)
                }
                verdict => match self.soak(&mut proof, now)? {
                    Some(until) => until,
                    None => {
                        self.rec.degraded = matches!(verdict, Verdict::Degraded(_));
                        return Ok(());
                    }
                },
            };
            self.cap(&proof, now)?;
            let wake = proof.scheduler.wake().unwrap_or(until).min(proof.next_sample);
            let deadline = self.confirm_deadline(&proof).filter(|_| !self.rec.confirmed).unwrap_or(until);
            self.listen(&mut proof, until.min(wake).min(deadline))?;
        }
    }

    /// Looks at all units: in short each time; now and then, and at the very end, thoroughly.
    fn sample(&mut self, proof: &mut Proof, now: BootTime) -> Result<(), Stop> {
        let thorough = proof.last_look || proof.samples % THOROUGH == THOROUGH - 1;
        let units = if thorough { self.m.units()? } else { self.m.units_in_short()? };
        proof.watch.sample(now, &units);
        proof.samples += 1;
        proof.next_sample = now.plus(SAMPLE);
        Ok(())
    }

    fn proof(&self, gate: &Manifest, returned: BootTime) -> Proof {
        let (baselines, before) = match &self.snapshot {
            Some(s) if self.switched() => (snapshot::baselines(s), s.units.clone()),
            // The candidate ran already: every failed unit counts, and every check is new.
            _ => (BTreeMap::new(), BTreeMap::new()),
        };
        let baseline = |name: &String| Some(baselines.get(name).copied().unwrap_or(Baseline::New));
        Proof {
            scheduler: Scheduler::new(gate, Purpose::Gate, returned, baseline).patient(self.options().strict),
            watch: UnitWatch::new(before, returned, unit_watch::DEADLINE),
            returned,
            next_sample: returned,
            samples: 0,
            last_look: false,
            steady_since: None,
            told: BTreeMap::new(),
        }
    }

    fn confirm_deadline(&self, proof: &Proof) -> Option<BootTime> {
        self.options().confirm.map(|limit| proof.returned.plus(limit.duration()))
    }

    fn reports(&self, proof: &Proof, now: BootTime) -> Vec<CheckReport> {
        let mut reports = vec![proof.watch.report()];
        reports.extend(
            self.options().confirm.map(|limit| reconnect(self.rec.confirmed, proof.returned, now, limit)),
        );
        reports.extend(proof.scheduler.reports());
        reports
    }

    /// Tells followers of every check that stands otherwise than before.
    fn tell(&mut self, proof: &mut Proof) {
        for report in &self.checks {
            if report.standing != Standing::Pending
                && proof.told.insert(report.name.clone(), report.standing) != Some(report.standing)
            {
                self.m.emit(Event::Check { report: report.clone() });
            }
        }
    }

    /// `None` once all has been well for long enough; else when to look again.
    fn soak(&mut self, proof: &mut Proof, now: BootTime) -> Result<Option<BootTime>, Stop> {
        if self.rec.state == State::Probing {
            self.enter(State::Soaking, Some(self.options().cap.duration()))?;
        }
        let steady = *proof.steady_since.get_or_insert(now);
        let since = proof.watch.calm_since().map_or(steady, |calm| calm.max(steady));
        let soak = self.options().soak.duration();
        let end = since.plus(soak);
        if now < end {
            return Ok(Some(end));
        }
        if soak.is_zero() || (proof.last_look && proof.scheduler.has_looked_again()) {
            return Ok(None);
        }
        if !proof.last_look {
            proof.last_look = true;
            proof.next_sample = now;
            proof.scheduler.look_again(now);
            return Ok(Some(now));
        }
        Ok(Some(now.plus(SAMPLE)))
    }

    fn cap(&self, proof: &Proof, now: BootTime) -> Result<(), Stop> {
        let cap = self.options().cap;
        if now.since(proof.returned) < cap.duration() {
            return Ok(());
        }
        let open = self.checks.iter().filter(|r| r.standing == Standing::Pending).cloned().collect();
        Err(Stop::RollBack(Reason::regressed(open)))
    }

    fn listen(&mut self, proof: &mut Proof, until: BootTime) -> Result<(), Stop> {
        let mut signals = std::mem::take(&mut self.deferred);
        if signals.is_empty() {
            signals = self.m.wait(until)?;
        }
        for signal in signals {
            match signal {
                Signal::Probe(name, result) => proof.scheduler.answer(self.m.now(), &name, result),
                Signal::Asked { id, ask: Ask::Confirm { token_is_right, connected } } => {
                    let late = self.confirm_deadline(proof).is_some_and(|d| self.m.now() >= d);
                    let answer = if late {
                        Err("it is too late".to_owned())
                    } else {
                        may_confirm(token_is_right, connected, proof.returned)
                    };
                    self.rec.confirmed |= answer.is_ok();
                    self.m.reply(id, answer);
                }
                Signal::Asked { id, ask: Ask::Cancel { by } } => {
                    self.m.reply(id, Ok("rolling back".to_owned()));
                    return Err(Stop::RollBack(Reason::Cancelled { by }));
                }
                Signal::Asked { id, ask: Ask::Withdraw { .. } } => {
                    self.m.reply(id, Err("the switch has begun".to_owned()));
                }
            }
        }
        Ok(())
    }

    fn unhealthy(&mut self, gate: &Manifest, proof: &Proof, checks: Vec<CheckReport>) -> Stop {
        let unit_of = |r: &CheckReport| match gate.checks.get(&r.name).map(|c| &c.probe) {
            Some(Kind::Unit { unit }) => Some(unit.clone()),
            _ => None,
        };
        self.blamed = proof.watch.failing().first().cloned().or_else(|| checks.iter().find_map(unit_of));
        let only_reconnect = checks.iter().all(|r| r.name == BUILT_IN[1]);
        Stop::RollBack(match self.options().confirm {
            Some(limit) if only_reconnect => Reason::NotConfirmed { seconds: limit.into() },
            _ => Reason::regressed(checks),
        })
    }
}

/// The built-in check that an operator can reach the machine over a new connection (DESIGN rule 11).
fn reconnect(confirmed: bool, returned: BootTime, now: BootTime, limit: Seconds) -> CheckReport {
    let (standing, message) = match (confirmed, now.since(returned) >= limit.duration()) {
        (true, _) => (Standing::Passing, "the operator reached the machine over a new connection".to_owned()),
        (false, false) => (Standing::Pending, "waiting for the operator".to_owned()),
        (false, true) => (Standing::Failing, format!("nobody confirmed within {limit}")),
    };
    CheckReport {
        name: BUILT_IN[1].to_owned(),
        level: Level::Required,
        baseline: Some(Baseline::Passed),
        standing,
        message,
    }
}

/// Whether a confirmation counts: the token is right, and the connection was opened after the switch returned. Where
/// the age of a connection cannot be told (no sshd among the asker's ancestors), the token alone decides.
fn may_confirm(
    token_is_right: bool,
    connected: Option<BootTime>,
    returned: BootTime,
) -> Result<String, String> {
    // The kernel counts a process's start in hundredths of a second.
    let old = connected.is_some_and(|c| c.plus(Duration::from_millis(10)) < returned);
    match (token_is_right, old) {
        (false, _) => Err("the token is not this transaction's".to_owned()),
        (true, true) => {
            Err("this connection is older than the switch: it proves nothing; open a new one".to_owned())
        }
        (true, false) => Ok("confirmed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_connection_with_the_token_confirms() {
        let returned = BootTime(10_000);
        assert!(may_confirm(true, Some(BootTime(10_000)), returned).is_ok());
        assert!(may_confirm(true, Some(BootTime(12_000)), returned).is_ok());
        assert!(may_confirm(true, None, returned).is_ok());
        assert!(may_confirm(true, Some(BootTime(9_000)), returned).is_err());
        assert!(may_confirm(false, Some(BootTime(12_000)), returned).is_err());
    }
}
