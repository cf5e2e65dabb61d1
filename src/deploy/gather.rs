//! Gathering: evaluation and build on one side, the target on the other, at the same time where they do not depend
//! on each other.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use super::facts::{Candidate, DryActivation, Evaluation, Revision, TargetFacts};
use super::plan::{Copying, Facts, busy};
use super::request::{Asked, Reach, Request, Source};
use crate::closure::{Package, mask};
use crate::effects::clock;
use crate::effects::gather::Purpose;
use crate::effects::nix::{BuildOn, Nix};
use crate::effects::target::Target;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::PROTOCOL;
use crate::guard::admit::suits;
use crate::model::{Described, InstalledGuard, StorePath};
use crate::nix::FlakeHost;
use crate::nix::PathInfo;
use crate::report::event::{Event, Stage};

/// Makes the target that is reached so.
pub type ToTarget<'a> = dyn Fn(&Reach) -> Result<Box<dyn Target>, Failure> + Sync + 'a;

/// What gathering works with.
pub struct Tools<'a> {
    /// The operator's Nix.
    pub nix: &'a dyn Nix,
    /// Makes a target; nothing is connected yet.
    pub target: &'a ToTarget<'a>,
    /// Hears of progress.
    pub tell: &'a (dyn Fn(Event) + Sync),
}

/// A target that has been asked.
type Met = (Box<dyn Target>, TargetFacts);

/// Gathers all facts about one host.
pub fn gather(tools: &Tools<'_>, asked: Asked) -> Result<(Request, Facts, Box<dyn Target>), Failure> {
    thread::scope(|scope| {
        let early = asked.early_reach().map(|reach| scope.spawn(move || meet(tools, &reach)));
        let (evaluation, revision) = match &asked.source {
            Source::Flake(host) => {
                let flake = host.flake.clone();
                let revision = scope.spawn(move || tools.nix.revision(&flake));
                let evaluation = evaluate(tools, host, &asked.settings.nix_args)?;
                (Some(evaluation), join(revision)?)
            }
            _ => (None, Revision::default()),
        };
        let request = asked.resolve(evaluation.as_ref().and_then(|e| e.deploy.as_ref()))?;
        let reach = request.reach.clone();
        let meeting = early.unwrap_or_else(|| scope.spawn(move || meet(tools, &reach)));
        let (candidate, guard, (target, facts)) = match (&evaluation, &request.build_on) {
            (Some(evaluation), BuildOn::Local | BuildOn::Builder(_)) => {
                let local = build_here(tools, &request, evaluation)?;
                let guard = guard(tools, &request, &local);
                (local, guard, join(meeting)?)
            }
            (Some(evaluation), BuildOn::Target) => {
                let met = join(meeting)?;
                let there = build_there(tools, &request, evaluation, met.0.as_ref())?;
                let guard = guard(tools, &request, &there);
                (there, guard, met)
            }
            (None, _) => {
                let met = join(meeting)?;
                let there = existing(tools, &request, &met)?;
                let guard = guard(tools, &request, &there);
                (there, guard, met)
            }
        };
        // Whether it suits comes first: of a system that does not, the guard is not the problem.
        suits(&facts.running, &candidate.described)?;
        let guard = guard?;
        let candidate = compare(tools, &request, candidate, (target.as_ref(), &facts), &guard)?;
        let host_name = evaluation.and_then(|e| e.host_name);
        let packages = packages(tools, &facts, &candidate);
        Ok((request, Facts { revision, host_name, candidate, target: facts, guard, packages }, target))
    })
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, Result<T, Failure>>) -> Result<T, Failure> {
    thread.join().unwrap_or_else(|_| Err(Failure::new(Exit::Internal, "a thread of our own has panicked")))
}

/// Does something as a stage that is shown.
fn stage<T>(
    tools: &Tools<'_>,
    stage: Stage,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    staged(tools.tell, stage, work)
}

/// The same for whoever only has somebody to tell.
pub fn staged<T>(
    tell: &(dyn Fn(Event) + Sync),
    stage: Stage,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    tell(Event::StageStarted { stage });
    let started = clock::start();
    let done = work()?;
    let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tell(Event::StageFinished { stage, millis });
    Ok(done)
}

fn meet(tools: &Tools<'_>, reach: &Reach) -> Result<Met, Failure> {
    stage(tools, Stage::Gather, || {
        let target = (tools.target)(reach)?;
        target.connect()?;
        let facts = target.gather(Purpose::Plan)?;
        // Nothing more is asked of a machine that is busy: even `dry-activate` takes the switch lock.
        busy(&facts)?;
        Ok((target, facts))
    })
}

