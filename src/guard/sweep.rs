//! The sweep: a fault at every step of a transaction, of every kind, and again at every step of the recovery. After
//! each the promise is checked.

use std::time::Duration;

use super::{Options, Outcome, Reason, Record, State, Transaction, recovery};
use crate::effects::fake_machine::{FakeMachine, Injection, System, path, promise, units};
use crate::effects::machine::{Ask, Fault, SwitchHow};
use crate::exit::Exit;
use crate::model::Seconds;

fn deploy(m: &mut FakeMachine, options: Options) -> Outcome {
    let record = m.planned(&path('b'), options);
    Transaction::new(m, record).run().unwrap()
}

fn bad_check() -> System {
    System { checks: [("web".to_owned(), false)].into(), ..System::good() }
}

/// Every kind of candidate, with the state in which its transaction ends when nothing else goes wrong.
fn candidates() -> Vec<(&'static str, System, State)> {
    let failed = units(&[("sshd.service", "active"), ("web.service", "failed")]);
    vec![
        ("good", System::good(), State::Committed),
        ("bad check", bad_check(), State::RolledBack),
        (
            "failed unit",
            System { units: failed, test: SwitchHow::Exited(4), ..System::good() },
            State::RolledBack,
        ),
        ("activation fails", System { test: SwitchHow::Exited(2), ..System::good() }, State::RolledBack),
        (
            "switch fails at once",
            System { test: SwitchHow::Exited(1), test_works: false, ..System::good() },
            State::RolledBack,
        ),
        (
            "needs a reboot",
            System { test: SwitchHow::Exited(100), test_works: false, ..System::good() },
            State::RolledBack,
        ),
        ("cuts the network", System { network: false, ..System::good() }, State::RolledBack),
        ("boot loader fails", System { boot: SwitchHow::Exited(1), ..System::good() }, State::RolledBack),
        (
            "boot loader changes and fails",
            System { boot: SwitchHow::Exited(1), boot_works: true, ..System::good() },
            State::RolledBack,
        ),
    ]
}

/// The next guard: on the same boot after a kill, or after a power cut. Recovery itself may be struck.
fn recover(m: &mut FakeMachine, power_cut: bool, again: Option<(usize, Injection)>) {
    m.revive();
    if power_cut {
        m.power_cycle();
    }
    m.fault = again.map(|(k, i)| (m.steps.get() + k, i));
    for _ in 0..3 {
        let record = m.journal.clone().unwrap();
        if record.ended() || recovery::recover(m, record).is_ok() {
            return;
        }
        m.revive();
    }
    panic!("recovery does not come to an end: {:?}\nsteps: {}", m.journal, m.log.borrow().join(", "));
}

/// To recover what has ended changes nothing, and says the same.
fn ends_once(m: &mut FakeMachine, what: &str) {
    m.revive();
    let (ended, told, triple) = (m.journal.clone().unwrap(), m.history.clone(), m.triple_now());
    assert_eq!(recovery::recover(m, ended.clone()).ok(), ended.outcome, "{what}");
    assert_eq!((m.journal.as_ref(), &m.history, m.triple_now()), (Some(&ended), &told, triple), "{what}");
}

fn steps_of(candidate: &System) -> usize {
    let mut m = FakeMachine::new(System::good(), candidate.clone());
    deploy(&mut m, Options::default());
    m.steps.get()
}

#[test]
fn without_faults_each_ends_as_it_should() {
    for (name, candidate, expected) in candidates() {
        let mut m = FakeMachine::new(System::good(), candidate.clone());
        let start = m.planned(&path('b'), Options::default());
        let outcome = Transaction::new(&mut m, start.clone()).run().unwrap();
        assert_eq!(outcome.state, expected, "{name}: {}", outcome.summary());
        promise(&m, &start.start, &candidate, name);
        assert_eq!(m.history.len(), 1, "{name}");
        assert!(!m.armed, "{name}: the dead man's timer still runs");
    }
}

