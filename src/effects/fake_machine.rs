//! A machine that exists only in memory: systems with units and checks, a profile, a boot loader, a journal; and a
//! fault that can be put at any step. What survives a power cut is kept apart from what does not.
#![allow(missing_docs, reason = "only tests use it")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::machine::{
    Action, Ask, EtcIdentity, Fault, Ledger, Machine, Prober, Signal, Snapshot, SwitchEnd, SwitchHow,
};
use crate::guard::{Ban, Bans, Evidence, Options, Origin, PROTOCOL, Record, Spec, State};
use crate::health::{Check, CheckName, ProbeResult, UnitState, Units};
use crate::model::boot_default::Source;
use crate::model::{BootDefault, BootId, BootTime, Described, Generation, StorePath, Triple, TxId, UnitName};
use crate::report::event::Event;

/// What happens at the chosen step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injection {
    /// The step does nothing and reports an error.
    FailBefore,
    /// The step does its work and reports an error.
    FailAfter,
    /// The guard is killed just before the step.
    KillBefore,
    /// The guard is killed just after the step.
    KillAfter,
    /// The same, and a switch was only half done: units and `/etc` changed, the link did not.
    KillMidway,
}

impl Injection {
    pub const ALL: [Self; 5] =
        [Self::FailBefore, Self::FailAfter, Self::KillBefore, Self::KillAfter, Self::KillMidway];

    fn kills(self) -> bool {
        matches!(self, Self::KillBefore | Self::KillAfter | Self::KillMidway)
    }
}

/// A NixOS system, as far as a transaction can tell.
#[derive(Debug, Clone)]
pub struct System {
    pub units: Units,
    /// Name, and whether it passes while this system runs.
    pub checks: BTreeMap<String, bool>,
    pub test: SwitchHow,
    pub boot: SwitchHow,
    /// `boot` installs whatever it says: a loader's script may fail after it changed the default.
    pub boot_works: bool,
    /// `test` moves the link and the units; else it leaves all as it was.
    pub test_works: bool,
    pub network: bool,
}

impl System {
    pub fn good() -> Self {
        Self {
            units: units(&[("sshd.service", "active"), ("web.service", "active")]),
            checks: [("web".to_owned(), true)].into(),
            test: SwitchHow::Exited(0),
            boot: SwitchHow::Exited(0),
            boot_works: false,
            test_works: true,
            network: true,
        }
    }
}

pub fn units(list: &[(&str, &str)]) -> Units {
    let unit = |(name, active): &(&str, &str)| {
        let state = UnitState { active: (*active).into(), result: "success".into(), ..UnitState::default() };
        (UnitName::parse(name).unwrap(), state)
    };
    list.iter().map(unit).collect()
}

pub fn path(c: char) -> StorePath {
    StorePath::parse(&format!("/nix/store/{}-nixos-system-{c}", String::from(c).repeat(32))).unwrap()
}

pub struct FakeMachine {
    pub systems: BTreeMap<StorePath, System>,
    // On disk.
    pub journal: Option<Record>,
    pub snapshot: Option<Snapshot>,
    pub history: Vec<Evidence>,
    pub bans: Bans,
    pub generations: BTreeMap<u64, StorePath>,
    pub profile: u64,
    pub boots: StorePath,
    // In memory.
    pub boot: u32,
    pub running: StorePath,
    pub etc: StorePath,
    pub units: Units,
    pub armed: bool,
    pub confirms: bool,
    confirm_sent: bool,
    pub asks: Vec<Ask>,
    pub foreign: Option<StorePath>,
    /// Somebody's `dry-activate` holds the switch lock for so many looks, from the moment that this state is entered.
    pub lock: Option<(State, u32)>,
    /// Transactions whose paths are kept from the garbage collector.
    pub roots: BTreeSet<TxId>,
    /// Hears all events.
    pub listener: Option<Box<dyn FnMut(Event) + Send>>,
    /// Where confirmations and cancellations come from, if not by themselves, and for how long (of real time) a
    /// confirmation is awaited.
    pub operator: Option<(Receiver<Ask>, Duration)>,
    /// Whether an operator reaches the machine.
    pub reachable: Arc<AtomicBool>,
    answers: Vec<Signal>,
    starts: u32,
    looks: Cell<u32>,
    midway: bool,
    now: Cell<u64>,
    // The fault.
    pub steps: Cell<usize>,
    pub fault: Option<(usize, Injection)>,
    /// From this step on no system's files can be read.
    pub blind_from: Option<usize>,
    /// For so many looks the boot goes on.
    pub boots_for: Cell<u32>,
    pub killed: Cell<bool>,
    pub log: RefCell<Vec<String>>,
}

