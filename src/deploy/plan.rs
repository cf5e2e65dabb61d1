//! The plan: what would be done to one host. Made without I/O from a request and facts; shown, confirmed, saved, and
//! executed as it is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::facts::{Candidate, DryActivation, Revision, TargetFacts};
use super::request::{Reach, Request, Source};
use crate::closure::{Closure, ClosureDiff, Member, Package};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::admit::suits;
use crate::guard::{Options, Origin, PROTOCOL, Spec, State};
use crate::health::{Level, Manifest};
use crate::model::{BootId, HostName, StorePath, Triple, TxId, boot_proof};
use crate::nix::PathInfo;

/// The version of [`Plan`].
pub const VERSION: u32 = 1;

/// What is known when planning.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The flake's revision.
    pub revision: Revision,
    /// `config.networking.hostName`, where it was evaluated.
    pub host_name: Option<String>,
    /// What is to run.
    pub candidate: Candidate,
    /// The machine.
    pub target: TargetFacts,
    /// The guard that would run the transaction.
    pub guard: PathInfo,
    /// What the operator's derivations say of the paths that differ.
    pub packages: BTreeMap<StorePath, Package>,
}

/// What would be done to one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// [`VERSION`].
    pub version: u32,
    /// The host.
    pub name: HostName,
    /// How it is reached.
    pub reach: Reach,
    /// Whether there is anything to do, and what.
    pub kind: Kind,
    /// What will be done, in order.
    pub steps: Vec<Step>,
    /// Where the candidate comes from: `FLAKE#HOST`, a generation, a path.
    pub source: String,
    /// The flake's revision.
    pub revision: Option<String>,
    /// The toplevel that the profile and the boot loader get.
    pub candidate: StorePath,
    /// The toplevel that is switched to.
    pub activate: StorePath,
    /// The name of the specialisation, if one is activated.
    pub specialisation: Option<String>,
    /// The candidate's derivation.
    pub derivation: Option<StorePath>,
    /// The guard that runs the transaction.
    pub guard: StorePath,
    /// Where the machine starts.
    pub start: Triple,
    /// The boot in which that was seen.
    pub boot_id: BootId,
    /// Bytes of the candidate's closure.
    pub closure_bytes: u64,
    /// What has to be copied.
    pub copy: Copying,
    /// What differs.
    pub diff: ClosureDiff,
    /// The checks that decide.
    pub gates: Vec<Gate>,
    /// What the switch would do to units.
    pub dry_activation: DryActivation,
    /// What only a boot would prove.
    pub boot_unproved: Vec<String>,
    /// What a person should know before saying yes.
    pub warnings: Vec<String>,
    /// Whether the target fetches what it can from its own substituters.
    pub substitute_on_destination: bool,
    /// How the transaction is run.
    pub options: Options,
}

/// Whether there is anything to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The machine runs, has as its profile, and boots the candidate already.
    Nothing,
    /// It runs the candidate already: prove and commit it.
    Prove,
    /// Switch to it, prove and commit it.
    Switch,
}

/// What has to be copied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Copying {
    /// The paths whose closures are copied: the candidate and the guard, unless the target has them.
    pub roots: Vec<StorePath>,
    /// The paths of them that the target lacks.
    pub paths: Vec<StorePath>,
    /// Their bytes.
    pub bytes: u64,
}

impl Copying {
    /// What of the candidate and the guard the target lacks.
    pub fn of(candidate: &Candidate, guard: &PathInfo) -> Self {
        let missing: BTreeSet<&StorePath> = candidate.missing.iter().collect();
        let inside = candidate.closure.iter().any(|p| p.path == guard.path);
        let all = candidate.closure.iter().chain((!inside).then_some(guard));
        let lacking: Vec<&PathInfo> = all.filter(|p| missing.contains(&p.path)).collect();
        let roots = [&candidate.described.path, &guard.path].into_iter().filter(|p| missing.contains(p));
        Self {
            roots: roots.cloned().collect(),
            bytes: lacking.iter().map(|p| p.nar_size).fold(0, u64::saturating_add),
            paths: lacking.into_iter().map(|p| p.path.clone()).collect(),
        }
    }
}

/// One step of the operator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Keep the paths from the target's garbage collector.
    Protect,
    /// Copy what it lacks of them.
    Copy,
    /// Have the guard run the transaction, and confirm it. At its end the guard lets go of the paths.
    Transact,
}

/// A check that decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// What its failure means.
    pub level: Level,
    /// The running system does not declare it in the same way.
    pub new: bool,
}

