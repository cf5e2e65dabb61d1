//! How the machine is before the switch, and whether anything differs from that afterwards.

use std::collections::BTreeMap;

use super::survey;
use crate::effects::machine::{Fault, Machine, Signal, Snapshot};
use crate::health::scheduler::Purpose;
use crate::health::{Baseline, CheckName, Kind, Manifest, Standing, Units};
use crate::model::{StorePath, UnitName};

/// The manifest that a system carries; none is an empty one.
pub fn manifest_of(m: &dyn Machine, system: &StorePath) -> Result<(Manifest, Option<String>), Fault> {
    let Some(text) = m.describe(system)?.manifest else {
        return Ok((Manifest::default(), None));
    };
    let manifest = Manifest::parse(&text)
        .map_err(|e| Fault::new(format!("reading the manifest of {}", system.short()), e))?;
    Ok((manifest, Some(Manifest::hash(&text))))
}

/// The checks of `gate` whose earlier result is comparable: the previous system declares them in the same way, and
/// for a unit both systems have it (DESIGN rule 6). What was logged before the switch is not comparable with what was
/// logged since: the last attempt's words would excuse this one's.
fn known(
    m: &dyn Machine,
    gate: &Manifest,
    previous: &StorePath,
    candidate: &StorePath,
) -> Result<Manifest, Fault> {
    // A running system whose manifest is no manifest declares nothing that could be compared: every check is new,
    // and gates. Refusing instead would make it impossible to deploy the repair.
    let before =
        m.describe(previous)?.manifest.and_then(|text| Manifest::parse(&text).ok()).unwrap_or_default();
    let mut names: Vec<CheckName> = Vec::new();
    for (name, check) in &gate.checks {
        let both_have =
            |unit: &UnitName| Ok::<_, Fault>(m.has_unit(previous, unit)? && m.has_unit(candidate, unit)?);
        let comparable = match &check.probe {
            Kind::Unit { unit } => both_have(unit)?,
            Kind::Journal(_) => false,
            _ => true,
        };
        if comparable && gate.same_check(name, &before) {
            names.push(name.clone());
        }
    }
    Ok(survey::part(gate, |n| names.contains(n)))
}

/// Takes the snapshot: units, `/etc`, and how the known checks stand. Nothing is comparable where the candidate
/// already runs: nobody has proved that it was ever well.
pub fn take<'m, E: From<Fault>>(
    m: &mut (dyn Machine + 'm),
    gate: &Manifest,
    previous: &StorePath,
    candidate: &StorePath,
    other: impl FnMut(&mut (dyn Machine + 'm), Signal) -> Result<(), E>,
) -> Result<Snapshot, E> {
    let known =
        if previous == candidate { Manifest::default() } else { known(m, gate, previous, candidate)? };
    let checks = survey::survey(m, &known, Purpose::Survey, other)?;
    let units = m.units()?;
    Ok(Snapshot { units, etc: m.etc()?, checks })
}

/// How each known check stood.
pub fn baselines(snapshot: &Snapshot) -> BTreeMap<CheckName, Baseline> {
    let baseline = |standing| match standing {
        Standing::Passing => Baseline::Passed,
        Standing::Failing => Baseline::Failed,
        Standing::Skipped => Baseline::Skipped,
        Standing::Pending | Standing::Unknown => Baseline::Unknown,
    };
    snapshot.checks.iter().map(|r| (r.name.clone(), baseline(r.standing))).collect()
}

/// What shows that the switch changed something; `None` if nothing does. Units that come and go by themselves
/// (scopes, devices, transient ones of ours) do not speak for a switch, and neither does a unit that was unloaded.
pub fn difference(
    snapshot: &Snapshot,
    m: &mut dyn Machine,
    previous: &StorePath,
) -> Result<Option<String>, Fault> {
    let running = m.running()?;
    if running != *previous {
        return Ok(Some(format!("/run/current-system names {}", running.short())));
    }
    if m.etc()? != snapshot.etc {
        return Ok(Some("/etc is another one".to_owned()));
    }
    let now = m.units()?;
    Ok(changed_unit(&snapshot.units, &now).map(|u| format!("{u} was started or stopped")))
}

fn changed_unit(before: &Units, now: &Units) -> Option<UnitName> {
    let counts =
        |n: &UnitName| matches!(n.suffix(), "service" | "socket" | "timer" | "path" | "mount" | "target");
    let differs = |name: &UnitName| match (before.get(name), now.get(name)) {
        (Some(a), Some(b)) => a.active != b.active || a.invocation != b.invocation,
        (Some(a), None) => a.active == "active",
        (None, Some(b)) => b.active == "active" && !name.as_str().starts_with("nqd-"),
        (None, None) => false,
    };
    before.keys().chain(now.keys()).find(|n| counts(n) && differs(n)).cloned()
}