impl FakeMachine {
    /// A machine on system `a`, with `a` and `b` in its store.
    pub fn new(a: System, b: System) -> Self {
        let units = a.units.clone();
        Self {
            systems: [(path('a'), a), (path('b'), b)].into(),
            journal: None,
            snapshot: None,
            history: Vec::new(),
            bans: Bans::default(),
            generations: [(1, path('a'))].into(),
            profile: 1,
            boots: path('a'),
            boot: 1,
            running: path('a'),
            etc: path('a'),
            units,
            armed: false,
            confirms: true,
            confirm_sent: false,
            asks: Vec::new(),
            foreign: None,
            lock: None,
            roots: BTreeSet::new(),
            listener: None,
            operator: None,
            reachable: Arc::new(AtomicBool::new(true)),
            answers: Vec::new(),
            starts: 0,
            looks: Cell::new(0),
            midway: false,
            now: Cell::new(1000),
            steps: Cell::new(0),
            fault: None,
            blind_from: None,
            boots_for: Cell::new(0),
            killed: Cell::new(false),
            log: RefCell::new(Vec::new()),
        }
    }

    /// The journal's first record for deploying `candidate`, as the guard's `begin` writes it.
    pub fn planned(&mut self, candidate: &StorePath, options: Options) -> Record {
        let spec = Spec {
            protocol: PROTOCOL,
            id: TxId::new("2026-11-22T06:03:01Z", [0, 0, u8::try_from(self.history.len()).unwrap()]),
            candidate: candidate.clone(),
            activate: candidate.clone(),
            start: self.triple_now(),
            boot_id: self.boot_id_now(),
            options,
            origin: Origin::default(),
        };
        self.begin(spec)
    }

    /// The same for a transaction that was asked for.
    pub fn begin(&mut self, spec: Spec) -> Record {
        self.confirm_sent = false;
        let record = Record {
            id: spec.id.clone(),
            boot_id: self.boot_id_now(),
            state: State::Planned,
            previous: self.running.clone(),
            candidate: spec.candidate.clone(),
            guard: "/nix/store/guard".into(),
            format: 1,
            began: self.wall(),
            entered: BootTime(self.now.get()),
            deadline: None,
            start: self.triple_now(),
            manifest: None,
            activated: false,
            installing: false,
            confirmed: false,
            reason: None,
            degraded: false,
            outcome: None,
            spec,
        };
        self.journal = Some(record.clone());
        record
    }

    /// All that only memory held is gone; the boot loader starts what it names.
    pub fn power_cycle(&mut self) {
        self.boot += 1;
        self.running = self.boots.clone();
        self.etc = self.boots.clone();
        self.units = self.systems[&self.boots].units.clone();
        self.armed = false;
        self.answers.clear();
        self.now.set(500);
    }

    /// No more faults: a new guard process starts.
    pub fn revive(&mut self) {
        self.fault = None;
        self.killed.set(false);
    }

    pub fn triple_now(&self) -> Triple {
        Triple {
            running: self.running.clone(),
            profile: Some(Generation { number: self.profile, path: self.generations[&self.profile].clone() }),
            boot_default: BootDefault::Known { path: self.boots.clone(), by: Source::SystemdBoot },
        }
    }

    pub fn boot_id_now(&self) -> BootId {
        BootId::parse(&format!("00000000-0000-0000-0000-{:012}", self.boot)).unwrap()
    }

    /// Looks at the switch lock; each look brings its end nearer.
    fn is_locked(&self) -> bool {
        let state = self.journal.as_ref().map(|j| j.state);
        let (from, looks) = self.lock.map_or((None, 0), |(s, n)| (Some(s), n));
        let held = from == state && self.looks.get() < looks;
        self.looks.set(self.looks.get() + u32::from(held));
        held
    }

