//! An operator's Nix and a target that exist only in memory, with a whole machine behind them that runs real
//! transactions; and a fault that can be put at any step between the two.
#![allow(missing_docs, reason = "only tests use it")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::fake_machine::{FakeMachine, System as Fake};
use super::gather::{Purpose, RemoteSystem};
use super::machine::{Ask, Machine};
use super::nix::{BuildOn, Nix};
use super::target::{OnLine, RemoteStore, Target};
use crate::closure::{Closure, Member, Package};
use crate::deploy::facts::{Evaluation, Revision, TargetFacts};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::admit::{Found, admit};
use crate::guard::protocol::{Reply, Status};
use crate::guard::{PROTOCOL, Spec, Transaction};
use crate::model::{Address, Described, StorePath, System, TxId};
use crate::nix::PathInfo;
use crate::nix::{FlakeHost, FlakeRef};
use crate::report::event::{Event, Line, VERSION};

/// What happens at the chosen step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// Nothing is done and an error comes back.
    Fail,
    /// It is done and an error comes back all the same.
    FailAfter,
    /// The connection is lost before it is done; the next step has one again.
    Lost,
    /// The connection is lost after it was done: nobody hears of it.
    LostAfter,
    /// The connection is lost and does not come back.
    CutOff,
    /// The operator's process is killed.
    Killed,
    /// It is done, and Ctrl-C ends the program that did it.
    Interrupted,
}

impl Strike {
    pub const ALL: [Self; 7] = [
        Self::Fail,
        Self::FailAfter,
        Self::Lost,
        Self::LostAfter,
        Self::CutOff,
        Self::Killed,
        Self::Interrupted,
    ];

    /// Whether this operator will not confirm any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::CutOff | Self::Killed | Self::Interrupted)
    }
}

/// A step: its name, and which one of that name.
pub type At = (String, usize);

/// Everything behind [`FakeNix`] and [`FakeTarget`].
pub struct World {
    pub machine: Mutex<FakeMachine>,
    /// The target's store.
    store: Mutex<BTreeSet<StorePath>>,
    events: Mutex<Vec<String>>,
    news: Condvar,
    guard_runs: AtomicBool,
    asks: Mutex<Option<Sender<Ask>>>,
    reachable: Arc<AtomicBool>,
    /// Somebody presses Ctrl-C.
    pub interrupted: AtomicBool,
    pub strike: Mutex<Option<(At, Strike)>>,
    pub steps: Mutex<Vec<At>>,
    counts: Mutex<BTreeMap<String, usize>>,
    gone: AtomicBool,
    /// Roots were taken from a transaction that runs.
    pub robbed: AtomicBool,
    /// `etc/nqd/guard.json` of every system.
    pub guard_json: Mutex<Option<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

pub fn guard_path() -> StorePath {
    StorePath::parse("/nix/store/gggggggggggggggggggggggggggggggg-nqd-guard").unwrap()
}

pub fn system() -> System {
    System::parse("x86_64-linux").unwrap()
}

fn lost() -> Failure {
    Failure::new(Exit::Unreachable, "injected: the connection was lost")
}

impl World {
    /// A machine on system `a`, and a flake whose host is system `b`.
    pub fn new(a: Fake, b: Fake) -> Arc<Self> {
        let machine = FakeMachine::new(a, b);
        let reachable = Arc::clone(&machine.reachable);
        Arc::new(Self {
            machine: Mutex::new(machine),
            store: Mutex::new([super::fake_machine::path('a')].into()),
            events: Mutex::default(),
            news: Condvar::new(),
            guard_runs: AtomicBool::new(false),
            asks: Mutex::default(),
            reachable,
            interrupted: AtomicBool::new(false),
            strike: Mutex::default(),
            steps: Mutex::default(),
            counts: Mutex::default(),
            gone: AtomicBool::new(false),
            robbed: AtomicBool::new(false),
            guard_json: Mutex::default(),
        })
    }

