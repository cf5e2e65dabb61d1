//! The operator's sweep: at every step between the operator and the machine something fails, a connection is lost, or
//! the operator dies. Behind the seams a whole guard runs real transactions. After each the promise is checked.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::execute::Executor;
use super::gather::{Tools, gather};
use super::request::{Asked, Settings, Source};
use super::{Plan, plan, transact};
use crate::effects::fake_machine::{System, path, promise};
use crate::effects::fake_operator::{FakeNix, FakeTarget, Strike, World, guard_path, own_guard};
use crate::effects::machine::SwitchHow;
use crate::effects::target::Target;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::{Options, Outcome, PROTOCOL, State};
use crate::model::{HostName, Seconds, StorePath, TxId};
use crate::nix::{FlakeHost, FlakeRef};

/// `force`: the system may be banned by now, as it was bad before.
fn asked(force: bool) -> Asked {
    let flake = FlakeHost { flake: FlakeRef::parse(".").unwrap(), host: HostName::parse("web").unwrap() };
    let options = Options { soak: Seconds::whole(0), force, ..Options::default() };
    Asked {
        name: flake.host.clone(),
        source: Source::Flake(flake),
        place: None,
        escalate: None,
        build_on: None,
        confirm: None,
        settings: Settings { options, ..Settings::default() },
    }
}

fn executor<'a>(
    nix: &'a FakeNix,
    target: &'a dyn Target,
    interrupted: &'a (dyn Fn() -> bool + Sync),
) -> Executor<'a> {
    Executor {
        nix,
        target,
        tell: &|_| {},
        interrupted,
        saved: false,
        operator: "alice@laptop",
        patience: Duration::from_millis(60),
        retry: Duration::from_millis(2),
    }
}

fn planned(world: &Arc<World>, force: bool) -> Result<Plan, Failure> {
    let nix = FakeNix(Arc::clone(world));
    let target = |_: &_| Ok(Box::new(FakeTarget(Arc::clone(world))) as Box<dyn Target>);
    let tools = Tools { nix: &nix, target: &target, tell: &|_| {} };
    let (request, facts, _) = gather(&tools, asked(force))?;
    plan(&request, &facts)
}

/// A whole deployment, as `nqd deploy` runs one.
fn deploy(world: &Arc<World>, id: u8) -> Result<Outcome, Failure> {
    let plan = planned(world, id > 1)?;
    let nix = FakeNix(Arc::clone(world));
    let interrupted = || world.interrupted.swap(false, Ordering::SeqCst);
    executor(&nix, &FakeTarget(Arc::clone(world)), &interrupted)
        .execute(&plan, &TxId::new("2026-11-22T06:03:01Z", [0, 1, id]))
}

#[test]
fn a_plan_holds_no_secret_that_an_activation_script_says() {
    let world = World::new(System::good(), System::good());
    let nix = FakeNix(Arc::clone(&world));
    let target = |_: &_| Ok(Box::new(FakeTarget(Arc::clone(&world))) as Box<dyn Target>);
    let tools = Tools { nix: &nix, target: &target, tell: &|_| {} };
    let mut asked = asked(false);
    asked.settings.copy_first = true;
    let (request, facts, _) = gather(&tools, asked).unwrap();
    let plan = serde_json::to_string(&plan(&request, &facts).unwrap()).unwrap();
    assert!(plan.contains("web.service") && plan.contains("--token ‹masked›"), "{plan}");
    assert!(!plan.contains("hunter2x"), "{plan}");
}