    /// What the operator asks for. If nothing comes the transaction's own time goes on.
    fn asked(&mut self) -> Option<Ask> {
        let confirm = Ask::Confirm { token_is_right: true, connected: None };
        let Some((asks, patience)) = self.operator.as_ref().filter(|_| self.confirms) else {
            return self.confirms.then_some(confirm);
        };
        let ask = asks.recv_timeout(*patience).ok();
        self.confirms = ask.is_some();
        ask
    }

    /// Counts a step that only reads.
    fn step<T>(&self, name: &str, read: impl FnOnce() -> T) -> Result<T, Fault> {
        match self.inject(name)? {
            None => Ok(read()),
            Some(_) => Err(Fault::new(name, "injected")),
        }
    }

    /// Counts a step that changes something.
    fn act<T>(&mut self, name: &str, work: impl FnOnce(&mut Self) -> T) -> Result<T, Fault> {
        match self.inject(name)? {
            None => Ok(work(self)),
            Some(Injection::FailBefore | Injection::KillBefore) => Err(Fault::new(name, "injected")),
            Some(injection) => {
                self.midway = injection == Injection::KillMidway;
                work(self);
                self.midway = false;
                Err(Fault::new(name, "injected"))
            }
        }
    }

    /// What is injected at this step, if anything.
    fn inject(&self, name: &str) -> Result<Option<Injection>, Fault> {
        if self.killed.get() {
            return Err(Fault::new(name, "the guard is dead"));
        }
        let k = self.steps.get();
        self.steps.set(k + 1);
        self.log.borrow_mut().push(name.to_owned());
        let injected = self.fault.filter(|(at, _)| *at == k).map(|(_, i)| i);
        self.killed.set(injected.is_some_and(Injection::kills));
        Ok(injected)
    }
}

impl Ledger for FakeMachine {
    fn journal(&self) -> Result<Option<Record>, Fault> {
        self.step("read journal", || self.journal.clone())
    }
    fn write_journal(&mut self, record: &Record) -> Result<(), Fault> {
        let record = record.clone();
        self.act("write journal", |m| m.journal = Some(record))
    }
    fn release_ballast(&mut self) -> Result<(), Fault> {
        self.act("release ballast", |_| ())
    }
    fn write_snapshot(&mut self, _: &TxId, snapshot: &Snapshot) -> Result<(), Fault> {
        let snapshot = snapshot.clone();
        self.act("write snapshot", |m| m.snapshot = Some(snapshot))
    }
    fn snapshot(&self, _: &TxId) -> Result<Option<Snapshot>, Fault> {
        self.step("read snapshot", || self.snapshot.clone())
    }
    fn append_history(&mut self, evidence: &Evidence) -> Result<(), Fault> {
        let evidence = evidence.clone();
        self.act("append history", |m| {
            if !m.history.last().is_some_and(|last| last.tells_of(&evidence)) {
                m.history.push(evidence);
            }
        })
    }
    fn record_boot(&mut self, _: &StorePath) -> Result<(), Fault> {
        self.act("record boot", |_| ())
    }
    fn ban(&mut self, ban: &Ban) -> Result<(), Fault> {
        let ban = ban.clone();
        self.act("ban", |m| m.bans.add(ban))
    }
    fn lift_ban(&mut self, system: &StorePath) -> Result<(), Fault> {
        let system = system.clone();
        self.act("lift ban", |m| {
            m.bans.lift(Some(&system));
        })
    }
}

