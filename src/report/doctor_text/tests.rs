//! Each state of a machine, and what a person is told.

use super::*;
use crate::effects::fake_machine::{FakeMachine, System, path};
use crate::guard::protocol::Status;
use crate::guard::{Bans, Options, Outcome, PROTOCOL};
use crate::model::boot_default::Source;
use crate::model::{BootDefault, Described, Triple};

fn facts(state: Option<State>, alive: bool) -> TargetFacts {
    let mut machine = FakeMachine::new(System::good(), System::good());
    let mut record = machine.planned(&path('b'), Options::default());
    let triple = machine.triple_now();
    let status = state.map(|state| {
        record.state = state;
        record.outcome = state.exit().map(|exit| Outcome {
            state,
            exit,
            reason: None,
            runs: path('b'),
            boots: triple.boot_default.clone(),
            boot_unproved: Vec::new(),
            suspect: false,
            bad: false,
            unchanged: false,
            notes: vec!["the rollback failed: \u{1b}[2Jx".into()],
        });
        Status { protocol: PROTOCOL, record: Some(record), alive, evidence: None, bans: Bans::default() }
    });
    TargetFacts {
        host_name: "web".into(),
        boot_id: machine.boot_id_now(),
        running: Described::new(triple.running.clone()),
        triple,
        booted: None,
        profile_specialisations: Vec::new(),
        generations: Vec::new(),
        closure: Vec::new(),
        free: None,
        status,
    }
}

fn told(facts: &TargetFacts) -> (String, Exit) {
    examine("web", "ssh root@web", facts)
}

#[test]
fn a_superseded_transaction_is_told_and_commands_reach_the_same_machine() {
    let at = "web --target-host root@10.0.0.2 --escalate sudo";
    let (text, exit) = examine(at, "ssh -p 22 root@10.0.0.2", &facts(Some(State::Superseded), false));
    assert!(text.starts_with("web: transaction ") && text.contains("was superseded"), "{text}");
    assert!(text.contains(&format!("nqd rollback {at} --to ")), "{text}");
    assert_eq!(exit, Exit::Ok);
}

#[test]
fn a_well_machine_needs_nobody() {
    for (state, alive, words) in [
        (None, false, "nothing needs a person"),
        (Some(State::Committed), false, "nothing needs a person"),
        (Some(State::RolledBack), false, "nothing needs a person"),
        (Some(State::Probing), true, "a transaction is running"),
    ] {
        let (text, exit) = told(&facts(state, alive));
        assert_eq!((text.as_str(), exit), (format!("web: {words}").as_str(), Exit::Ok), "{state:?}");
    }
}

#[test]
fn a_held_machine_gets_exact_commands() {
    let mut f = facts(Some(State::Held), false);
    f.triple = Triple {
        running: path('b'),
        profile: Some(crate::model::Generation { number: 2, path: path('b') }),
        boot_default: BootDefault::Known { path: path('b'), by: Source::SystemdBoot },
    };
    let (text, exit) = told(&f);
    assert_eq!(exit, Exit::Held);
    let a = path('a');
    for line in [
        format!("ssh root@web {a}/bin/switch-to-configuration test"),
        format!("ssh root@web nix-env -p /nix/var/nix/profiles/system --set {a}"),
        format!("ssh root@web {a}/bin/switch-to-configuration boot"),
        format!("nqd rollback web --to {a} --from-diverged"),
    ] {
        assert!(text.contains(&line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "a target's words must not reach the terminal as they are");
    // What is back already is not asked for again.
    let (text, _) = told(&facts(Some(State::Held), false));
    assert!(!text.contains("nix-env") && !text.contains("configuration boot"), "{text}");
}

#[test]
fn a_dead_guard_and_a_diverged_start_are_named() {
    let (text, exit) = told(&facts(Some(State::Probing), false));
    assert!(exit == Exit::Refused && text.contains("ssh root@web /nix/store/guard recover"), "{text}");
    let mut f = facts(None, false);
    f.triple.running = path('b');
    let (text, exit) = told(&f);
    assert!(exit == Exit::Refused && text.contains("diverged") && text.contains("--from-diverged"), "{text}");
}
