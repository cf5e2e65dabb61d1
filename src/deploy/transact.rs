//! Has the guard run a transaction, follows it, and confirms it. What is reported is what the target persisted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::execute::Executor;
use super::plan::Plan;
use crate::effects::clock;
use crate::effects::target::Target;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::protocol::Reply;
use crate::guard::{Outcome, State};
use crate::model::TxId;
use crate::report::event::{Event, Line, Stage};

/// Time that one confirmation has.
const CONFIRM: Duration = Duration::from_secs(20);

/// How often a guard that can be reached and does not answer is asked again.
const ATTEMPTS: usize = 5;

/// What has been heard of a transaction so far.
#[derive(Debug, Default)]
pub struct Heard {
    id: Option<TxId>,
    begun: bool,
    none: bool,
    refused: Option<Failure>,
    token: Option<String>,
    state: Option<State>,
    outcome: Option<Outcome>,
    complete: bool,
    /// Events of this stream so far, and the most of any: whoever attaches again hears all of them once more.
    position: usize,
    most: usize,
}

/// What a line calls for.
#[derive(Debug, PartialEq)]
enum Calls {
    Nothing,
    Confirming,
}

impl Heard {
    /// Takes a line and hands on what concerns the operator's reporters.
    fn take(&mut self, line: &str, tell: &(dyn Fn(Event) + Sync)) -> Calls {
        if let Ok(reply) = serde_json::from_str::<Reply>(line) {
            match reply {
                Reply::Begun(id) | Reply::Following(Some(id)) => {
                    self.begun = true;
                    self.id = Some(id);
                }
                Reply::Following(None) => self.none = true,
                // What has begun cannot be refused any more: then it is only this stream that ends.
                Reply::Refused(failure) if !self.begun => self.refused = Some(failure),
                Reply::Refused(_)
                | Reply::Granted(_)
                | Reply::History { .. }
                | Reply::Unbanned(_)
                | Reply::Status(_) => {}
            }
            return Calls::Nothing;
        }
        let Ok(Line { event, .. }) = serde_json::from_str(line) else {
            tell(Event::Output { line: line.to_owned() });
            return Calls::Nothing;
        };
        self.position += 1;
        let repeated =
            self.position <= self.most && !matches!(event, Event::Outcome { .. } | Event::Evidence { .. });
        self.most = self.most.max(self.position);
        if repeated { self.event(event, &|_| {}) } else { self.event(event, tell) }
    }

    fn event(&mut self, event: Event, tell: &(dyn Fn(Event) + Sync)) -> Calls {
        match event {
            Event::Armed { token } => {
                self.token = Some(token);
                return Calls::Nothing;
            }
            Event::State { state, .. } => {
                self.stages(state, tell);
                self.state = Some(state);
            }
            Event::Outcome { ref outcome } => self.outcome = Some(outcome.clone()),
            Event::Evidence { .. } => self.complete = true,
            _ => {}
        }
        let confirming = matches!(event, Event::State { state: State::Probing | State::Soaking, .. });
        tell(event);
        if confirming && self.token.is_some() { Calls::Confirming } else { Calls::Nothing }
    }

    /// The guard's states as the operator's stages.
    fn stages(&self, state: State, tell: &(dyn Fn(Event) + Sync)) {
        let of = |state| match state {
            State::Activating => Some(Stage::Activate),
            State::Probing | State::Soaking => Some(Stage::Prove),
            State::Committing => Some(Stage::Commit),
            State::RollingBack => Some(Stage::RollBack),
            _ => None,
        };
        if let Some(stage) = of(state).filter(|s| self.state.and_then(of) != Some(*s)) {
            tell(Event::StageStarted { stage });
        }
    }

    /// Whether the guard may have changed something already.
    fn armed(&self) -> bool {
        self.token.is_some()
    }
}

/// Runs a plan's transaction to its end.
pub fn transact(x: &Executor<'_>, plan: &Plan, id: &TxId) -> Result<Outcome, Failure> {
    let spec = plan.spec(id.clone(), x.operator);
    let confirms = plan.options.confirm.is_some();
    let mut heard = Heard { id: Some(id.clone()), ..Heard::default() };
    let begun = listen(x, confirms, &mut heard, |on_line| x.target.begin(&plan.guard, &spec, on_line));
    match heard.refused {
        Some(refused) => Err(refused),
        // An error does not tell whether it began: the guard knows.
        None => conclude(x, id, confirms, heard, begun),
    }
}

/// Attaches to the last transaction: confirms it if it waits for that, and waits for its end. `None`: there never
/// was one.
pub fn follow(x: &Executor<'_>) -> Result<Option<Outcome>, Failure> {
    let mut heard = Heard::default();
    let ended = listen(x, true, &mut heard, |on_line| x.target.follow(None, on_line));
    match (heard.id.clone(), heard.none) {
        (_, true) => Ok(None),
        (Some(id), _) => conclude(x, &id, true, heard, ended).map(Some),
        (None, _) => {
            let silent =
                || Failure::new(Exit::Internal, "the guard did not say which transaction it follows");
            Err(heard.refused.or(ended.err()).unwrap_or_else(silent))
        }
    }
}