#[test]
fn a_fault_at_every_step_keeps_the_promise() {
    let mut cases = 0;
    for (name, candidate, _) in candidates() {
        for k in 0..steps_of(&candidate) {
            for injection in Injection::ALL {
                for power_cut in [false, true] {
                    let mut m = FakeMachine::new(System::good(), candidate.clone());
                    let start = m.planned(&path('b'), Options::default());
                    m.fault = Some((k, injection));
                    let ended = Transaction::new(&mut m, start.clone()).run();
                    if ended.is_err() || power_cut {
                        recover(&mut m, power_cut, None);
                    }
                    let what = format!("{name}, {injection:?} at {k}, power cut {power_cut}");
                    promise(&m, &start.start, &candidate, &what);
                    ends_once(&mut m, &what);
                    cases += 1;
                }
            }
        }
    }
    assert!(cases > 1500, "only {cases} cases");
}

#[test]
fn a_second_kill_at_every_step_of_the_recovery_keeps_it_too() {
    for (name, candidate, _) in candidates() {
        for k in (0..steps_of(&candidate)).step_by(3) {
            for again in 0..40 {
                for (power_cut, second) in [(false, Injection::KillBefore), (true, Injection::KillAfter)] {
                    let mut m = FakeMachine::new(System::good(), candidate.clone());
                    let start = m.planned(&path('b'), Options::default());
                    m.fault = Some((k, Injection::KillAfter));
                    let ended = Transaction::new(&mut m, start.clone()).run();
                    if ended.is_err() {
                        recover(&mut m, power_cut, Some((again, second)));
                    }
                    promise(
                        &m,
                        &start.start,
                        &candidate,
                        &format!("{name}, killed at {k}, then at {again}, {power_cut}"),
                    );
                }
            }
        }
    }
}

#[test]
fn reasons_and_exits_are_the_ones_a_person_needs() {
    let run = |candidate: System, options: Options| {
        let mut m = FakeMachine::new(System::good(), candidate);
        deploy(&mut m, options)
    };
    let outcome = run(bad_check(), Options::default());
    assert_eq!(outcome.exit, Exit::RolledBack);
    assert!(
        outcome.summary().contains("web (did not pass within 60 s; last: http 500; passed before)"),
        "{}",
        outcome.summary()
    );
    let outcome = run(System { network: false, ..System::good() }, Options::default());
    assert_eq!(outcome.reason, Some(Reason::NotConfirmed { seconds: 60.0 }));
    let outcome =
        run(System { network: false, ..System::good() }, Options { confirm: None, ..Options::default() });
    assert_eq!(outcome.state, State::Committed, "--no-confirm");
    let reboot = System { test: SwitchHow::Exited(100), test_works: false, ..System::good() };
    let outcome = run(reboot, Options::default());
    assert_eq!((outcome.exit, outcome.unchanged), (Exit::Refused, true));
}

#[test]
fn what_failed_before_does_not_gate_unless_strict() {
    let strict = |strict| {
        let mut m = FakeMachine::new(bad_check(), bad_check());
        deploy(&mut m, Options { strict, soak: Seconds::whole(0), ..Options::default() }).state
    };
    assert_eq!((strict(false), strict(true)), (State::Committed, State::RolledBack));
    let no_check = System { checks: [].into(), ..System::good() };
    let mut m = FakeMachine::new(no_check, bad_check());
    assert_eq!(
        deploy(&mut m, Options::default()).state,
        State::RolledBack,
        "a new check is never pre-existing"
    );
}

#[test]
fn a_foreign_switch_is_left_alone() {
    let mut m = FakeMachine::new(System::good(), System::good());
    m.systems.insert(path('c'), System::good());
    let record = m.planned(&path('b'), Options::default());
    m.foreign = Some(path('c'));
    // Whoever comes during our own switch is seen by what runs afterwards: it is not rolled back over.
    let outcome = Transaction::new(&mut m, record).run().unwrap();
    assert_eq!((outcome.state, outcome.runs), (State::Superseded, path('c')));
}

#[test]
fn cancelling_rolls_back() {
    let mut m = FakeMachine::new(System::good(), System::good());
    m.confirms = false;
    let record = m.planned(&path('b'), Options::default());
    m.asks = vec![Ask::Cancel { by: "alice@laptop".into() }];
    let outcome = Transaction::new(&mut m, record).run().unwrap();
    assert_eq!(outcome.reason, Some(Reason::Cancelled { by: "alice@laptop".into() }));
}

