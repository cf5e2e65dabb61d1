//! Putting the machine back, by absolute store path (DESIGN rules 8, 12 and 13).

use super::snapshot;
use super::survey;
use super::switch_end;
use super::transaction::{Stop, Transaction};
use super::{Ban, Outcome, Reason, State};
use crate::effects::machine::{Action, Fault, Signal, Snapshot};
use crate::health::report::Comparison;
use crate::health::scheduler::Purpose;
use crate::health::{Baseline, CheckReport, Standing, UnitState};
use crate::model::UnitName;

/// Whether a check that had not failed before failed: only then the candidate is to blame, under `strict` too.
fn regressed(reason: &Reason) -> bool {
    let Reason::Regressed { checks } = reason else { return false };
    checks.iter().any(|c| c.comparison() == Comparison::Regressed)
}

impl Transaction<'_> {
    /// Ends a transaction that is not to be committed: by saying that nothing changed, where that can be shown, else
    /// by rolling back.
    pub(super) fn back_out(mut self, reason: Reason) -> Result<Outcome, Fault> {
        if !self.rec.activated && !self.rec.installing {
            return self.finish(State::RolledBack, Some(reason), true);
        }
        if self.rec.state == State::Activating && !self.rec.installing {
            match self.changed() {
                Ok(None) => return self.finish(State::RolledBack, Some(reason), true),
                Ok(Some(what)) => self.notes.push(format!("rolled back because {what}")),
                Err(fault) => self.notes.push(fault.to_string()),
            }
        }
        match self.superseded_meanwhile() {
            Err(Stop::Superseded(found)) => {
                return self.finish(State::Superseded, Some(Reason::ForeignSwitch { found }), false);
            }
            // Not knowing is no reason to leave an unproved system running.
            Err(Stop::Fault(fault)) => self.notes.push(fault.to_string()),
            Err(Stop::RollBack(_)) | Ok(()) => {}
        }
        self.roll_back(reason)
    }

    fn changed(&mut self) -> Result<Option<String>, Fault> {
        match &self.snapshot {
            Some(snapshot) => snapshot::difference(snapshot, self.m, &self.rec.previous),
            None => Ok(Some("there is no snapshot to compare with".to_owned())),
        }
    }

    /// Puts the machine back: the boot default and the profile if they may have been touched, then what runs.
    pub(super) fn roll_back(mut self, reason: Reason) -> Result<Outcome, Fault> {
        self.rec.reason = Some(reason.clone());
        // Two runs of two scripts, and the checks once more.
        let limit = self.options().switch.duration() * 4 + self.options().cap.duration();
        self.enter_backwards(State::RollingBack, Some(limit));
        let freed = self.m.release_ballast();
        self.note(freed);
        let installed = if self.rec.installing { self.twice(Self::put_back_boot) } else { Ok(()) };
        let running = if self.rec.activated { self.twice(Self::put_back_running) } else { Ok(()) };
        match installed.and(running) {
            Ok(()) => {
                let suspect = self.still_failing();
                self.rolled_back(reason, suspect)
            }
            Err(why) => {
                self.notes.push(format!("the rollback failed: {why}"));
                if self.options().reboot_on_failed_rollback && !self.rec.installing {
                    // The journal says RollingBack: recovery after the boot finishes this.
                    self.m.reboot()?;
                    return Err(Fault::new("rolling back", "it failed; the machine is rebooting"));
                }
                self.finish(State::Held, Some(reason), false)
            }
        }
    }

    fn rolled_back(
        mut self,
        reason: Reason,
        suspect: Result<Option<String>, Fault>,
    ) -> Result<Outcome, Fault> {
        match suspect {
            Ok(Some(checks)) => {
                self.notes
                    .push(format!("still failing after the rollback, so the cause lies outside: {checks}"));
                self.suspect = true;
            }
            Ok(None) if regressed(&reason) => self.ban(&reason),
            Ok(None) => {}
            // Not known to pass again: then it is not known to be the candidate's fault either.
            Err(fault) => self.notes.push(format!("whether the checks pass again is not known: {fault}")),
        }
        self.finish(State::RolledBack, Some(reason), false)
    }

    /// Required checks regressed and pass again: it was the candidate (DESIGN rule 14).
    fn ban(&mut self, reason: &Reason) {
        let ban = Ban {
            system: self.rec.spec.activate.clone(),
            id: self.rec.id.clone(),
            at: self.m.wall(),
            why: reason.to_string(),
        };
        let banned = self.m.ban(&ban);
        self.bad = self.note(banned).is_some();
    }

    /// The profile's link and the boot loader, as they were.
    pub(super) fn put_back_boot(&mut self) -> Result<(), String> {
        let Some(profile) = self.rec.start.profile.clone() else {
            return Err("the machine had no system profile to go back to".to_owned());
        };
        self.m.set_generation(profile.number).map_err(|f| f.to_string())?;
        let boots = self.rec.start.boot_default.path().unwrap_or(&profile.path).clone();
        let end = self.switch(&boots, Action::Boot).map_err(|f| f.to_string())?;
        let installed = switch_end::completed(&end)
            .map_err(|why| format!("making {} the boot default: {why}", boots.short()));
        let now = self.m.triple().map_err(|f| f.to_string())?;
        match (installed, now.boot_default.path()) {
            (Ok(()), Some(path)) if *path != boots => Err(format!("the machine boots {}", path.short())),
            // A full boot partition takes no installation; what matters is what it boots.
            (Err(why), Some(path)) if *path == boots => {
                self.notes.push(format!("{why}, but the machine still boots it"));
                Ok(())
            }
            (installed, _) => installed,
        }
    }

    /// One failure may be a passing one: everything on the way back is tried twice.
    pub(super) fn twice(&mut self, step: impl Fn(&mut Self) -> Result<(), String>) -> Result<(), String> {
        step(self).or_else(|why| {
            self.notes.push(format!("the rollback failed once: {why}"));
            step(self)
        })
    }

    /// What runs, as it was.
    fn put_back_running(&mut self) -> Result<(), String> {
        let previous = self.rec.previous.clone();
        let limit = self.options().switch.duration();
        // The candidate's script stops units before it moves the link, and previous' own script only does what
        // differs from the link: so the link must say that it is the candidate that is being left.
        let running = self.m.running().map_err(|f| f.to_string())?;
        if running == previous {
            self.m.point_running_at(&self.rec.spec.activate.clone()).map_err(|f| f.to_string())?;
        }
        // Jobs that the candidate left hanging would hang this too.
        let cancelled = self.m.cancel_jobs();
        self.note(cancelled);
        let end = self.switch(&previous, Action::Test).map_err(|f| f.to_string())?;
        switch_end::completed(&end)?;
        if let Some(snapshot) = self.stored_snapshot() {
            let stopped = self.stopped_units(&snapshot).map_err(|f| f.to_string())?;
            if !stopped.is_empty() {
                let started = self.m.start_units(&stopped, limit);
                self.note(started);
            }
        }
        self.verify_running()
    }

    /// Units that were active before, that previous still has, and that are not active now.
    fn stopped_units(&mut self, snapshot: &Snapshot) -> Result<Vec<UnitName>, Fault> {
        let now = self.m.units()?;
        let mut stopped = Vec::new();
        for (name, before) in &snapshot.units {
            let inactive = now.get(name).is_none_or(|u| u.active == "inactive");
            if before.active == "active" && inactive && self.m.has_unit(&self.rec.previous, name)? {
                stopped.push(name.clone());
            }
        }
        Ok(stopped)
    }

    /// What a rollback must have reached: else it failed.
    fn verify_running(&mut self) -> Result<(), String> {
        let running = self.m.running().map_err(|f| f.to_string())?;
        if running != self.rec.previous {
            return Err(format!("the machine runs {}", running.short()));
        }
        let Some(snapshot) = self.stored_snapshot() else {
            return Err("the snapshot of the machine's earlier state is lost".to_owned());
        };
        if self.m.etc().map_err(|f| f.to_string())? != snapshot.etc {
            return Err("/etc is not the previous one".to_owned());
        }
        let now = self.m.units().map_err(|f| f.to_string())?;
        let well = |u: &UnitState| u.active != "failed";
        let broken = now.iter().find(|(n, u)| !well(u) && snapshot.units.get(*n).is_some_and(well));
        broken.map_or(Ok(()), |(name, _)| Err(format!("{name} was well before and has failed")))
    }

    /// The checks that passed before and do not pass again, if any: then the candidate was not the cause. What could
    /// not be looked at is looked at once more.
    pub(super) fn still_failing(&mut self) -> Result<Option<String>, Fault> {
        self.check_again().or_else(|fault| {
            self.notes.push(fault.to_string());
            self.check_again()
        })
    }

    fn check_again(&mut self) -> Result<Option<String>, Fault> {
        let lost = || Fault::new("checking again", "the snapshot of the machine's earlier state is lost");
        let snapshot = self.stored_snapshot().ok_or_else(lost)?;
        let passed: Vec<_> = snapshot::baselines(&snapshot)
            .into_iter()
            .filter_map(|(name, b)| (b == Baseline::Passed).then_some(name))
            .collect();
        let manifest = survey::part(&self.gate()?, |n| passed.contains(n));
        let reports = survey::survey(self.m, &manifest, Purpose::Gate, |_, _: Signal| Ok::<(), Fault>(()))?;
        let failing: Vec<_> =
            reports.iter().filter(|r| r.standing != Standing::Passing).map(CheckReport::describe).collect();
        Ok((!failing.is_empty()).then(|| failing.join(", ")))
    }

    /// The snapshot: ours, or after a guard's death the one it left.
    fn stored_snapshot(&mut self) -> Option<Snapshot> {
        if self.snapshot.is_none() {
            let stored = self.m.snapshot(&self.rec.id);
            self.snapshot = self.note(stored).flatten();
        }
        self.snapshot.clone()
    }
}