impl Plan {
    /// The transaction that this plan asks the guard for.
    pub fn spec(&self, id: TxId, operator: &str) -> Spec {
        Spec {
            protocol: PROTOCOL,
            id,
            candidate: self.candidate.clone(),
            activate: self.activate.clone(),
            start: self.start.clone(),
            boot_id: self.boot_id.clone(),
            options: self.options.clone(),
            origin: Origin {
                operator: operator.to_owned(),
                flake: self.source.clone(),
                revision: self.revision.clone(),
                derivation: self.derivation.as_ref().map(ToString::to_string),
                diff: self.diff.summary(),
            },
        }
    }
}

/// Makes the plan, or refuses. Pure.
pub fn plan(request: &Request, facts: &Facts) -> Result<Plan, Failure> {
    let (target, candidate) = (&facts.target, &facts.candidate);
    let activated = match (&request.settings.specialisation, &candidate.specialisation) {
        (Some(name), None) => return Err(no_such_specialisation(name, candidate)),
        (_, Some(specialisation)) => specialisation,
        (None, None) => &candidate.described,
    };
    let system = candidate.described.path.clone();
    suits(&target.running, &candidate.described)?;
    suits(&target.running, activated)?;
    host_mismatch(request, facts)?;
    let kind = kind(target, &activated.path, &system);
    if kind == Kind::Switch {
        diverged(request, target)?;
    }
    let bans = target.status.as_ref().map(|s| &s.bans).filter(|_| kind != Kind::Nothing);
    if let Some(bans) = bans.filter(|_| !request.settings.options.force) {
        bans.admit(&activated.path)?;
    }
    let copy = Copying::of(candidate, &facts.guard);
    let unproved = boot_proof::unproved(target.booted.as_ref(), activated);
    let warnings = warnings(request, facts, copy.bytes);
    Ok(Plan {
        version: VERSION,
        name: request.name.clone(),
        reach: request.reach.clone(),
        kind,
        steps: steps(kind, &copy),
        source: source_words(&request.source),
        revision: facts.revision.text(),
        activate: activated.path.clone(),
        specialisation: request.settings.specialisation.clone(),
        derivation: candidate.derivation.clone(),
        guard: facts.guard.path.clone(),
        start: target.triple.clone(),
        boot_id: target.boot_id.clone(),
        closure_bytes: candidate.closure.iter().map(|p| p.nar_size).fold(0, u64::saturating_add),
        copy,
        diff: diff(facts),
        gates: gates(target.running.manifest.as_deref(), activated.manifest.as_deref(), request)?,
        dry_activation: candidate.dry_activation.clone(),
        boot_unproved: unproved.into_iter().map(str::to_owned).collect(),
        warnings,
        substitute_on_destination: request.settings.substitute_on_destination,
        options: request.settings.options.clone(),
        candidate: system,
    })
}

/// Refuses while a transaction runs.
pub(super) fn busy(target: &TargetFacts) -> Result<(), Failure> {
    let running = target.status.as_ref().filter(|s| s.alive).and_then(|s| s.record.as_ref());
    match running {
        Some(record) => {
            let what = format!("a transaction is running on this machine: {}", record.describe());
            Err(Failure::new(Exit::Busy, what).hint("nqd follow shows it, nqd cancel rolls it back"))
        }
        None => Ok(()),
    }
}

fn no_such_specialisation(name: &str, candidate: &Candidate) -> Failure {
    let names: Vec<&str> = candidate.described.specialisations.iter().map(|(n, _)| n.as_str()).collect();
    let hint =
        if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
    Failure::refused(format!("{} has no specialisation {name:?}", candidate.described.path.short()))
        .hint(hint)
}

/// What differs between what runs and the candidate.
fn diff(facts: &Facts) -> ClosureDiff {
    let member = |p: &PathInfo| Member {
        nar_size: Some(p.nar_size),
        package: facts.packages.get(&p.path).cloned(),
        ..Member::bare(p.path.clone())
    };
    let closure =
        |path: &StorePath, infos: &[PathInfo]| Closure::new(path.clone(), infos.iter().map(member).collect());
    let (running, candidate) = (&facts.target.running.path, &facts.candidate.described.path);
    ClosureDiff::between(
        &closure(running, &facts.target.closure),
        &closure(candidate, &facts.candidate.closure),
    )
}