/// Follows a stream of events; as soon as the machine waits for it, confirms over a connection of its own.
fn listen(
    x: &Executor<'_>,
    confirms: bool,
    heard: &mut Heard,
    stream: impl FnOnce(&mut dyn FnMut(&str) -> bool) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let over = &AtomicBool::new(false);
    heard.position = 0;
    thread::scope(|scope| {
        let mut confirming = false;
        let ended = stream(&mut |line| {
            let calls = heard.take(line, x.tell);
            let asker = heard.id.clone().zip(heard.token.clone()).filter(|_| confirms && !confirming);
            if let (Calls::Confirming, Some((id, token))) = (calls, asker) {
                confirming = true;
                scope.spawn(move || confirm(x, &id, &token, over));
            }
            over.store(heard.outcome.is_some(), Ordering::Relaxed);
            !heard.complete
        });
        over.store(true, Ordering::Relaxed);
        ended
    })
}

/// Confirms, again and again until it is granted or refused, or the transaction is over.
fn confirm(x: &Executor<'_>, id: &TxId, token: &str, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        match x.target.confirm(id, token, CONFIRM) {
            Ok(()) => return,
            Err(failure) if matches!(failure.exit, Exit::Unreachable | Exit::Internal) => {
                clock::sleep(x.retry);
            }
            Err(failure) => {
                if !over.load(Ordering::Relaxed) {
                    (x.tell)(Event::Warning { text: format!("the confirmation was refused: {failure}") });
                }
                return;
            }
        }
    }
}

/// What the end of a stream means: the outcome, a refusal, or a lost connection, after which we attach again.
fn conclude(
    x: &Executor<'_>,
    id: &TxId,
    confirms: bool,
    mut heard: Heard,
    begun: Result<(), Failure>,
) -> Result<Outcome, Failure> {
    let lost = clock::start();
    let mut failure = begun.err();
    let mut cancelled = false;
    for attempt in 1.. {
        if let Some(outcome) = heard.outcome {
            return Ok(outcome);
        }
        if heard.none || heard.refused.is_some() {
            return Err(not_begun(cancelled, failure, heard.refused));
        }
        if (x.interrupted)() {
            if heard.armed() || cancelled {
                return Err(detached(x, id));
            }
            cancelled = true;
            // Only the guard knows whether it has begun: what we have heard may be old.
            match x.target.withdraw(id, x.operator) {
                Err(begun) if begun.exit == Exit::Busy => return Err(detached(x, id)),
                // Whether there was still something to give up the end tells, which is awaited.
                withdrawn => failure = withdrawn.err().or(failure),
            }
        }
        let reached = failure.as_ref().is_some_and(|f| f.exit != Exit::Unreachable);
        if lost.elapsed() > x.patience || (reached && attempt > ATTEMPTS) {
            return Err(unknown(x.target, id, failure));
        }
        if !cancelled {
            let text = format!("contact with {} was lost; attaching again", x.target.name());
            (x.tell)(Event::Notice { text });
        }
        clock::sleep(x.retry);
        let ended =
            listen(x, confirms && !cancelled, &mut heard, |on_line| x.target.follow(Some(id), on_line));
        // Why it was lost tells more than that there was nothing to attach to.
        failure = ended.err().filter(|_| !heard.none && heard.refused.is_none()).or(failure);
    }
    Err(unknown(x.target, id, failure))
}

/// Of a transaction that began the guard would know: this one did not.
fn not_begun(cancelled: bool, why: Option<Failure>, refused: Option<Failure>) -> Failure {
    if cancelled {
        return Failure::refused("interrupted; nothing was changed");
    }
    why.or(refused).unwrap_or_else(|| Failure::refused("the transaction did not begin"))
}

/// The person at the terminal leaves, and the transaction, which may have changed something already, goes on.
fn detached(x: &Executor<'_>, id: &TxId) -> Failure {
    let what = format!("detached: transaction {id} goes on, on {}", x.target.name());
    Failure::new(Exit::Inconclusive, what)
        .hint("`nqd follow` attaches again and confirms, `nqd cancel` rolls back now")
}

fn unknown(target: &dyn Target, id: &TxId, last: Option<Failure>) -> Failure {
    let why = last.map_or_else(|| "its answer never came".to_owned(), |f| f.what);
    let what = format!(
        "contact with {} was lost, and how transaction {id} ends cannot be known: {why}",
        target.name()
    );
    Failure::new(Exit::Inconclusive, what)
        .hint("`nqd follow` attaches again; without a confirmation the machine rolls back by itself")
}