#[test]
fn only_what_has_begun_nothing_can_be_withdrawn() {
    let by = || "alice@laptop".to_owned();
    // Before the switch: it listens while the checks' standing is taken.
    let mut m = FakeMachine::new(System::good(), System::good());
    let record = m.planned(&path('b'), Options::default());
    m.asks = vec![Ask::Withdraw { by: by() }];
    let outcome = Transaction::new(&mut m, record).run().unwrap();
    assert_eq!((outcome.exit, outcome.unchanged), (Exit::Refused, true));
    assert_eq!(outcome.reason, Some(Reason::Cancelled { by: by() }));
    // After it, whoever leaves stops nothing.
    let mut m = FakeMachine::new(System::good(), System::good());
    let record = m.planned(&path('b'), Options::default());
    let (operator, asks) = std::sync::mpsc::channel();
    operator.send(Ask::Withdraw { by: by() }).unwrap();
    operator.send(Ask::Confirm { token_is_right: true, connected: None }).unwrap();
    m.operator = Some((asks, Duration::from_millis(10)));
    let outcome = Transaction::new(&mut m, record).run().unwrap();
    assert_eq!(outcome.state, State::Committed);
}

#[test]
fn a_rollback_that_fails_twice_is_held_and_once_is_not() {
    let mut m = FakeMachine::new(System { test: SwitchHow::Exited(1), ..System::good() }, bad_check());
    let outcome = deploy(&mut m, Options::default());
    assert_eq!((outcome.state, outcome.exit), (State::Held, Exit::Held));
}

#[test]
fn a_cause_outside_the_candidate_is_suspect() {
    // The check fails from the switch on, whatever runs.
    let mut m = FakeMachine::new(System::good(), bad_check());
    let record = m.planned(&path('b'), Options::default());
    let (gate, _) = super::snapshot::manifest_of(&m, &path('b')).unwrap();
    let (a, b) = (path('a'), path('b'));
    let taken =
        super::snapshot::take(&mut m, &gate, &a, &b, |_, _| Ok::<(), crate::effects::machine::Fault>(()))
            .unwrap();
    m.snapshot = Some(taken);
    m.systems.get_mut(&a).unwrap().checks.insert("web".into(), false);
    let record = Record { state: State::Probing, activated: true, ..record };
    m.running = path('b');
    let outcome = recovery::recover(&mut m, record).unwrap();
    assert_eq!((outcome.state, outcome.suspect), (State::RolledBack, true));
}

#[test]
fn a_candidate_that_runs_already_is_proved_and_committed_without_a_switch() {
    let mut m = FakeMachine::new(System::good(), System::good());
    (m.running, m.etc) = (path('b'), path('b'));
    let outcome = deploy(&mut m, Options::default());
    assert_eq!((outcome.state, m.boots.clone()), (State::Committed, path('b')));
    assert!(!m.log.borrow().iter().any(|s| s.ends_with("-b test")));
    let mut m = FakeMachine::new(System::good(), bad_check());
    (m.running, m.etc) = (path('b'), path('b'));
    let outcome = deploy(&mut m, Options::default());
    assert_eq!(
        (outcome.state, outcome.exit, m.boots.clone()),
        (State::RolledBack, Exit::RolledBack, path('a'))
    );
}

#[test]
fn a_dry_activate_of_somebody_else_changes_nothing() {
    for state in [State::Activating, State::Probing, State::Soaking, State::Committing] {
        let mut m = FakeMachine::new(System::good(), System::good());
        m.lock = Some((state, 3));
        assert_eq!(deploy(&mut m, Options::default()).state, State::Committed, "{state:?}");
    }
    let mut m = FakeMachine::new(System::good(), bad_check());
    m.lock = Some((State::RollingBack, 3));
    assert_eq!(deploy(&mut m, Options::default()).state, State::RolledBack);
}