fn evaluate(tools: &Tools<'_>, host: &FlakeHost, args: &[String]) -> Result<Evaluation, Failure> {
    let evaluation = stage(tools, Stage::Evaluate, || tools.nix.evaluate(host, args));
    evaluation.map_err(|failure| {
        let unknown = failure.what.contains("does not provide attribute");
        // A list of what there is helps more than anything; without one the failure itself must do.
        match tools.nix.hosts(&host.flake, args).ok().filter(|hosts| unknown && !hosts.is_empty()) {
            Some(hosts) => failure.hint(format!("the flake has these hosts: {}", hosts.join(", "))),
            None => failure,
        }
    })
}

/// A candidate of which nothing is compared with the target yet.
fn fresh(
    described: Described,
    specialisation: Option<Described>,
    derivation: Option<StorePath>,
) -> Candidate {
    Candidate {
        described,
        specialisation,
        closure: Vec::new(),
        derivation,
        missing: Vec::new(),
        dry_activation: DryActivation::NotThere,
    }
}

fn build_here(tools: &Tools<'_>, request: &Request, evaluation: &Evaluation) -> Result<Candidate, Failure> {
    let derivation = &evaluation.derivation;
    let args = &request.settings.nix_args;
    let built = stage(tools, Stage::Build, || {
        tools.nix.build(derivation, &request.build_on, args, request.name.as_str())
    })?;
    describe_here(tools, request, &built, Some(derivation.clone()))
}

fn describe_here(
    tools: &Tools<'_>,
    request: &Request,
    system: &StorePath,
    derivation: Option<StorePath>,
) -> Result<Candidate, Failure> {
    let described = tools.nix.describe(system)?;
    let name = request.settings.specialisation.as_ref();
    let path = name.and_then(|name| described.specialisation(name)).cloned();
    let specialisation = path.map(|path| tools.nix.describe(&path)).transpose()?;
    let closure = tools.nix.closure(system)?;
    Ok(Candidate { closure, ..fresh(described, specialisation, derivation) })
}

fn build_there(
    tools: &Tools<'_>,
    request: &Request,
    evaluation: &Evaluation,
    target: &dyn Target,
) -> Result<Candidate, Failure> {
    let derivation = &evaluation.derivation;
    let Some(store) = target.store() else {
        return build_here(tools, request, evaluation);
    };
    let args = &request.settings.nix_args;
    let built = stage(tools, Stage::Build, || tools.nix.build_in(derivation, &store, args))?;
    Ok(Candidate { derivation: Some(derivation.clone()), ..describe_there(request, &built, target)? })
}

fn describe_there(request: &Request, system: &StorePath, target: &dyn Target) -> Result<Candidate, Failure> {
    let (described, specialisation, closure) =
        target.describe(system, request.settings.specialisation.as_deref())?;
    Ok(Candidate { closure, ..fresh(described, specialisation, None) })
}

/// A system that is not built from a flake: on the target already, or else in our own store.
fn existing(tools: &Tools<'_>, request: &Request, (target, facts): &Met) -> Result<Candidate, Failure> {
    let system = wanted(&request.source, facts)?;
    let is_there = target.missing(std::slice::from_ref(&system))?.is_empty();
    if is_there {
        describe_there(request, &system, target.as_ref())
    } else if !tools.nix.is_valid(&system)? {
        let what = format!("{system} is not valid, neither in the target's store nor here");
        Err(Failure::refused(what).hint("nqd history and nqd status name the systems that the target had"))
    } else {
        describe_here(tools, request, &system, None)
    }
}

fn wanted(source: &Source, facts: &TargetFacts) -> Result<StorePath, Failure> {
    let generations = &facts.generations;
    match source {
        Source::Path(path) => Ok(path.clone()),
        Source::Generation(number) => generations
            .iter()
            .find(|g| g.number == *number)
            .map(|g| g.path.clone())
            .ok_or_else(|| Failure::refused(format!("there is no generation {number}")).hint(list(facts))),
        Source::Earlier => {
            let current = facts.triple.profile.as_ref().map_or(u64::MAX, |g| g.number);
            let runs = &facts.triple.running;
            let earlier = generations.iter().rfind(|g| g.number < current && g.path != *runs);
            earlier.map(|g| g.path.clone()).ok_or_else(|| {
                Failure::refused("there is no earlier generation with another system").hint(list(facts))
            })
        }
        Source::Flake(host) => Err(Failure::new(Exit::Internal, format!("{host} was not evaluated"))),
    }
}