impl Prober for FakeMachine {
    fn now(&self) -> BootTime {
        BootTime(self.now.get())
    }
    fn start_probe(&mut self, name: &CheckName, _: &Check) {
        let passes = self.boots_for.get() == 0
            && self.systems[&self.running].checks.get(name).copied().unwrap_or(false);
        let result = if passes { ProbeResult::pass("ok") } else { ProbeResult::fail("http 500") };
        self.answers.push(Signal::Probe(name.clone(), result));
    }
    fn wait(&mut self, until: BootTime) -> Result<Vec<Signal>, Fault> {
        self.step("wait", || ())?;
        let mut signals = std::mem::take(&mut self.answers);
        for (id, ask) in (1..).zip(std::mem::take(&mut self.asks)) {
            signals.push(Signal::Asked { id, ask });
        }
        let proving =
            self.journal.as_ref().is_some_and(|j| matches!(j.state, State::Probing | State::Soaking));
        let listens = proving && self.systems[&self.running].network && !self.confirm_sent;
        if let Some(ask) = listens.then(|| self.asked()).flatten() {
            self.confirm_sent = matches!(ask, Ask::Confirm { .. });
            signals.push(Signal::Asked { id: 0, ask });
        }
        self.now.set(if signals.is_empty() { until.0.max(self.now.get() + 1) } else { self.now.get() + 1 });
        Ok(signals)
    }
}