    /// No more faults: another operator comes.
    pub fn revive(&self) {
        *locked(&self.strike) = None;
        locked(&self.steps).clear();
        locked(&self.counts).clear();
        self.gone.store(false, Ordering::SeqCst);
        self.interrupted.store(false, Ordering::SeqCst);
    }

    /// Waits until no guard runs.
    pub fn settle(&self) {
        let events = locked(&self.events);
        drop(self.news.wait_while(events, |_| self.guard_runs.load(Ordering::SeqCst)).unwrap());
    }

    /// Counts a step, and does it or not.
    fn step<T>(
        &self,
        name: &str,
        own: Exit,
        work: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self.gone.load(Ordering::SeqCst) {
            return Err(lost());
        }
        let count = {
            let mut counts = locked(&self.counts);
            let count = counts.entry(name.to_owned()).or_default();
            *count += 1;
            *count
        };
        let at = (name.to_owned(), count);
        locked(&self.steps).push(at.clone());
        let strike = locked(&self.strike).as_ref().filter(|(where_, _)| *where_ == at).map(|(_, s)| *s);
        let own = || Failure::new(own, format!("injected at {name}"));
        match strike {
            None => work(),
            Some(Strike::Fail) => Err(own()),
            Some(Strike::FailAfter) => work().and_then(|_| Err(own())),
            Some(Strike::Lost) => Err(lost()),
            Some(Strike::LostAfter) => work().and_then(|_| Err(lost())),
            Some(Strike::Interrupted) => {
                self.interrupted.store(true, Ordering::SeqCst);
                work().and_then(|_| Err(own()))
            }
            Some(Strike::CutOff | Strike::Killed) => {
                self.gone.store(true, Ordering::SeqCst);
                Err(lost())
            }
        }
    }

    /// Puts something before the guard. One that has just ended does not mind.
    fn ask(&self, ask: Ask) {
        if let Some(asks) = locked(&self.asks).as_ref() {
            asks.send(ask).unwrap_or(());
        }
    }

    fn tell(&self, line: String) {
        locked(&self.events).push(line);
        self.news.notify_all();
    }

    /// Starts the guard, detached from whoever asks.
    fn start(self: &Arc<Self>, spec: &Spec) -> Result<(), Failure> {
        let mut machine = self.machine.try_lock().map_err(|_| Failure::new(Exit::Busy, "a guard runs"))?;
        let describe = |m: &FakeMachine, path: &StorePath| m.describe(path).map_err(Failure::from);
        let found = Found {
            triple: machine.triple_now(),
            boot_id: machine.boot_id_now(),
            previous: describe(&machine, &machine.running.clone())?,
            candidate: describe(&machine, &spec.candidate)?,
            activate: describe(&machine, &spec.activate)?,
            bans: machine.bans.clone(),
            valid: locked(&self.store).contains(&spec.candidate),
        };
        admit(spec, &found)?;
        locked(&self.events).clear();
        self.guard_runs.store(true, Ordering::SeqCst);
        let record = machine.begin(spec.clone());
        let (sender, receiver) = channel();
        *locked(&self.asks) = Some(sender);
        let is_final = locked(&self.strike).as_ref().is_some_and(|(_, s)| s.is_final());
        // Whoever cannot confirm any more is not awaited for long; all others do.
        let patience = if is_final { Duration::from_millis(40) } else { Duration::from_secs(20) };
        machine.operator = Some((receiver, patience));
        machine.confirms = true;
        let world = Arc::clone(self);
        machine.listener = Some(Box::new(move |event| {
            let line = Line { v: VERSION, at: String::new(), host: None, event };
            world.tell(serde_json::to_string(&line).unwrap());
        }));
        drop(machine);
        let world = Arc::clone(self);
        thread::spawn(move || {
            let mut machine = locked(&world.machine);
            Transaction::new(&mut *machine, record).run().unwrap();
            machine.listener = None;
            let evidence = Box::new(machine.history.last().unwrap().clone());
            drop(machine);
            let line =
                Line { v: VERSION, at: String::new(), host: None, event: Event::Evidence { evidence } };
            world.tell(serde_json::to_string(&line).unwrap());
            world.guard_runs.store(false, Ordering::SeqCst);
            drop(locked(&world.events));
            world.news.notify_all();
        });
        Ok(())
    }