fn host_mismatch(request: &Request, facts: &Facts) -> Result<(), Failure> {
    let wanted = facts.host_name.as_ref().or(facts.candidate.described.host_name.as_ref());
    let found = &facts.target.host_name;
    match wanted.filter(|w| !w.is_empty() && *w != found) {
        Some(wanted) if !request.settings.allow_host_mismatch => {
            let what = format!("the candidate is for the host {wanted}, the target is called {found}");
            Err(Failure::refused(what)
                .hint("if that is meant (a first deployment, a renaming), pass --allow-host-mismatch"))
        }
        _ => Ok(()),
    }
}

fn kind(target: &TargetFacts, activate: &StorePath, candidate: &StorePath) -> Kind {
    let held = target.status.as_ref().and_then(|s| s.record.as_ref()).is_some_and(|r| r.state == State::Held);
    // A machine that is held stays so until something is proved on it.
    if target.triple.all_are(activate, candidate) && !held {
        Kind::Nothing
    } else if target.triple.running == *activate {
        Kind::Prove
    } else {
        Kind::Switch
    }
}

fn diverged(request: &Request, target: &TargetFacts) -> Result<(), Failure> {
    match target.triple.diverged(&target.profile_specialisations) {
        Some(how) if !request.settings.options.from_diverged => {
            let what = format!("the machine's starting point is diverged: {how}");
            Err(Failure::refused(what)
                .hint("--from-diverged deploys all the same; a rollback then restores each of the three"))
        }
        _ => Ok(()),
    }
}

fn steps(kind: Kind, copy: &Copying) -> Vec<Step> {
    match (kind, copy.roots.is_empty()) {
        (Kind::Nothing, _) => Vec::new(),
        (_, false) => vec![Step::Protect, Step::Copy, Step::Transact],
        (_, true) => vec![Step::Protect, Step::Transact],
    }
}

fn source_words(source: &Source) -> String {
    match source {
        Source::Flake(host) => host.shown(),
        Source::Path(path) => path.to_string(),
        Source::Generation(number) => format!("generation {number}"),
        Source::Earlier => "the generation before".to_owned(),
    }
}

fn gates(before: Option<&str>, after: Option<&str>, request: &Request) -> Result<Vec<Gate>, Failure> {
    let parse = |text: Option<&str>| text.map_or(Ok(Manifest::default()), Manifest::parse);
    // What the running system declares only tells which checks are new; the guard decides by itself.
    let before = parse(before).unwrap_or_default();
    let after = parse(after).map_err(|e| Failure::refused(format!("etc/nqd/health.json: {e}")))?;
    let built_in = |name: &str| Gate {
        name: name.to_owned(),
        kind: "built-in".to_owned(),
        level: Level::Required,
        new: false,
    };
    let [units, reconnect] = crate::health::manifest::BUILT_IN;
    let mut gates = vec![built_in(units)];
    gates.extend(request.settings.options.confirm.map(|_| built_in(reconnect)));
    gates.extend(after.checks.iter().map(|(name, check)| Gate {
        name: name.clone(),
        kind: check.probe.word().to_owned(),
        level: check.level,
        new: !after.same_check(name, &before),
    }));
    Ok(gates)
}

fn warnings(request: &Request, facts: &Facts, missing: u64) -> Vec<String> {
    let target = &facts.target;
    let mut warnings = Vec::new();
    if let Some(record) =
        target.status.as_ref().filter(|s| !s.alive).and_then(|s| s.record.as_ref()).filter(|r| !r.ended())
    {
        warnings.push(format!("an unfinished transaction is recovered first: {}", record.describe()));
    }
    let held = target.status.as_ref().and_then(|s| s.record.as_ref()).and_then(|r| r.outcome.as_ref());
    if let Some(outcome) = held.filter(|o| o.exit == Exit::Held) {
        warnings.push(format!("the last transaction left the machine held: {}", outcome.summary()));
    }
    if target.profile_specialisations.contains(&target.triple.running)
        && request.settings.specialisation.is_none()
    {
        warnings.push(
            "the machine runs a specialisation, which this leaves: --specialisation NAME stays in one"
                .to_owned(),
        );
    }
    if let Some(free) = target.free.filter(|free| *free < missing) {
        let (needs, has) = (crate::model::text::bytes(missing), crate::model::text::bytes(free));
        warnings
            .push(format!("the target's store may be too small: {needs} are to be copied, {has} are free"));
    }
    if let Some(how) = target
        .triple
        .diverged(&target.profile_specialisations)
        .filter(|_| request.settings.options.from_diverged)
    {
        warnings.push(format!("the starting point is diverged: {how}"));
    }
    warnings
}

#[cfg(test)]
mod tests;