#[test]
fn only_what_was_shown_to_be_bad_is_banned() {
    let failed = units(&[("sshd.service", "active"), ("web.service", "failed")]);
    let rows = [
        ("bad check", bad_check(), true),
        ("failed unit", System { units: failed, test: SwitchHow::Exited(4), ..System::good() }, true),
        ("not confirmed", System { network: false, ..System::good() }, false),
        ("activation fails", System { test: SwitchHow::Exited(2), ..System::good() }, false),
        ("boot loader fails", System { boot: SwitchHow::Exited(1), ..System::good() }, false),
        ("good", System::good(), false),
    ];
    for (name, candidate, banned) in rows {
        let mut m = FakeMachine::new(System::good(), candidate);
        let outcome = deploy(&mut m, Options::default());
        assert_eq!((outcome.bad, m.bans.admit(&path('b')).is_err()), (banned, banned), "{name}");
    }
    // What had failed before gates under `strict`, and proves nothing against the candidate.
    let mut m = FakeMachine::new(bad_check(), bad_check());
    let outcome = deploy(&mut m, Options { strict: true, ..Options::default() });
    assert_eq!((outcome.state, outcome.bad), (State::RolledBack, false));
    // Whoever insists, and is proved right, lifts the ban.
    let mut m = FakeMachine::new(System::good(), bad_check());
    deploy(&mut m, Options::default());
    m.systems.insert(path('b'), System::good());
    assert_eq!(deploy(&mut m, Options { force: true, ..Options::default() }).state, State::Committed);
    assert!(m.bans.admit(&path('b')).is_ok());
}

#[test]
fn a_rollback_that_could_not_be_written_is_finished_as_one() {
    // The guard put the machine back, could write nothing of it, and died: the journal still says `soaking`.
    let mut m = FakeMachine::new(System::good(), System::good());
    let record = m.planned(&path('b'), Options::default());
    let (a, b) = (path('a'), path('b'));
    let taken = super::snapshot::take(&mut m, &crate::health::Manifest::default(), &a, &b, |_, _| {
        Ok::<(), crate::effects::machine::Fault>(())
    });
    m.snapshot = Some(taken.unwrap());
    let record = Record { state: State::Soaking, activated: true, ..record };
    let outcome = recovery::recover(&mut m, record).unwrap();
    assert_eq!((outcome.state, outcome.runs), (State::RolledBack, a));
}

#[test]
fn a_candidate_that_booted_unproved_is_rolled_back() {
    // The loader's script changed the default and failed; the power failed while it was being rolled back.
    let loader = System { boot: SwitchHow::Exited(1), boot_works: true, ..System::good() };
    let record = FakeMachine::new(System::good(), loader.clone()).planned(&path('b'), Options::default());
    for k in 0.. {
        let mut m = FakeMachine::new(System::good(), loader.clone());
        m.fault = Some((k, Injection::KillBefore));
        assert!(Transaction::new(&mut m, record.clone()).run().is_err(), "it never rolled back");
        if m.log.borrow().iter().any(|s| s == "release ballast") {
            assert_eq!(m.boots, path('b'));
            recover(&mut m, true, None);
            assert_eq!(m.triple_now(), record.start, "{}", m.log.borrow().join(", "));
            assert_eq!(m.journal.unwrap().state, State::RolledBack);
            return;
        }
    }
}

#[test]
fn what_booted_decides_what_an_interruption_is() {
    let end = |running: char, state: State, installing: bool| {
        let mut m = FakeMachine::new(System::good(), System::good());
        m.systems.insert(path('c'), System::good());
        let record = m.planned(&path('b'), Options::default());
        let (gate, _) = super::snapshot::manifest_of(&m, &path('b')).unwrap();
        let (a, b) = (path('a'), path('b'));
        let taken = super::snapshot::take(&mut m, &gate, &a, &b, |_, _| Ok::<(), Fault>(()));
        m.snapshot = Some(taken.unwrap());
        m.power_cycle();
        (m.running, m.etc) = (path(running), path(running));
        let outcome =
            recovery::recover(&mut m, Record { state, activated: true, installing, ..record }).unwrap();
        assert_eq!(outcome.boots.path(), Some(&a), "{running} {state:?}");
        (outcome.state, outcome.runs)
    };
    for state in [State::Activating, State::Probing, State::Soaking] {
        assert_eq!(end('a', state, false), (State::Interrupted, path('a')), "{state:?}");
        assert_eq!(end('b', state, false), (State::RolledBack, path('a')), "{state:?}");
        assert_eq!(end('c', state, false), (State::Superseded, path('c')), "{state:?}");
    }
    for installing in [false, true] {
        assert_eq!(end('a', State::RollingBack, installing), (State::RolledBack, path('a')));
        assert_eq!(end('b', State::RollingBack, installing), (State::RolledBack, path('a')));
        assert_eq!(end('c', State::RollingBack, installing), (State::Superseded, path('c')));
    }
}

