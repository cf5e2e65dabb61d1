//! The driver: takes a transaction from `Planned` to its end, each state durable before it is acted on.

use std::time::Duration;

use super::snapshot::{self, manifest_of};
use super::switch_end::{self, Judged, LOCKED};
use super::{Evidence, Options, Outcome, Reason, Record, State, UnitLog};
use crate::effects::machine::{Action, Ask, Fault, Machine, Signal, Snapshot, SwitchEnd, SwitchHow};
use crate::exit::Exit;
use crate::health::report::Comparison;
use crate::health::{CheckReport, Manifest};
use crate::model::{BootDefault, BootTime, StorePath, UnitName, boot_proof};
use crate::report::event::Event;

/// Lines of the blamed unit's log that the evidence keeps.
const LOG_LINES: usize = 50;
/// Time beyond a state's own limit before the dead man's timer calls it hung.
const MARGIN: Duration = Duration::from_secs(60);

/// A transaction being run.
pub struct Transaction<'m> {
    pub(super) m: &'m mut dyn Machine,
    pub(super) rec: Record,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) checks: Vec<CheckReport>,
    pub(super) blamed: Option<UnitName>,
    pub(super) notes: Vec<String>,
    /// A check still failed after the rollback.
    pub(super) suspect: bool,
    /// The candidate is bad.
    pub(super) bad: bool,
    /// What came while nobody listened.
    pub(super) deferred: Vec<Signal>,
    log: Option<UnitLog>,
    timings: Vec<(State, u64)>,
}