fn list(facts: &TargetFacts) -> String {
    let numbers: Vec<String> = facts.generations.iter().map(|g| g.number.to_string()).collect();
    format!("the machine has the generations {}", numbers.join(", "))
}

/// The guard: the candidate's own if its protocol fits, else ours (DESIGN rule 5).
fn guard(tools: &Tools<'_>, request: &Request, candidate: &Candidate) -> Result<PathInfo, Failure> {
    let given = request.settings.guard.as_deref();
    if given.is_none()
        && let Some(own) = installed(candidate)?
    {
        return Ok(own);
    }
    let described = &candidate.described;
    let system = described.system.as_ref().ok_or_else(|| {
        Failure::refused(format!("{} does not say which system it is for", described.path.short()))
    })?;
    tools.nix.guard(system, given)
}

/// The guard in the candidate, as its `etc/nqd/guard.json` names it (docs/FORMATS.md), if it speaks our protocol. It comes to
/// the target with the rest of the closure: one that is no part of it could go missing.
fn installed(candidate: &Candidate) -> Result<Option<PathInfo>, Failure> {
    let Some(text) = &candidate.described.guard else { return Ok(None) };
    let unfit = |why: String| {
        let what = format!("the candidate's etc/nqd/guard.json: {why}");
        Failure::refused(what).hint("--guard names a guard to use instead")
    };
    let own: InstalledGuard = serde_json::from_str(text).map_err(|e| unfit(e.to_string()))?;
    if own.protocol != PROTOCOL {
        return Ok(None);
    }
    let part = candidate.closure.iter().find(|part| part.path == own.path);
    part.map_or_else(|| Err(unfit(format!("{} is no part of the system", own.path))), |p| Ok(Some(p.clone())))
}

/// What the derivations that are here say of the paths that differ. Without it their names are guessed: nothing that a
/// deployment would be refused for.
fn packages(tools: &Tools<'_>, target: &TargetFacts, candidate: &Candidate) -> BTreeMap<StorePath, Package> {
    let set = |infos: &[PathInfo]| infos.iter().map(|i| i.path.clone()).collect::<BTreeSet<_>>();
    let (old, new) = (set(&target.closure), set(&candidate.closure));
    let differing: Vec<StorePath> = old.symmetric_difference(&new).cloned().collect();
    match tools.nix.packages(&differing) {
        Ok(found) => differing.into_iter().zip(found).filter_map(|(path, p)| Some((path, p?))).collect(),
        Err(failure) => {
            let text = format!("versions are told by the names of paths only: {}", failure.what);
            (tools.tell)(Event::Warning { text });
            BTreeMap::new()
        }
    }
}

/// Compares the candidate with the target: what is missing there and, if nothing is, what a switch would do.
fn compare(
    tools: &Tools<'_>,
    request: &Request,
    mut candidate: Candidate,
    (target, facts): (&dyn Target, &TargetFacts),
    guard: &PathInfo,
) -> Result<Candidate, Failure> {
    let store = target.store();
    if store.is_some() {
        let paths: Vec<StorePath> =
            candidate.closure.iter().map(|p| p.path.clone()).chain([guard.path.clone()]).collect();
        candidate.missing = target.missing(&paths)?;
    }
    if let (Some(store), true, false) = (&store, request.settings.copy_first, candidate.missing.is_empty()) {
        let roots = Copying::of(&candidate, guard).roots;
        stage(tools, Stage::Copy, || {
            tools.nix.copy(&roots, store, request.settings.substitute_on_destination)
        })?;
        candidate.missing.clear();
    }
    let activated = candidate.specialisation.as_ref().unwrap_or(&candidate.described);
    let runs = activated.path == facts.running.path;
    candidate.dry_activation = if runs {
        DryActivation::Says(Vec::new())
    } else if candidate.missing.contains(&activated.path) || suits(&facts.running, activated).is_err() {
        DryActivation::NotThere
    } else {
        // What activation scripts print is anybody's, and a plan is written.
        let masked = |text: &String| mask::value("", text).into_owned();
        match target.dry_activate(&activated.path) {
            Ok(said) => DryActivation::Says(said.iter().map(masked).collect()),
            Err(failure) => DryActivation::Failed(masked(&failure.what)),
        }
    };
    Ok(candidate)
}