    /// Hands out events as they come; each line is a step.
    fn stream(&self, on_line: &mut OnLine<'_>) -> Result<(), Failure> {
        for next in 0.. {
            let events = locked(&self.events);
            let waiting =
                |events: &mut Vec<String>| events.len() <= next && self.guard_runs.load(Ordering::SeqCst);
            let events = self.news.wait_while(events, waiting).unwrap();
            let Some(line) = events.get(next).cloned() else { break };
            drop(events);
            let go_on = self.step("line", Exit::Internal, || Ok(on_line(&line)))?;
            if !go_on {
                break;
            }
        }
        Ok(())
    }
}

/// The operator's Nix.
pub struct FakeNix(pub Arc<World>);

impl FakeNix {
    fn step<T>(&self, name: &str, own: Exit, value: T) -> Result<T, Failure> {
        self.0.step(name, own, || Ok(value))
    }
}

fn infos(paths: &[StorePath]) -> Vec<PathInfo> {
    paths.iter().map(|path| PathInfo { path: path.clone(), nar_size: 100 }).collect()
}

/// The guard that is a part of every system.
pub fn own_guard() -> StorePath {
    StorePath::parse("/nix/store/hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-nqd-guard").unwrap()
}

fn closure_of(system: &StorePath) -> Vec<PathInfo> {
    infos(&[system.clone(), own_guard()])
}

fn described(world: &World, path: &StorePath) -> Described {
    let guard = locked(&world.guard_json).clone();
    Described { system: Some(system()), switchable: true, guard, ..Described::new(path.clone()) }
}

impl Nix for FakeNix {
    fn evaluate(&self, _: &FlakeHost, _: &[String]) -> Result<Evaluation, Failure> {
        let b = super::fake_machine::path('b');
        let derivation = StorePath::parse(&format!("{b}.drv")).unwrap();
        let evaluation = Evaluation {
            derivation,
            toplevel: b,
            nix_version: "2.34".into(),
            host_name: Some("web".into()),
            deploy: None,
        };
        self.step("evaluate", Exit::Evaluation, evaluation)
    }
    fn hosts(&self, _: &FlakeRef, _: &[String]) -> Result<Vec<String>, Failure> {
        self.step("hosts", Exit::Evaluation, vec!["web".into()])
    }
    fn revision(&self, _: &FlakeRef) -> Result<Revision, Failure> {
        self.step("revision", Exit::Evaluation, Revision::default())
    }
    fn build(&self, _: &StorePath, _: &BuildOn, _: &[String], _: &str) -> Result<StorePath, Failure> {
        self.step("build", Exit::Build, super::fake_machine::path('b'))
    }
    fn keep(&self, _: &StorePath, _: &str) -> Result<(), Failure> {
        self.step("keep", Exit::Internal, ())
    }
    fn build_in(&self, _: &StorePath, _: &RemoteStore, _: &[String]) -> Result<StorePath, Failure> {
        self.0.step("build there", Exit::Build, || {
            locked(&self.0.store).insert(super::fake_machine::path('b'));
            Ok(super::fake_machine::path('b'))
        })
    }
    fn describe(&self, system: &StorePath) -> Result<Described, Failure> {
        self.step("describe", Exit::Internal, described(&self.0, system))
    }
    fn is_valid(&self, _: &StorePath) -> Result<bool, Failure> {
        self.step("is valid", Exit::Internal, true)
    }
    fn substitute(&self, _: &StorePath) -> Result<(), Failure> {
        self.step("substitute", Exit::Copy, ())
    }
    fn closure(&self, system: &StorePath) -> Result<Vec<PathInfo>, Failure> {
        self.step("closure", Exit::Internal, closure_of(system))
    }
    fn packages(&self, paths: &[StorePath]) -> Result<Vec<Option<Package>>, Failure> {
        self.step("packages", Exit::Internal, vec![None; paths.len()])
    }
    fn guard(&self, _: &System, _: Option<&Path>) -> Result<PathInfo, Failure> {
        self.step("guard", Exit::Refused, PathInfo { path: guard_path(), nar_size: 50 })
    }
    fn copy(&self, paths: &[StorePath], _: &RemoteStore, _: bool) -> Result<(), Failure> {
        self.0.step("copy", Exit::Copy, || {
            locked(&self.0.store).extend(paths.iter().cloned());
            Ok(())
        })
    }
}

/// The target.
#[derive(Clone)]
pub struct FakeTarget(pub Arc<World>);

impl FakeTarget {
    fn machine(&self) -> Result<MutexGuard<'_, FakeMachine>, Failure> {
        self.0.machine.try_lock().map_err(|_| Failure::new(Exit::Busy, "a guard runs"))
    }
}