#[test]
fn the_candidates_own_guard_runs_it_if_it_speaks_our_protocol() {
    let plan = |json: Option<String>| {
        let world = World::new(System::good(), System::good());
        *world.guard_json.lock().unwrap() = json;
        let plan = planned(&world, false)?;
        let asked = world.steps.lock().unwrap().iter().any(|(step, _)| step == "guard");
        assert_eq!(plan.copy.paths.contains(&guard_path()), asked, "another is copied only if it is used");
        Ok::<_, Failure>((plan.guard, asked))
    };
    let json =
        |path: &StorePath, protocol: u32| Some(format!(r#"{{"path":"{path}","protocol":{protocol}}}"#));
    assert_eq!(plan(json(&own_guard(), PROTOCOL)).unwrap(), (own_guard(), false));
    assert_eq!(plan(json(&own_guard(), PROTOCOL + 1)).unwrap(), (guard_path(), true), "of another protocol");
    assert_eq!(plan(None).unwrap(), (guard_path(), true), "a system without the module");
    for (unfit, says) in [
        (json(&guard_path(), PROTOCOL), "is no part of the system"),
        (Some("{}".to_owned()), "missing field `path`"),
    ] {
        let refused = plan(unfit).unwrap_err();
        assert!(refused.exit == Exit::Refused && refused.what.contains(says), "{}", refused.what);
    }
}

fn candidates() -> Vec<(&'static str, System, State)> {
    vec![
        ("good", System::good(), State::Committed),
        (
            "bad check",
            System { checks: [("web".to_owned(), false)].into(), ..System::good() },
            State::RolledBack,
        ),
        ("cuts the network", System { network: false, ..System::good() }, State::RolledBack),
        ("boot loader fails", System { boot: SwitchHow::Exited(1), ..System::good() }, State::RolledBack),
    ]
}

#[test]
fn without_faults_each_ends_as_it_should() {
    for (name, candidate, expected) in candidates() {
        let world = World::new(System::good(), candidate);
        let outcome = deploy(&world, 1).unwrap();
        assert_eq!(outcome.state, expected, "{name}: {}", outcome.summary());
        world.settle();
        assert!(world.machine.lock().unwrap().roots.is_empty(), "{name}");
    }
}

#[test]
fn a_fault_at_every_step_of_the_operator_keeps_the_promise() {
    let mut cases = 0;
    for (name, candidate, _) in candidates() {
        let world = World::new(System::good(), candidate.clone());
        deploy(&world, 1).unwrap();
        world.settle();
        let steps = world.steps.lock().unwrap().clone();
        assert!(
            ["evaluate", "gather", "protect", "copy", "begin", "line"]
                .iter()
                .all(|n| steps.iter().any(|(s, _)| s == n))
        );
        for at in &steps {
            for strike in Strike::ALL {
                let what = format!("{name}, {strike:?} at {at:?}");
                let world = World::new(System::good(), candidate.clone());
                *world.strike.lock().unwrap() = Some((at.clone(), strike));
                let ended = deploy(&world, 1);
                world.settle();
                check(&world, &candidate, &ended, strike, &what);
                next_works(&world, &what);
                cases += 1;
            }
        }
    }
    assert!(cases > 500, "only {cases} cases");
}

/// The machine is proved healthy, what was reported is what was persisted, and nothing is left behind.
fn check(
    world: &Arc<World>,
    candidate: &System,
    ended: &Result<Outcome, Failure>,
    strike: Strike,
    what: &str,
) {
    assert!(!world.robbed.load(Ordering::SeqCst), "{what}: a running transaction lost its roots");
    let machine = world.machine.lock().unwrap();
    let began = machine.journal.clone();
    match &began {
        Some(record) => promise(&machine, &record.start, candidate, what),
        None => assert!(
            machine.triple_now().all_are(&path('a'), &path('a')),
            "{what}: changed without a transaction"
        ),
    }
    match (ended, began.as_ref().and_then(|r| r.outcome.as_ref())) {
        (Ok(outcome), Some(persisted)) => assert_eq!(outcome, persisted, "{what}"),
        (Ok(outcome), None) => panic!("{what}: {} was reported of nothing", outcome.summary()),
        (Err(failure), Some(_)) => assert_eq!(failure.exit, Exit::Inconclusive, "{what}: {failure}"),
        (Err(failure), None) => assert_ne!(failure.exit, Exit::Ok, "{what}"),
    }
    if strike.is_final() {
        assert!(began.is_none() || machine.roots.is_empty(), "{what}: {:?}", machine.roots);
    } else {
        assert!(ended.is_ok() || began.is_none(), "{what}: {ended:?}");
        assert!(machine.roots.is_empty(), "{what}: {:?}", machine.roots);
    }
}

/// Whoever comes next needs to clean up nothing.
fn next_works(world: &Arc<World>, what: &str) {
    world.revive();
    world.machine.lock().unwrap().systems.insert(path('b'), System::good());
    let outcome = deploy(world, 2).unwrap_or_else(|f| panic!("{what}, then again: {f}"));
    assert_eq!(outcome.state, State::Committed, "{what}, then again: {}", outcome.summary());
    world.settle();
    assert!(world.machine.lock().unwrap().triple_now().all_are(&path('b'), &path('b')), "{what}");
}

#[test]
fn who_follows_hears_the_same_end() {
    let world = World::new(System::good(), System::good());
    let (nix, target) = (FakeNix(Arc::clone(&world)), FakeTarget(Arc::clone(&world)));
    assert_eq!(transact::follow(&executor(&nix, &target, &|| false)).unwrap(), None);
    let outcome = deploy(&world, 1).unwrap();
    world.settle();
    assert_eq!(transact::follow(&executor(&nix, &target, &|| false)).unwrap(), Some(outcome));
}
