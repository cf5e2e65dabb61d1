//! The plan as tables: what is refused, what is done, what is said.

use super::*;
use crate::closure::Package;
use crate::deploy::request::{Asked, Settings};
use crate::guard::protocol::Status;
use crate::guard::{Ban, Bans};
use crate::model::boot_default::Source as Loader;
use crate::model::{BootDefault, Described, Generation, System};
use crate::nix::{FlakeHost, FlakeRef};

fn path(c: char) -> StorePath {
    StorePath::parse(&format!("/nix/store/{}-nixos-system-web-{c}", String::from(c).repeat(32))).unwrap()
}

fn described(c: char) -> Described {
    Described {
        system: Some(System::parse("x86_64-linux").unwrap()),
        switchable: true,
        kernel: Some("6.12".into()),
        ..Described::new(path(c))
    }
}

fn info(c: char, nar_size: u64) -> PathInfo {
    PathInfo { path: path(c), nar_size }
}

fn triple(running: char, profile: char, boots: char) -> Triple {
    Triple {
        running: path(running),
        profile: Some(Generation { number: 7, path: path(profile) }),
        boot_default: BootDefault::Known { path: path(boots), by: Loader::SystemdBoot },
    }
}

fn unknown() -> BootDefault {
    BootDefault::Unknown { why: "grub".into() }
}

/// A machine on `a`, and candidate `b`, of which all but the guard `g` must be copied.
fn facts() -> Facts {
    Facts {
        revision: Revision { commit: Some("797e398a93751234".into()), dirty: true },
        host_name: Some("web".into()),
        candidate: Candidate {
            described: described('b'),
            specialisation: None,
            closure: vec![info('b', 100), info('c', 1000)],
            derivation: None,
            missing: vec![path('b')],
            dry_activation: DryActivation::NotThere,
        },
        target: TargetFacts {
            host_name: "web".into(),
            boot_id: BootId::parse("6600d058-bc74-4f75-b6e4-532f8a2d456e").unwrap(),
            triple: triple('a', 'a', 'a'),
            running: described('a'),
            booted: Some(described('a')),
            profile_specialisations: Vec::new(),
            generations: Vec::new(),
            closure: vec![info('a', 40), info('c', 1000)],
            free: Some(1 << 30),
            status: None,
        },
        guard: info('g', 4000),
        packages: BTreeMap::new(),
    }
}

fn request(settings: Settings) -> Request {
    let flake = FlakeHost { flake: FlakeRef::parse(".").unwrap(), host: HostName::parse("web").unwrap() };
    let asked = Asked {
        name: flake.host.clone(),
        source: Source::Flake(flake),
        place: None,
        escalate: None,
        build_on: None,
        confirm: None,
        settings,
    };
    asked.resolve(None).unwrap()
}

fn planned(facts: &Facts) -> Result<Plan, Failure> {
    plan(&request(Settings::default()), facts)
}

/// As `nqd diff` names them: by derivations, if those of both sides are here.
#[test]
fn packages_are_named_as_their_derivations_say() {
    let font = |hash: &str, v: &str| {
        StorePath::parse(&format!("/nix/store/{}-font-100dpi-{v}", hash.repeat(32))).unwrap()
    };
    let (old, new) = (font("x", "1.0"), font("y", "1.1"));
    let is = |version: &str| Package { name: "font-100dpi".into(), version: Some(version.into()) };
    let mut facts = facts();
    facts.target.closure.push(PathInfo { path: old.clone(), nar_size: 1 });
    facts.candidate.closure.push(PathInfo { path: new.clone(), nar_size: 1 });
    let says = |facts: &Facts, text: &str| {
        let plan = planned(facts).unwrap();
        let texts: Vec<String> = plan.diff.changes.iter().map(crate::closure::Change::text).collect();
        assert!(texts.iter().any(|t| t == text), "{texts:?}");
    };
    says(&facts, "font: 100dpi-1.0 → 100dpi-1.1");
    facts.packages.insert(new, is("1.1"));
    // One side alone could not be compared.
    says(&facts, "font: 100dpi-1.0 → 100dpi-1.1");
    facts.packages.insert(old, is("1.0"));
    says(&facts, "font-100dpi: 1.0 → 1.1");
}