impl Machine for FakeMachine {
    fn wall(&self) -> String {
        "2026-11-22T06:03:01Z".to_owned()
    }
    fn boot_id(&self) -> Result<BootId, Fault> {
        self.step("boot id", || self.boot_id_now())
    }
    fn triple(&self) -> Result<Triple, Fault> {
        self.step("triple", || self.triple_now())
    }
    fn running(&self) -> Result<StorePath, Fault> {
        self.step("running", || self.running.clone())
    }
    fn booted(&self) -> Result<Option<StorePath>, Fault> {
        self.step("booted", || None)
    }
    fn describe(&self, system: &StorePath) -> Result<Described, Fault> {
        let checks: Vec<String> = self.systems[system]
            .checks
            .keys()
            .map(|n| format!(r#""{n}":{{"probe":{{"kind":"tcp","host":"localhost","port":1}}}}"#))
            .collect();
        let manifest = format!(r#"{{"version":1,"checks":{{{}}}}}"#, checks.join(","));
        if self.blind_from.is_some_and(|k| self.steps.get() >= k) {
            return Err(Fault::new("describe", "blind"));
        }
        self.step("describe", || Described {
            manifest: Some(manifest),
            switchable: true,
            system: Some(crate::model::System::parse("x86_64-linux").unwrap()),
            ..Described::new(system.clone())
        })
    }
    fn has_unit(&self, system: &StorePath, unit: &UnitName) -> Result<bool, Fault> {
        self.step("has unit", || self.systems[system].units.contains_key(unit))
    }
    fn etc(&self) -> Result<EtcIdentity, Fault> {
        self.step("etc", || EtcIdentity { link: Some(self.etc.join("etc")), ..EtcIdentity::default() })
    }
    fn units(&mut self) -> Result<Units, Fault> {
        self.step("units", || self.units.clone())
    }
    fn units_in_short(&mut self) -> Result<Units, Fault> {
        self.step("units in short", || self.units.clone())
    }
    fn booting(&self) -> Result<bool, Fault> {
        let left = self.boots_for.get();
        self.boots_for.set(left.saturating_sub(1));
        self.step("booting", || left > 0)
    }
    fn foreign_switch(&self) -> Result<bool, Fault> {
        let held = self.is_locked();
        self.step("foreign switch", || held)
    }
    fn unit_log(&mut self, _: &UnitName, _: usize) -> Result<Vec<String>, Fault> {
        self.step("unit log", Vec::new)
    }
    fn switch(&mut self, system: &StorePath, action: Action, _: Duration) -> Result<SwitchEnd, Fault> {
        if self.is_locked() {
            return Ok(SwitchEnd { how: SwitchHow::Exited(11), failed_snippets: Vec::new() });
        }
        let target = self.systems[system].clone();
        let system = system.clone();
        self.act(&format!("switch {} {}", system.short(), action.word()), move |m| {
            let how = match action {
                Action::Test => {
                    if target.test_works {
                        m.etc = system.clone();
                        if !m.midway {
                            m.reachable.store(target.network, Ordering::SeqCst);
                            m.running = system;
                        }
                        m.starts += 1;
                        m.units = target.units;
                        let invocation = m.starts.to_string();
                        m.units.values_mut().for_each(|u| u.invocation.clone_from(&invocation));
                    }
                    target.test
                }
                Action::Boot => {
                    // As systemd-boot's installer: it works only for what the profile names.
                    let named = m.generations[&m.profile] == system;
                    let installs = named && (target.boot_works || target.boot == SwitchHow::Exited(0));
                    if installs {
                        m.boots = system;
                    }
                    if installs { target.boot } else { SwitchHow::Exited(1) }
                }
            };
            if let (Some(foreign), Action::Test) = (m.foreign.take(), action) {
                (m.running, m.etc) = (foreign.clone(), foreign);
            }
            SwitchEnd { how, failed_snippets: Vec::new() }
        })
    }
    fn kill_left_over_switch(&mut self) -> Result<(), Fault> {
        self.act("kill left-over switch", |_| ())
    }
    fn point_running_at(&mut self, system: &StorePath) -> Result<(), Fault> {
        let system = system.clone();
        self.act("point running", |m| m.running = system)
    }
    fn sync_store(&mut self) -> Result<(), Fault> {
        self.act("sync store", |_| ())
    }
    fn set_profile(&mut self, system: &StorePath) -> Result<(), Fault> {
        let system = system.clone();
        self.act("set profile", |m| {
            if m.generations[&m.profile] != system {
                m.profile = m.generations.keys().max().unwrap() + 1;
                m.generations.insert(m.profile, system);
            }
        })
    }
    fn set_generation(&mut self, number: u64) -> Result<(), Fault> {
        self.act("set generation", |m| m.profile = number)
    }
    fn start_units(&mut self, units: &[UnitName], _: Duration) -> Result<(), Fault> {
        let units = units.to_vec();
        self.act("start units", move |m| {
            for unit in units {
                m.units.entry(unit).or_default().active = "active".into();
            }
        })
    }
    fn cancel_jobs(&mut self) -> Result<(), Fault> {
        self.act("cancel jobs", |_| ())
    }
    fn arm(&mut self, _: &Record) -> Result<(), Fault> {
        self.act("arm", |m| m.armed = true)?;
        self.emit(Event::Armed { token: "token".to_owned() });
        Ok(())
    }
    fn disarm(&mut self, record: &Record) -> Result<(), Fault> {
        self.act("disarm", |m| {
            m.armed = false;
            m.roots.remove(&record.id);
        })
    }
    fn reboot(&mut self) -> Result<(), Fault> {
        self.act("reboot", Self::power_cycle)
    }
    fn reply(&mut self, _: u64, _: Result<String, String>) {}
    fn emit(&mut self, event: Event) {
        if let Some(listener) = &mut self.listener {
            listener(event);
        }
    }
}

/// DESIGN's promise: the machine is as it was, or all of it is the candidate and the candidate is good.
pub fn promise(m: &FakeMachine, start: &Triple, candidate: &System, what: &str) {
    let journal = m.journal.as_ref().unwrap();
    let log = m.log.borrow().join(", ");
    let now = m.triple_now();
    let context = format!("{what}: ended {:?}, machine {now:?}\nsteps: {log}", journal.state);
    assert!(journal.ended(), "not ended\n{context}");
    assert!(!matches!(journal.state, State::Held | State::Superseded), "{context}");
    let as_before = now == *start;
    let profile = &now.profile.as_ref().unwrap().path;
    let all_candidate =
        now.running == path('b') && *profile == path('b') && now.boot_default.path() == Some(profile);
    let good = candidate.network && candidate.checks["web"] && candidate.test == SwitchHow::Exited(0);
    assert!(as_before || (all_candidate && good && candidate.boot == SwitchHow::Exited(0)), "{context}");
    assert_eq!(m.etc, m.running, "{context}");
    assert!(m.generations.contains_key(&1), "a generation was deleted\n{context}");
    let committed = matches!(journal.state, State::Committed | State::CommittedDegraded);
    assert_eq!(committed, all_candidate, "reported otherwise than it is\n{context}");
    assert_eq!(journal.outcome.as_ref().unwrap().runs, now.running, "{context}");
    // What could not be written is not there; but what is told last is what is so.
    let told: Vec<State> = m.history.iter().map(|e| e.outcome.state).collect();
    assert!(told.last().is_none_or(|last| *last == journal.state), "told {told:?}\n{context}");
    assert!(told.windows(2).all(|two| two[0] != two[1]), "told twice {told:?}\n{context}");
}