/// A candidate of which a specialisation is activated: what boots is the candidate itself.
#[test]
fn a_fault_at_every_step_with_a_specialisation() {
    let planned = |m: &mut FakeMachine| {
        m.systems.insert(path('s'), System::good());
        let record = m.planned(&path('b'), Options::default());
        let spec = super::Spec { activate: path('s'), ..record.spec.clone() };
        m.begin(spec)
    };
    let mut m = FakeMachine::new(System::good(), System::good());
    let record = planned(&mut m);
    assert_eq!(Transaction::new(&mut m, record).run().unwrap().state, State::Committed);
    for k in 0..m.steps.get() {
        for (injection, power_cut) in Injection::ALL.into_iter().flat_map(|i| [(i, false), (i, true)]) {
            let mut m = FakeMachine::new(System::good(), System::good());
            let record = planned(&mut m);
            m.fault = Some((k, injection));
            let ended = Transaction::new(&mut m, record.clone()).run();
            if ended.is_err() || power_cut {
                recover(&mut m, power_cut, None);
            }
            let context =
                format!("{injection:?} at {k}, power cut {power_cut}: {}", m.log.borrow().join(", "));
            let state = m.journal.as_ref().unwrap().state;
            assert!(!matches!(state, State::Held | State::Superseded), "{state:?} {context}");
            let committed = state == State::Committed;
            let ours = [path('b'), path('s')];
            assert!(
                if committed {
                    m.boots == path('b') && ours.contains(&m.running)
                } else {
                    m.triple_now() == record.start
                },
                "{state:?} {context}"
            );
        }
    }
}

#[test]
fn what_cannot_be_seen_after_a_rollback_is_not_well() {
    // The snapshot is lost: nobody knows which checks passed before.
    let rolled_back = |power_cut: bool| {
        let mut m = FakeMachine::new(System::good(), bad_check());
        let record = m.planned(&path('b'), Options::default());
        let reason = Reason::regressed(vec![]);
        let record = Record { state: State::RollingBack, activated: true, reason: Some(reason), ..record };
        if power_cut {
            m.power_cycle();
        } else {
            m.running = path('b');
        }
        recovery::recover(&mut m, record).unwrap()
    };
    assert_eq!(rolled_back(true).state, State::Held);
    let mut m = FakeMachine::new(System::good(), bad_check());
    let record = m.planned(&path('b'), Options::default());
    // The checks run once more only after the last switch: from there on, nothing can be read.
    let mut probe = FakeMachine::new(System::good(), bad_check());
    assert!(Transaction::new(&mut probe, record.clone()).run().unwrap().bad);
    let after = probe.log.borrow().iter().rposition(|s| s == "describe").unwrap();
    m.blind_from = Some(after);
    let outcome = Transaction::new(&mut m, record).run().unwrap();
    assert_eq!((outcome.state, outcome.bad, outcome.suspect), (State::RolledBack, false, false));
    assert!(m.bans.admit(&path('b')).is_ok());
}

#[test]
fn after_a_boot_checks_have_their_time_from_when_units_were_started() {
    let mut m = FakeMachine::new(System::good(), bad_check());
    let record = m.planned(&path('b'), Options::default());
    let (gate, _) = super::snapshot::manifest_of(&m, &path('b')).unwrap();
    let (a, b) = (path('a'), path('b'));
    let taken = super::snapshot::take(&mut m, &gate, &a, &b, |_, _| Ok::<(), Fault>(()));
    m.snapshot = Some(taken.unwrap());
    m.power_cycle();
    // Longer than the check's own start deadline.
    m.boots_for.set(75);
    let record = Record { state: State::RollingBack, activated: true, ..record };
    let outcome = recovery::recover(&mut m, record).unwrap();
    assert_eq!(outcome.state, State::RolledBack, "{}", outcome.summary());
}