/// Why the way forward ended.
#[derive(Debug)]
pub(super) enum Stop {
    /// Put the machine back.
    RollBack(Reason),
    /// Leave it to whoever switched it.
    Superseded(String),
    /// One of the guard's own steps failed.
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<'m> Transaction<'m> {
    /// A transaction whose journal says `rec`.
    pub fn new(m: &'m mut dyn Machine, rec: Record) -> Self {
        Self {
            m,
            rec,
            snapshot: None,
            checks: Vec::new(),
            blamed: None,
            notes: Vec::new(),
            suspect: false,
            bad: false,
            deferred: Vec::new(),
            log: None,
            timings: Vec::new(),
        }
    }

    /// Runs it from [`State::Planned`] to its end. An error means that the end could not be made durable; the dead
    /// man's timer then takes over.
    pub fn run(mut self) -> Result<Outcome, Fault> {
        let end = self.forward();
        self.conclude(end)
    }

    /// What a person should know although it does not gate: checks that fail as they did before.
    fn note_what_failed_before(&mut self) {
        let before = |r: &&CheckReport| r.comparison() == Comparison::PreExisting;
        let notes: Vec<_> = self
            .checks
            .iter()
            .filter(before)
            .map(|r| format!("pre-existing: check {}", r.describe()))
            .collect();
        self.notes.extend(notes);
    }

    /// Does what the end of the way forward calls for.
    pub(super) fn conclude(mut self, end: Result<(), Stop>) -> Result<Outcome, Fault> {
        self.collect_log();
        self.note_what_failed_before();
        match end {
            Ok(()) if self.rec.degraded => self.finish(State::CommittedDegraded, None, false),
            Ok(()) => self.finish(State::Committed, None, false),
            Err(Stop::RollBack(reason)) => self.back_out(reason),
            Err(Stop::Superseded(found)) => {
                self.finish(State::Superseded, Some(Reason::ForeignSwitch { found }), false)
            }
            Err(Stop::Fault(fault)) => self.back_out(Reason::Fault { what: fault.to_string() }),
        }
    }

    fn forward(&mut self) -> Result<(), Stop> {
        let (gate, _) = manifest_of(self.m, &self.rec.spec.activate)?;
        let (previous, activate) = (self.rec.previous.clone(), self.rec.spec.activate.clone());
        let snapshot = snapshot::take(self.m, &gate, &previous, &activate, |m, signal| match signal {
            Signal::Asked { id, ask: Ask::Cancel { by } | Ask::Withdraw { by } } => {
                m.reply(id, Ok("nothing has been changed yet, and nothing will be".to_owned()));
                Err(Stop::RollBack(Reason::Cancelled { by }))
            }
            Signal::Asked { id, ask: Ask::Confirm { .. } } => {
                m.reply(id, Err("the switch has not returned yet".to_owned()));
                Ok(())
            }
            Signal::Probe(..) => Ok(()),
        })?;
        self.m.write_snapshot(&self.rec.id, &snapshot)?;
        self.snapshot = Some(snapshot);
        self.enter(State::Baselined, None)?;
        self.enter(State::Armed, None)?;
        self.m.arm(&self.rec)?;
        if self.switched() {
            self.activate()?;
        }
        self.prove(&gate)?;
        self.commit()
    }

    fn activate(&mut self) -> Result<(), Stop> {
        self.rec.activated = true;
        self.enter(State::Activating, Some(self.options().switch.duration()))?;
        let activate = self.rec.spec.activate.clone();
        let end = self.switch(&activate, Action::Test)?;
        if let Judged::Failed(reason) = switch_end::judge(&end, &self.options().waive) {
            return Err(Stop::RollBack(reason));
        }
        let running = self.m.running()?;
        if running == activate {
            return Ok(());
        }
        let how = format!("returned, but /run/current-system names {}", running.short());
        Err(Stop::RollBack(Reason::SwitchFailed { how }))
    }

    /// Makes the candidate what the machine boots (DESIGN rule 1). Doing it again is harmless.
    pub(super) fn commit(&mut self) -> Result<(), Stop> {
        self.superseded()?;
        self.rec.installing = true;
        self.enter(State::Committing, Some(self.options().switch.duration()))?;
        let candidate = self.rec.candidate.clone();
        let failed = |how: String| Stop::RollBack(Reason::BootLoader { how });
        self.m.sync_store().map_err(|f| failed(f.to_string()))?;
        self.m.set_profile(&candidate).map_err(|f| failed(f.to_string()))?;
        let end = self.switch(&candidate, Action::Boot)?;
        if end.how != SwitchHow::Exited(0) {
            return Err(failed(format!(
                "the candidate's switch script (boot) {}",
                switch_end::words(&end.how)
            )));
        }
        let now = self.m.triple().map_err(|f| failed(f.to_string()))?;
        let profile = now.profile.as_ref().map(|g| &g.path);
        if profile != Some(&candidate) || now.boot_default.path().is_some_and(|p| *p != candidate) {
            return Err(failed(format!("afterwards the machine boots {}", now.boot_default)));
        }
        self.m.record_boot(&candidate)?;
        // What has proved itself is not bad, whatever it was.
        let lifted = self.m.lift_ban(&candidate);
        self.note(lifted);
        Ok(())
    }

    /// Runs a switch script. One that finds the switch lock taken is run again once it is free: somebody else's
    /// `dry-activate` takes it too, and may have let it go before we look.
    pub(super) fn switch(&mut self, system: &StorePath, action: Action) -> Result<SwitchEnd, Fault> {
        let limit = self.options().switch.duration();
        let deadline = self.m.now().plus(limit);
        let mut first = true;
        loop {
            let end = self.m.switch(system, action, limit)?;
            let locked = end.how == SwitchHow::Exited(LOCKED) && (self.m.foreign_switch()? || first);
            if !locked || !self.lock_is_free(deadline)? {
                return Ok(end);
            }
            first = false;
        }
    }

    /// Waits until no other switch script runs, no longer than until `deadline`.
    fn lock_is_free(&mut self, deadline: BootTime) -> Result<bool, Fault> {
        while self.m.foreign_switch()? {
            if self.m.now() >= deadline {
                return Ok(false);
            }
            // What comes meanwhile is not lost: it is taken up once we listen again.
            let signals = self.m.wait(self.m.now().plus(Duration::from_millis(500)))?;
            self.deferred.extend(signals);
        }
        Ok(true)
    }

    /// Whether the candidate has to be switched to, or runs already.
    pub(super) fn switched(&self) -> bool {
        self.rec.previous != self.rec.spec.activate
    }

    pub(super) fn options(&self) -> &Options {
        &self.rec.spec.options
    }

    /// Ends as [`Stop::Superseded`] if somebody else has switched: waits until no foreign switch runs, then compares
    /// what runs and the profile with what we left (DESIGN rule 3).
    pub(super) fn superseded(&mut self) -> Result<(), Stop> {
        let proving = matches!(self.rec.state, State::Probing | State::Soaking | State::Committing);
        self.compare(proving)
    }

    /// The same on the way back: a machine that runs the previous system may have been put back by a guard that could
    /// not write so before it died, and to put it back again takes nothing from anybody.
    pub(super) fn superseded_meanwhile(&mut self) -> Result<(), Stop> {
        self.compare(false)
    }

    fn compare(&mut self, proving: bool) -> Result<(), Stop> {
        let deadline = self.m.now().plus(self.options().switch.duration());
        if !self.lock_is_free(deadline)? {
            return Err(Stop::Superseded("its switch script is still running".to_owned()));
        }
        let now = self.m.triple()?;
        let ours = [&self.rec.previous, &self.rec.spec.activate];
        let profile_is_ours = now.profile == self.rec.start.profile
            || (self.rec.installing && now.profile.as_ref().is_some_and(|g| g.path == self.rec.candidate));
        // Once it was installed the candidate itself may have booted, without the specialisation.
        let booted_ours = self.rec.installing && now.running == self.rec.candidate;
        let running_is_ours =
            booted_ours || if proving { now.running == *ours[1] } else { ours.contains(&&now.running) };
        if running_is_ours && profile_is_ours {
            return Ok(());
        }
        let profile = now.profile.map_or_else(|| "nothing".to_owned(), |g| g.path.short());
        Err(Stop::Superseded(format!("it runs {}, the profile names {profile}", now.running.short())))
    }

    /// Enters a state on the way forward: nothing is done before it is durable.
    pub(super) fn enter(&mut self, state: State, limit: Option<Duration>) -> Result<(), Fault> {
        self.advance(state, limit)?;
        self.m.write_journal(&self.rec)?;
        self.announce();
        Ok(())
    }

    /// Enters a state on the way back: a failed write is noted, and we go on.
    pub(super) fn enter_backwards(&mut self, state: State, limit: Option<Duration>) {
        let written = self.advance(state, limit).and_then(|()| self.m.write_journal(&self.rec));
        self.note(written);
        self.announce();
    }

    fn advance(&mut self, state: State, limit: Option<Duration>) -> Result<(), Fault> {
        let now = self.m.now();
        let spent = now.since(self.rec.entered).as_millis();
        self.timings.push((self.rec.state, u64::try_from(spent).unwrap_or(u64::MAX)));
        self.rec.state = state;
        self.rec.entered = now;
        self.rec.deadline = limit.map(|l| now.plus(l).plus(MARGIN));
        self.rec.boot_id = self.m.boot_id()?;
        Ok(())
    }

    fn announce(&mut self) {
        let BootTime(boot_ms) = self.rec.entered;
        self.m.emit(Event::State { id: self.rec.id.to_string(), state: self.rec.state, boot_ms });
    }

    /// Keeps what failed where it must not stop us.
    pub(super) fn note<T>(&mut self, result: Result<T, Fault>) -> Option<T> {
        result.map_err(|fault| self.notes.push(fault.to_string())).ok()
    }

    fn collect_log(&mut self) {
        if let Some(unit) = self.blamed.clone() {
            let lines = self.m.unit_log(&unit, LOG_LINES);
            self.log = self.note(lines).map(|lines| UnitLog { unit, lines });
        }
    }

    /// Makes the end durable: the history first, then the journal, then everybody is told.
    pub(super) fn finish(
        mut self,
        state: State,
        reason: Option<Reason>,
        unchanged: bool,
    ) -> Result<Outcome, Fault> {
        let exit = state.exit().unwrap_or(Exit::Internal);
        // What was never begun was refused; what was begun and changed nothing was still not proved.
        let begun = !matches!(self.rec.state, State::Planned | State::Baselined | State::Armed);
        let refused = unchanged && (!begun || reason == Some(Reason::NeedsReboot));
        let outcome = self.outcome(state, reason, if refused { Exit::Refused } else { exit }, unchanged)?;
        let mut evidence = Evidence::new(&self.rec, outcome.clone(), self.m.wall());
        evidence.checks.clone_from(&self.checks);
        evidence.log.clone_from(&self.log);
        self.advance(state, None)?;
        evidence.timings.clone_from(&self.timings);
        let written = self.m.append_history(&evidence);
        self.note(written);
        let outcome = Outcome { notes: self.notes.clone(), ..outcome };
        self.rec.outcome = Some(outcome.clone());
        self.m.write_journal(&self.rec)?;
        self.announce();
        self.m.emit(Event::Outcome { outcome: outcome.clone() });
        if let Err(fault) = self.m.disarm(&self.rec) {
            self.m.emit(Event::Warning { text: fault.to_string() });
        }
        Ok(outcome)
    }

    fn outcome(
        &mut self,
        state: State,
        reason: Option<Reason>,
        exit: Exit,
        unchanged: bool,
    ) -> Result<Outcome, Fault> {
        let (runs, boots) = match self.m.triple() {
            Ok(now) => (now.running, now.boot_default),
            // An end that is not known in full is still an end.
            Err(fault) => (self.m.running()?, BootDefault::Unknown { why: fault.to_string() }),
        };
        let boot_unproved = match state {
            State::Committed | State::CommittedDegraded => self.boot_unproved(),
            _ => Vec::new(),
        };
        Ok(Outcome {
            state,
            exit,
            reason,
            runs,
            boots,
            boot_unproved,
            suspect: self.suspect,
            bad: self.bad,
            unchanged,
            notes: Vec::new(),
        })
    }

    fn boot_unproved(&mut self) -> Vec<String> {
        let booted = self.m.booted().and_then(|b| b.map(|b| self.m.describe(&b)).transpose());
        let candidate = self.m.describe(&self.rec.spec.activate);
        match (self.note(booted), self.note(candidate)) {
            (Some(booted), Some(candidate)) => {
                boot_proof::unproved(booted.as_ref(), &candidate).into_iter().map(str::to_owned).collect()
            }
            _ => vec!["what was booted could not be read".to_owned()],
        }
    }

    /// The manifest that gates.
    pub(super) fn gate(&self) -> Result<Manifest, Fault> {
        Ok(manifest_of(self.m, &self.rec.spec.activate)?.0)
    }
}