#[test]
fn a_plain_change() {
    let p = planned(&facts()).unwrap();
    assert_eq!((p.kind, &p.steps[..]), (Kind::Switch, &[Step::Protect, Step::Copy, Step::Transact][..]));
    assert_eq!(p.copy, Copying { roots: vec![path('b')], paths: vec![path('b')], bytes: 100 });
    assert_eq!((p.closure_bytes, p.revision.as_deref()), (1100, Some("797e398a9375-dirty")));
    assert_eq!((p.diff.bytes, p.diff.paths), (Some([1040, 1100]), [2, 2]));
    assert_eq!((p.boot_unproved.len(), p.warnings.len()), (0, 0));
    let gates: Vec<_> = p.gates.iter().map(|g| g.name.as_str()).collect();
    assert_eq!(gates, ["no-unit-regressed", "operator-reconnect"]);
}

#[test]
fn what_is_copied_is_what_the_target_lacks() {
    let copied = |missing: &[char]| {
        let mut f = facts();
        f.candidate.missing = missing.iter().map(|c| path(*c)).collect();
        let p = planned(&f).unwrap();
        (p.steps.contains(&Step::Copy), p.copy.roots.len(), p.copy.paths.len(), p.copy.bytes)
    };
    assert_eq!(copied(&[]), (false, 0, 0, 0));
    assert_eq!(copied(&['g']), (true, 1, 1, 4000));
    assert_eq!(copied(&['b', 'c', 'g']), (true, 2, 3, 5100));
}

#[test]
fn the_start_decides_what_is_done() {
    let rows = [
        (triple('a', 'a', 'a'), Ok(Kind::Switch)),
        (triple('b', 'b', 'b'), Ok(Kind::Nothing)),
        // Somebody ran `test` with the candidate: prove and commit it.
        (triple('b', 'a', 'a'), Ok(Kind::Prove)),
        (triple('b', 'b', 'a'), Ok(Kind::Prove)),
        (triple('a', 'c', 'a'), Err("diverged")),
        (triple('a', 'a', 'c'), Err("diverged")),
        (Triple { boot_default: unknown(), ..triple('a', 'a', 'a') }, Ok(Kind::Switch)),
        (Triple { boot_default: unknown(), ..triple('b', 'b', 'b') }, Ok(Kind::Nothing)),
    ];
    for (start, expected) in rows {
        let mut f = facts();
        f.target.running = Described { path: start.running.clone(), ..described('a') };
        f.target.triple = start.clone();
        match (planned(&f), expected) {
            (Ok(p), Ok(kind)) => {
                assert_eq!(p.kind, kind, "{start:?}");
                assert_eq!(p.steps.is_empty(), kind == Kind::Nothing, "{start:?}");
            }
            (Err(failure), Err(word)) => assert!(failure.what.contains(word), "{failure}"),
            (found, expected) => panic!("{start:?}: {found:?} instead of {expected:?}"),
        }
    }
    let mut f = facts();
    f.target.triple = triple('a', 'c', 'a');
    let mut settings = Settings::default();
    settings.options.from_diverged = true;
    let p = plan(&request(settings), &f).unwrap();
    assert!(p.warnings.iter().any(|w| w.contains("diverged")), "{:?}", p.warnings);
}

#[test]
fn a_specialisation_of_the_profile_is_no_divergence_but_leaving_it_is_said() {
    let mut f = facts();
    f.target.triple = triple('s', 'a', 'a');
    f.target.profile_specialisations = vec![path('s')];
    let p = planned(&f).unwrap();
    assert!(p.warnings[0].contains("--specialisation"), "{:?}", p.warnings);
    let failure =
        plan(&request(Settings { specialisation: Some("x".into()), ..Settings::default() }), &f).unwrap_err();
    assert!(failure.what.contains("no specialisation \"x\""), "{failure}");
}

type Change = fn(&mut Facts);

