//! Executes a plan as it is: nothing is evaluated, and what was confirmed is what runs.

use std::time::Duration;

use super::plan::{Kind, Plan, Step};
use super::transact::transact;
use crate::effects::clock;
use crate::effects::gather::Purpose;
use crate::effects::nix::{BuildOn, Nix};
use crate::effects::target::Target;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::{Outcome, State};
use crate::model::TxId;
use crate::report::event::{Event, Stage};

/// What executing works with.
pub struct Executor<'a> {
    /// The operator's Nix.
    pub nix: &'a dyn Nix,
    /// The machine.
    pub target: &'a dyn Target,
    /// Hears of progress.
    pub tell: &'a (dyn Fn(Event) + Sync),
    /// Whether the person at the terminal has asked to stop; asking resets it.
    pub interrupted: &'a (dyn Fn() -> bool + Sync),
    /// Whether the plan was saved some time ago, so that what it names may be gone.
    pub saved: bool,
    /// `user@machine` of whoever asks.
    pub operator: &'a str,
    /// How long to try to reach a machine that cannot be reached any more.
    pub patience: Duration,
    /// Time between two attempts.
    pub retry: Duration,
}

impl Executor<'_> {
    /// Executes all steps of a plan. An error means that the transaction did not begin, or that its end is not known.
    pub fn execute(&self, plan: &Plan, id: &TxId) -> Result<Outcome, Failure> {
        if plan.kind == Kind::Nothing {
            self.still_so(plan)?;
            return Ok(nothing_to_do(plan));
        }
        if self.saved && plan.steps.contains(&Step::Copy) {
            self.have(plan)?;
        }
        let mut outcome = None;
        for step in &plan.steps {
            if let Err(failure) = self.step(*step, plan, id, &mut outcome) {
                // A wish to stop has been granted by now; letting go must not be stopped by it.
                (self.interrupted)();
                return Err(self.let_go(id, failure));
            }
        }
        outcome.ok_or_else(|| Failure::new(Exit::Internal, "the plan holds no transaction"))
    }

    /// A saved plan that says "nothing to do" says so of the machine as it was; otherwise the guard looks (DESIGN rule
    /// 17).
    fn still_so(&self, plan: &Plan) -> Result<(), Failure> {
        if !self.saved {
            return Ok(());
        }
        let now = self.target.gather(Purpose::Plan)?;
        if now.triple == plan.start && now.boot_id == plan.boot_id {
            return Ok(());
        }
        let what = "the plan is stale: it says that there is nothing to do, and the machine has changed";
        Err(Failure::refused(what).hint("make a new plan"))
    }

    fn step(&self, step: Step, plan: &Plan, id: &TxId, outcome: &mut Option<Outcome>) -> Result<(), Failure> {
        if (self.interrupted)() {
            return Err(Failure::refused("interrupted; nothing was changed"));
        }
        match step {
            Step::Protect => {
                let keep = [plan.candidate.clone(), plan.guard.clone()];
                self.target.protect(id, &keep, &plan.copy.paths)
            }
            Step::Copy => self.copy(plan),
            Step::Transact => {
                *outcome = Some(transact(self, plan, id)?);
                Ok(())
            }
        }
    }

    fn copy(&self, plan: &Plan) -> Result<(), Failure> {
        let Some(store) = self.target.store() else { return Ok(()) };
        (self.tell)(Event::StageStarted { stage: Stage::Copy });
        let started = clock::start();
        self.nix.copy(&plan.copy.roots, &store, plan.substitute_on_destination)?;
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        (self.tell)(Event::StageFinished { stage: Stage::Copy, millis });
        Ok(())
    }

    /// Gets what a saved plan names, if it has gone meanwhile: from its derivation, or from a substituter.
    fn have(&self, plan: &Plan) -> Result<(), Failure> {
        for path in &plan.copy.roots {
            if self.nix.is_valid(path)? {
                continue;
            }
            match plan.derivation.as_ref().filter(|_| *path == plan.candidate) {
                Some(derivation) if self.nix.is_valid(derivation)? => {
                    let built = self.nix.build(derivation, &BuildOn::Local, &[], plan.name.as_str())?;
                    if built != *path {
                        return Err(Failure::refused(format!(
                            "{derivation} built {built}, the plan names {path}"
                        )));
                    }
                }
                _ => self.nix.substitute(path)?,
            }
        }
        Ok(())
    }

    /// After a failure: what was kept for a transaction that did not begin is let go. One that may run needs it; what
    /// cannot be let go of now the next guard finds.
    fn let_go(&self, id: &TxId, failure: Failure) -> Failure {
        if failure.exit == Exit::Inconclusive {
            return failure;
        }
        match self.target.release(id) {
            Err(also) if failure.exit != Exit::Unreachable => {
                let what = format!(
                    "{}\nand the garbage collector roots could not be removed: {}",
                    failure.what, also.what
                );
                Failure { what, ..failure }
            }
            _ => failure,
        }
    }
}

fn nothing_to_do(plan: &Plan) -> Outcome {
    Outcome {
        state: State::Committed,
        exit: Exit::Ok,
        reason: None,
        runs: plan.start.running.clone(),
        boots: plan.start.boot_default.clone(),
        boot_unproved: plan.boot_unproved.clone(),
        suspect: false,
        bad: false,
        unchanged: true,
        notes: Vec::new(),
    }
}