impl Target for FakeTarget {
    fn connect(&self) -> Result<(), Failure> {
        self.0.step("connect", Exit::Unreachable, || Ok(()))
    }
    fn gather(&self, _: Purpose) -> Result<TargetFacts, Failure> {
        self.0.step("gather", Exit::Internal, || {
            let m = self.machine()?;
            let record = m.journal.clone();
            Ok(TargetFacts {
                host_name: "web".into(),
                boot_id: m.boot_id_now(),
                triple: m.triple_now(),
                running: m.describe(&m.running)?,
                booted: None,
                profile_specialisations: Vec::new(),
                generations: Vec::new(),
                closure: vec![PathInfo { path: m.running.clone(), nar_size: 1000 }],
                free: None,
                status: record.map(|r| Status {
                    protocol: PROTOCOL,
                    record: Some(r),
                    alive: false,
                    evidence: None,
                    bans: m.bans.clone(),
                }),
            })
        })
    }
    fn describe(&self, system: &StorePath, _: Option<&str>) -> Result<RemoteSystem, Failure> {
        self.0.step("describe there", Exit::Internal, || {
            Ok((described(&self.0, system), None, closure_of(system)))
        })
    }
    fn missing(&self, paths: &[StorePath]) -> Result<Vec<StorePath>, Failure> {
        self.0.step("missing", Exit::Internal, || {
            let store = locked(&self.0.store);
            Ok(paths.iter().filter(|p| !store.contains(p)).cloned().collect())
        })
    }
    fn has(&self, path: &StorePath) -> Result<bool, Failure> {
        self.0.step("has", Exit::Internal, || Ok(locked(&self.0.store).contains(path)))
    }
    fn dry_activate(&self, _: &StorePath) -> Result<Vec<String>, Failure> {
        let said = ["would restart the following units: web.service", "fetching with --token hunter2x"];
        self.0.step("dry activate", Exit::Internal, || Ok(said.map(str::to_owned).to_vec()))
    }
    fn protect(&self, id: &TxId, _: &[StorePath], _: &[StorePath]) -> Result<(), Failure> {
        self.0.step("protect", Exit::Internal, || {
            self.machine()?.roots.insert(id.clone());
            Ok(())
        })
    }
    fn release(&self, id: &TxId) -> Result<(), Failure> {
        self.0.step("release", Exit::Internal, || {
            match self.0.machine.try_lock() {
                Ok(mut machine) => {
                    machine.roots.remove(id);
                }
                Err(_) => self.0.robbed.store(true, Ordering::SeqCst),
            }
            Ok(())
        })
    }
    fn begin(&self, _: &StorePath, spec: &Spec, on_line: &mut OnLine<'_>) -> Result<(), Failure> {
        let reply = self.0.step("begin", Exit::Internal, || match self.0.start(spec) {
            Ok(()) => Ok(Reply::Begun(spec.id.clone())),
            Err(failure) => Ok(Reply::Refused(failure)),
        })?;
        on_line(&serde_json::to_string(&reply).unwrap());
        if matches!(reply, Reply::Begun(_)) { self.0.stream(on_line) } else { Ok(()) }
    }
    fn follow(&self, id: Option<&TxId>, on_line: &mut OnLine<'_>) -> Result<(), Failure> {
        let reply = self.0.step("follow", Exit::Internal, || {
            let last = match self.0.machine.try_lock() {
                Ok(machine) => machine.journal.as_ref().map(|r| r.id.clone()),
                Err(_) => id.cloned(),
            };
            if id.is_some() && last.as_ref() != id {
                return Ok(Reply::Refused(Failure::refused("the machine's last transaction is another one")));
            }
            Ok(Reply::Following(last))
        })?;
        on_line(&serde_json::to_string(&reply).unwrap());
        if matches!(reply, Reply::Following(Some(_))) { self.0.stream(on_line) } else { Ok(()) }
    }
    fn confirm(&self, _: &TxId, token: &str, _: Duration) -> Result<(), Failure> {
        assert_eq!(token, "token");
        self.0.step("confirm", Exit::Internal, || {
            if !self.0.reachable.load(Ordering::SeqCst) {
                return Err(lost());
            }
            self.0.ask(Ask::Confirm { token_is_right: true, connected: None });
            Ok(())
        })
    }
    fn closure(&self, system: &StorePath) -> Result<Closure, Failure> {
        let members = vec![Member::bare(system.clone())];
        self.0.step("closure", Exit::Internal, || Ok(Closure::new(system.clone(), members)))
    }
    #[cfg(feature = "operator")]
    fn system(
        &self,
        system: &StorePath,
        _: &crate::closure::mask::Masker,
    ) -> Result<crate::closure::system::SystemReading, Failure> {
        use crate::closure::system::{NoSystem, SystemReading};
        self.0.step("system", Exit::Internal, || Ok(SystemReading::Empty(NoSystem::Missing(system.clone()))))
    }
    fn cancel(&self, by: &str) -> Result<String, Failure> {
        self.0.step("cancel", Exit::Internal, || {
            if !self.0.guard_runs.load(Ordering::SeqCst) {
                return Err(Failure::refused("no transaction is running on this machine"));
            }
            self.0.ask(Ask::Cancel { by: by.to_owned() });
            Ok("cancelled".into())
        })
    }
    fn withdraw(&self, id: &TxId, by: &str) -> Result<String, Failure> {
        self.0.step("withdraw", Exit::Internal, || {
            let journal = self.machine()?.journal.clone();
            if journal.is_none_or(|r| r.id != *id || r.ended()) {
                return Err(Failure::refused("it is not running on this machine"));
            }
            self.0.ask(Ask::Withdraw { by: by.to_owned() });
            Ok("withdrawn".into())
        })
    }
    fn history(&self, _: usize) -> Result<(Vec<String>, usize), Failure> {
        self.0.step("history", Exit::Internal, || Ok((Vec::new(), 0)))
    }
    fn unban(&self, _: Option<&StorePath>) -> Result<Vec<StorePath>, Failure> {
        self.0.step("unban", Exit::Internal, || Ok(Vec::new()))
    }
    fn health(&self, _: Option<&StorePath>) -> Result<String, Failure> {
        self.0.step("health", Exit::Internal, || Ok("{}".into()))
    }
    fn store(&self) -> Option<RemoteStore> {
        Some(RemoteStore { address: Address::parse("root@web").unwrap(), ssh_options: String::new() })
    }
    fn login(&self) -> String {
        "ssh root@web".into()
    }
    fn name(&self) -> String {
        "web".into()
    }
}