#[test]
fn what_is_refused() {
    let rows: [(&str, Exit, Change); 5] = [
        ("for the host db", Exit::Refused, |f| f.host_name = Some("db".into())),
        ("is for aarch64-linux", Exit::Refused, |f| {
            f.candidate.described.system = Some(System::parse("aarch64-linux").unwrap());
        }),
        ("not a NixOS system", Exit::Refused, |f| f.candidate.described.switchable = false),
        ("needs a reboot", Exit::Refused, |f| {
            f.target.running.init_interface = Some("1".into());
            f.candidate.described.init_interface = Some("2".into());
        }),
        ("health.json", Exit::Refused, |f| f.candidate.described.manifest = Some("{".into())),
    ];
    for (word, exit, change) in rows {
        let mut f = facts();
        change(&mut f);
        let failure = planned(&f).unwrap_err();
        assert_eq!(failure.exit, exit, "{failure}");
        assert!(failure.what.contains(word) && failure.hint.is_some(), "{word}: {failure}");
    }
    let mut f = facts();
    f.host_name = Some("db".into());
    let allowed = request(Settings { allow_host_mismatch: true, ..Settings::default() });
    assert!(plan(&allowed, &f).is_ok());
}

#[test]
fn a_running_transaction_is_busy_and_a_dead_one_is_said() {
    let mut machine = crate::effects::fake_machine::FakeMachine::new(
        crate::effects::fake_machine::System::good(),
        crate::effects::fake_machine::System::good(),
    );
    let record = machine.planned(&crate::effects::fake_machine::path('b'), Options::default());
    let status = |alive| {
        Some(Status {
            protocol: PROTOCOL,
            record: Some(record.clone()),
            alive,
            evidence: None,
            bans: Bans::default(),
        })
    };
    let mut f = facts();
    f.target.status = status(true);
    let failure = busy(&f.target).unwrap_err();
    assert_eq!(failure.exit, Exit::Busy);
    assert!(failure.what.contains("begun 2026-11-22T06:03:01Z by"), "{failure}");
    f.target.status = status(false);
    assert!(planned(&f).unwrap().warnings[0].contains("recovered first"));
}

#[test]
fn checks_are_new_unless_the_running_system_has_the_same() {
    let manifest = |port: u16| {
        Some(format!(
            r#"{{"version":1,"checks":{{"web":{{"probe":{{"kind":"tcp","host":"localhost","port":{port}}}}}}}}}"#
        ))
    };
    for (before, new) in [(manifest(80), false), (manifest(81), true), (None, true), (Some("{".into()), true)]
    {
        let mut f = facts();
        f.target.running.manifest = before.clone();
        f.candidate.described.manifest = manifest(80);
        let gate = planned(&f).unwrap().gates.pop().unwrap();
        assert_eq!((gate.name.as_str(), gate.new), ("web", new), "{before:?}");
    }
}

#[test]
fn what_a_boot_would_have_to_prove_and_what_does_not_fit_is_said() {
    let mut f = facts();
    f.candidate.described.kernel = Some("6.13".into());
    f.target.free = Some(50);
    let p = planned(&f).unwrap();
    assert_eq!(p.boot_unproved, ["kernel"]);
    assert!(p.warnings[0].contains("may be too small"), "{:?}", p.warnings);
}

#[test]
fn a_saved_plan_reads_back_the_same() {
    let p = planned(&facts()).unwrap();
    let text = serde_json::to_string(&p).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), p);
}

#[test]
fn a_banned_system_is_refused_before_it_is_copied() {
    let mut bans = Bans::default();
    let id = TxId::new("2026-11-22T06:03:01Z", [1, 2, 3]);
    bans.add(Ban { system: path('b'), id, at: "2026-11-22T06:03:01Z".into(), why: "check web".into() });
    let mut f = facts();
    f.target.status = Some(Status { protocol: PROTOCOL, record: None, alive: false, evidence: None, bans });
    let failure = planned(&f).unwrap_err();
    assert!(failure.exit == Exit::Refused && failure.what.contains("known to be bad"), "{failure}");
    let mut settings = Settings::default();
    settings.options.force = true;
    assert!(plan(&request(settings), &f).is_ok());
}

#[test]
fn a_flakes_password_is_in_no_record() {
    let words = |text: &str| {
        let host = crate::nix::FlakeHost::parse(text, &crate::nix::FlakeRef::parse(".").unwrap()).unwrap();
        source_words(&Source::Flake(host))
    };
    let said = words("git+https://me:hunter2@example.org/infra#web");
    assert!(!said.contains("hunter2") && said.contains("example.org/infra"), "{said}");
    assert!(!words("https://example.org/x.tar.gz?access_token=hunter2#web").contains("hunter2"));
    assert_eq!(words("github:me/infra#web"), "github:me/infra#web");
}
